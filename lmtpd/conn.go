package lmtpd

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// conn stands between the network and go-smtp and adds what that lacks:
//
//   - A bound on what may arrive between two of our replies while commands are
//     read, so that a command line cannot grow without end, while lines of
//     content may. It counts octets from the network, so it holds under
//     STARTTLS too, where go-smtp puts its TLS layer above this one.
//   - An idle time-out inside content: go-smtp's runs from the DATA command.
//   - After a failed read, every read fails. go-smtp would go on and take the
//     rest of a message for commands.
//   - Proof that the client has read our final replies: see finalReplies.
//   - An orderly end: drain lets a message finish and wakes who is idle.
type conn struct {
	net.Conn
	idle time.Duration

	mu       sync.Mutex
	buf      []byte // read, not handed on
	space    []byte
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
}

const (
	readBuffer = 32 << 10
	// maxCommand bounds the octets between two replies while commands are
	// read. go-smtp and TLS read ahead, which must fit too.
	maxCommand = 64 << 10
)

var errCommandTooLong = errors.New("too many octets without a complete command")

func newConn(c net.Conn, idle time.Duration) *conn { return &conn{Conn: c, idle: idle} }

// Read implements net.Conn.
func (c *conn) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed != nil {
		return 0, c.failed
	}
	if len(c.buf) == 0 {
		if c.space == nil {
			c.space = make([]byte, readBuffer)
		}
		if c.content && c.idle > 0 {
			_ = c.Conn.SetReadDeadline(time.Now().Add(c.idle))
		}
		c.mu.Unlock()
		n, err := c.Conn.Read(c.space)
		c.mu.Lock()
		if err != nil {
			c.failed = c.failure(err)
			c.watch = nil // the end of a connection is no command
			if n == 0 {
				return 0, c.failed
			}
		}
		c.buf = c.space[:n]
	}
	n := copy(p, c.buf)
	c.buf = c.buf[n:]
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
	c.mu.Lock()
	if c.final > 0 {
		if c.final--; c.final == 0 {
			// What is here now was sent without having seen this reply.
			n, known := pending(c.Conn)
			c.early, c.arrived = len(c.buf)+n, false
			if c.watch, c.proven = c.proven, nil; !known {
				c.watch = nil
			}
		}
	}
	c.mu.Unlock()
	n, err := c.Conn.Write(p)
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
	return n, err
}

// SetReadDeadline implements net.Conn; while draining, who waits for a
// command waits no longer.
func (c *conn) SetReadDeadline(t time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.draining && !c.content {
		t = time.Now()
	}
	return c.Conn.SetReadDeadline(t)
}

// startContent says that a message is being read; chunked, that it comes by
// BDAT, with commands in between.
func (c *conn) startContent(chunked bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.content, c.chunked, c.consumed = true, chunked, 0
	c.final, c.proven, c.watch, c.arrived = 0, nil, nil, false
}

// took counts content that the session has consumed.
func (c *conn) took(n int) {
	c.mu.Lock()
	c.consumed += int64(n)
	c.mu.Unlock()
}

// endContent says that commands are next.
func (c *conn) endContent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.content, c.chunked, c.received, c.consumed = false, false, 0, 0
	if c.draining {
		_ = c.Conn.SetReadDeadline(time.Now())
	}
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
