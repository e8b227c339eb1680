package directory

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// maxInFlight bounds the searches under way on one connection. It must stay
// below slapd's conn_max_pending, 100, at which slapd closes the connection.
const maxInFlight = 64

// maxUnsent bounds what waits for a server that does not read, in bytes.
const maxUnsent = 1 << 20

// maxID is where message numbers begin again (RFC 4511 4.1.1).
const maxID = 1<<31 - 1

// call is one search under way on one connection. Until it is told the answer
// belongs to the connection's reader; with err set nobody else looks at it.
type call struct {
	conn    *conn
	id      int
	sent    time.Time
	limit   int // entries that may come; 0: any number
	entries []*Entry
	bytes   int
	result  result
	err     error        // the connection's, or the answer was malformed
	done    chan<- *call // told once; has room for it
}

// conn is one connection with many searches under way.
type conn struct {
	link   *link
	server *server
	lost   func(*conn, error) // told once, when the connection has ended
	sign   func()             // told when a suspected connection gives a sign of life

	// These belong to the pool, under its lock.
	inFlight  int       // slots taken
	used      time.Time // when a slot was taken last
	examining bool      // a probe is under way
	retiring  bool      // takes no more searches

	born    time.Time
	heard   atomic.Int64 // when something was read last, in ns since born
	suspect atomic.Bool  // is silent although it was asked

	answered atomic.Bool // some search

	wake chan struct{} // for the writer
	dead chan struct{} // closed at the end

	mu     sync.Mutex
	calls  map[int]*call
	last   int    // message number
	unsent []byte // whole messages
	err    error  // why the connection has ended
}

// newConn serves the link until it ends; lost is called then. The pool's lock
// is held.
func newConn(l *link, s *server, lost func(*conn, error), sign func()) *conn {
	c := &conn{
		link: l, server: s, lost: lost, sign: sign, born: time.Now(),
		wake: make(chan struct{}, 1), dead: make(chan struct{}), calls: map[int]*call{},
	}
	s.pool.all.Go(c.write)
	s.pool.all.Go(c.read)
	return c
}

// start sends a search. The call is told to done, unless start fails or the
// call is given up.
func (c *conn) start(op []byte, limit int, done chan<- *call) (*call, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return nil, c.err
	}
	if len(c.unsent) > maxUnsent {
		return nil, errNotReading
	}
	for {
		c.last = c.last%maxID + 1
		if c.calls[c.last] == nil {
			break
		}
	}
	k := &call{conn: c, id: c.last, sent: time.Now(), limit: limit, done: done}
	c.calls[k.id] = k
	c.unsent = appendMessage(c.unsent, k.id, op)
	c.wakeWriter()
	return k, nil
}

var errNotReading = errors.New("the server does not read")

// giveUp forgets a call, which will not be told any more, and asks the server
// to abandon it (RFC 4511 4.11). It says whether the call was still under way.
func (c *conn) giveUp(k *call) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.calls[k.id] != k {
		return false
	}
	delete(c.calls, k.id)
	c.abandon(k.id)
	return true
}

// abandon is called with the lock held.
func (c *conn) abandon(id int) {
	if c.err != nil || len(c.unsent) > maxUnsent {
		return
	}
	c.last = c.last%maxID + 1
	c.unsent = appendMessage(c.unsent, c.last, appendInt(nil, opAbandonRequest, id))
	c.wakeWriter()
}

func (c *conn) wakeWriter() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// write sends what waits, so that no search ever blocks in it. Requests that
// come together leave together.
func (c *conn) write() {
	var b []byte
	for {
		select {
		case <-c.wake:
		case <-c.dead:
			return
		}
		c.mu.Lock()
		b, c.unsent = c.unsent, b[:0]
		c.mu.Unlock()
		if len(b) == 0 {
			continue
		}
		if _, err := c.link.Write(b); err != nil {
			c.end(fmt.Errorf("write: %w", err))
			return
		}
		if cap(b) > maxIdleBuffer {
			b = nil
		}
	}
}

