package lmtpd

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// conn stands between the network and go-smtp and adds what that lacks:
//
//   - Commands are handed on one line at a time, so that nothing of what
//     follows is in go-smtp's buffer; the content of DATA is then read here,
//     in blocks (see content.go), where go-smtp looks at each octet by itself.
//   - Replies are sent when no further command is here to be answered, and the
//     final ones of a message together (RFC 2920 3.2), each in one write.
//   - A bound on what may arrive between two of our replies while commands are
//     read, so that a command line cannot grow without end, while lines of
//     content may. It counts octets from the network, so it holds under
//     STARTTLS too, where go-smtp puts its TLS layer above this one.
//   - An idle time-out inside content: go-smtp's runs from the DATA command.
//   - After a failed read, every read fails. go-smtp would go on and take the
//     rest of a message for commands.
//   - Proof that the client has read our final replies: see finalReplies.
//   - An orderly end: drain lets a message finish and wakes who is idle.
//
// Deadlines take effect at the next read or write of the network.
type conn struct {
	net.Conn
	idle time.Duration

	mu       sync.Mutex
	buf      []byte // read, not handed on
	space    []byte
	aligned  bool   // what was handed on last is the end of a line: go-smtp holds no more than that
	secure   bool   // TLS records, not lines
	rest     []byte // to be handed on before buf: the end of content that was read here
	readBy   time.Time
	content  bool  // a message is being read
	chunked  bool  // … by BDAT
	received int64 // octets handed on since our last reply
	consumed int64 // octets of content taken by the session since our last reply
	failed   error
	draining bool

	final   int    // final replies that are still to be written
	proven  func() // for watch, once they are
	watch   func() // called once when the client proves that it read them; nil: nothing to prove
	early   int    // octets that had arrived before the last of them was written: they prove nothing
	arrived bool   // others have come since

	writing sync.Mutex // before mu; held while the network is written to
	out     []byte     // replies to be sent
	writeBy time.Time
}

const (
	readBuffer = 32 << 10
	// maxCommand bounds the octets between two replies while commands are
	// read. go-smtp and TLS read ahead, which must fit too.
	maxCommand = 64 << 10
	// maxReplies bounds the replies that wait to be sent together.
	maxReplies = 8 << 10
	// partingTime is what the last replies may take when a connection is closed.
	partingTime = time.Second
	// tlsHandshake is the first octet of a TLS connection (RFC 8446 5.1), and
	// of no command.
	tlsHandshake = 0x16
)

var errCommandTooLong = errors.New("too many octets without a complete command")

func newConn(c net.Conn, idle time.Duration) *conn { return &conn{Conn: c, idle: idle} }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.rest) > 0 {
		n := copy(p, c.rest)
		c.rest = c.rest[n:]
		return n, nil
	}
	if err := c.fill(); err != nil {
		return 0, err
	}
	n := min(len(p), len(c.buf))
	if !c.content && !c.secure {
		c.secure = c.buf[0] == tlsHandshake
		if i := bytes.IndexByte(c.buf[:n], '\n'); i >= 0 && !c.secure {
			n = i + 1
		}
	}
	n = copy(p, c.buf[:n])
	c.buf = c.buf[n:]
	c.aligned = !c.content && !c.secure && n > 0 && p[n-1] == '\n'
	c.received += int64(n)
	if c.watch != nil {
		if n > c.early {
			c.arrived = true
		}
		c.early = max(0, c.early-n)
	}
	if limit := c.limit(); limit > 0 && c.received > limit {
		c.failed = c.failure(errCommandTooLong)
		c.watch = nil
		return 0, c.failed
	}
	return n, nil
}

// fill sees that there is something in buf. It is called with mu held and
// lets go of it while it waits.
func (c *conn) fill() error {
	for len(c.buf) == 0 {
		if c.failed != nil {
			return c.failed
		}
		c.receive()
	}
	return nil
}