// maxIdleBuffer is what an idle connection keeps for writing, in bytes.
const maxIdleBuffer = 64 << 10

// read hands the server's messages to their calls.
func (c *conn) read() {
	known := names{}
	for {
		m, err := readMessage(c.link.in)
		if err == nil {
			c.heard.Store(int64(time.Since(c.born)))
			if c.suspect.Load() {
				c.suspect.Store(false)
				c.sign()
			}
			err = c.handle(m, known)
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = errClosed
			}
			c.end(fmt.Errorf("read: %w", err))
			return
		}
	}
}

var errClosed = errors.New("the server has closed the connection")

// handle takes one message. An error ends the connection: after one message
// that cannot be understood none can be trusted.
func (c *conn) handle(m []byte, known names) error {
	id, op, content, err := openMessage(m)
	if err != nil {
		return err
	}
	if id == 0 { // unsolicited: a notice of disconnection (RFC 4511 4.4.1)
		if op != opExtendedResponse {
			return errMalformed
		}
		r, err := decodeResult(content)
		if err != nil {
			return err
		}
		return refusal(r, c.server.at.uri)
	}
	c.mu.Lock()
	k := c.calls[id]
	c.mu.Unlock()
	if k == nil {
		return nil // given up
	}
	switch op {
	case opSearchEntry:
		e, err := decodeEntry(content, known)
		if err != nil {
			return err
		}
		k.entries, k.bytes = append(k.entries, e), k.bytes+len(m)
		switch {
		case k.limit > 0 && len(k.entries) > k.limit:
			c.stop(k, fmt.Errorf("%w: %s sends more entries than the %d that were asked for", ErrRefused, c.server.at.uri, k.limit))
		case k.bytes > maxAnswer:
			c.stop(k, fmt.Errorf("%w: %s sends more than %d bytes", ErrRefused, c.server.at.uri, maxAnswer))
		}
		return nil
	case opSearchReference, opIntermediate:
		return nil // other servers may know more; nobody is asked to follow
	case opSearchDone:
		r, err := decodeResult(content)
		if err != nil {
			return err
		}
		c.mu.Lock()
		mine := c.calls[id] == k
		delete(c.calls, id)
		c.mu.Unlock()
		if r.code == ldap.LDAPResultOperationsError {
			// Active Directory says so when the bind of a connection is gone.
			c.suspect.Store(true)
			err = refusal(r, c.server.at.uri)
		} else {
			c.answered.Store(true)
		}
		if mine {
			k.result = r
			k.done <- k
		}
		return err
	}
	return errMalformed
}

// stop ends a call whose answer is not wanted any more.
func (c *conn) stop(k *call, err error) {
	if c.giveUp(k) {
		k.entries, k.err = nil, err
		k.done <- k
	}
}

// silence is for how long nothing has come although the call waits.
func (c *conn) silence(k *call) time.Duration {
	return min(time.Since(k.sent), c.quiet())
}

// quiet is for how long nothing has come.
func (c *conn) quiet() time.Duration {
	return time.Since(c.born) - time.Duration(c.heard.Load())
}

// end closes the connection, once, and fails all calls.
func (c *conn) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	c.err = &lostError{server: c.server.at.uri, why: err}
	calls := c.calls
	c.calls = nil
	c.mu.Unlock()
	close(c.dead)
	// Below TLS, whose Close could wait for a server that does not read.
	c.link.raw.Close()
	for _, k := range calls {
		k.err = c.err
		k.done <- k
	}
	c.lost(c, err)
}

// unbind says good-bye (RFC 4511 4.3) when nothing is under way.
func (c *conn) unbind() {
	c.link.raw.SetWriteDeadline(time.Now().Add(time.Second))
	c.link.Write(appendMessage(nil, maxID, []byte{opUnbindRequest, 0}))
	c.end(errDone)
}

var errDone = errors.New("not needed any more")

// lostError is a connection that ended while it was needed: the same search
// may be asked on another.
type lostError struct {
	server string
	why    error
}

func (e *lostError) Error() string { return "connection to " + e.server + " lost: " + e.why.Error() }