// receive is one read of the network.
func (c *conn) receive() {
	c.mu.Unlock()
	c.flush() // a write that fails is found again by the read
	c.mu.Lock()
	if c.space == nil {
		c.space = make([]byte, readBuffer)
	}
	by := c.readBy
	switch {
	case c.draining && !c.content:
		by = time.Now()
	case c.content && c.idle > 0:
		by = time.Now().Add(c.idle)
	}
	_ = c.Conn.SetReadDeadline(by)
	c.mu.Unlock()
	n, err := c.Conn.Read(c.space)
	c.mu.Lock()
	c.buf = c.space[:n]
	if err != nil {
		c.failed = c.failure(err)
		c.watch = nil // the end of a connection is no command
	}
}

// failure is what go-smtp is told of a failed read. It takes io.EOF inside a
// chunk for the chunk's end, and shows other errors to the client as 554.
func (c *conn) failure(err error) error {
	switch {
	case c.chunked:
		return replyIncomplete
	case err == io.EOF:
		return errGone
	}
	return err
}

// errGone is the end of a connection; go-smtp ends quietly on net.ErrClosed.
var errGone = fmt.Errorf("client closed the connection: %w", net.ErrClosed)

// limit is how much may arrive before we have to reply; 0 is without limit.
func (c *conn) limit() int64 {
	switch {
	case !c.content:
		return maxCommand
	case c.chunked:
		// Between chunks there are commands: what the session has not
		// consumed as content is one. Twice, for TLS's overhead.
		return 4*maxCommand + 2*c.consumed
	}
	return 0
}

// Write implements net.Conn. go-smtp flushes each reply by itself.
func (c *conn) Write(p []byte) (int, error) {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.out = append(c.out, p...)
	send := len(c.out) > maxReplies
	c.mu.Lock()
	if c.final > 0 {
		if c.final--; c.final == 0 {
			// What is here now was sent without having seen this reply.
			n, known := pending(c.Conn)
			c.early, c.arrived = len(c.buf)+n, false
			if c.watch, c.proven = c.proven, nil; !known {
				c.watch = nil
			}
			send = true
		}
	}
	c.mu.Unlock()
	var err error
	if send {
		err = c.send()
	}
	c.mu.Lock()
	c.received, c.consumed = 0, 0
	var proven func()
	if err != nil {
		c.watch = nil
	} else if c.arrived && c.watch != nil {
		// A reply to something that came after the final ones: a command.
		proven, c.watch = c.watch, nil
	}
	c.mu.Unlock()
	if proven != nil {
		proven()
	}
	if err != nil {
		return 0, err
	}
	return len(p), nil
}

// flush sends the replies that wait.
func (c *conn) flush() {
	c.writing.Lock()
	defer c.writing.Unlock()
	_ = c.send()
}

// send is flush for who holds the lock.
func (c *conn) send() error {
	if len(c.out) == 0 {
		return nil
	}
	_ = c.Conn.SetWriteDeadline(c.writeBy)
	_, err := c.Conn.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Close implements net.Conn. The last replies are sent if that takes no time;
// who is writing is cut off.
func (c *conn) Close() error {
	if c.writing.TryLock() {
		c.writeBy = time.Now().Add(partingTime)
		_ = c.send()
		c.writing.Unlock()
	}
	return c.Conn.Close()
}

// SetReadDeadline implements net.Conn.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.readBy = t
	return nil
}

// SetWriteDeadline implements net.Conn.
func (c *conn) SetWriteDeadline(t time.Time) error {
	c.writing.Lock()
	defer c.writing.Unlock()
	c.writeBy = t
	return nil
}

// SetDeadline implements net.Conn.
func (c *conn) SetDeadline(t time.Time) error {
	_ = c.SetReadDeadline(t)
	return c.SetWriteDeadline(t)
}

// finalReplies says that the next n replies are the final ones of a message.
// proven runs, once, when a command arrives after the last of them: a client
// that goes on after our reply has read it. What lies in our buffers or in the
// kernel's at the moment of that write was sent without having seen the reply
// (PIPELINING allows that after the final dot) and proves nothing.
func (c *conn) finalReplies(n int, proven func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.final, c.proven, c.watch = n, proven, nil
}

// forget drops what was to be proven.
func (c *conn) forget() {
	c.mu.Lock()
	c.final, c.proven, c.watch = 0, nil, nil
	c.mu.Unlock()
}

// drain ends the connection at its next pause.
func (c *conn) drain() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.draining = true
	if !c.content {
		_ = c.Conn.SetReadDeadline(time.Now())
	}
}
