package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// client is one LMTP session (RFC 2033) that sends message after message. It
// writes as Postfix's lmtp(8) does: MAIL, the RCPTs and DATA in one piece
// (RFC 2920), then the content. It costs little, because it shares the
// machine with what it measures.
type client struct {
	conn net.Conn
	in   *bufio.Reader
	out  []byte
	size bool // the server takes SIZE (RFC 1870)
}

// patience bounds one message, and the start of a session.
const patience = 5 * time.Minute

// dial opens a session with the LMTP server at host:port.
func dial(addr string) (*client, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, in: bufio.NewReader(conn)}
	if err := c.greet(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet %s: %w", addr, err)
	}
	return c, nil
}

func (c *client) greet() error {
	c.deadline()
	if err := c.expect(220); err != nil {
		return err
	}
	if _, err := c.conn.Write([]byte("LHLO bench.example.org\r\n")); err != nil {
		return err
	}
	return c.expect(250)
}

// close says QUIT and hangs up.
func (c *client) close() {
	c.deadline()
	if _, err := c.conn.Write([]byte("QUIT\r\n")); err == nil {
		_ = c.expect(221) // as a courtesy: all that counts has been answered
	}
	c.conn.Close()
}

func (c *client) deadline() { _ = c.conn.SetDeadline(time.Now().Add(patience)) }

// deliver sends the template as it is stamped. It returns how long it took
// from the first octet of the content to the last reply. Any reply but a good
// one is an error.
func (c *client) deliver(t *template, rcpts []string) (time.Duration, error) {
	c.deadline()
	b := append(c.out[:0], "MAIL FROM:<"...)
	b = append(append(b, t.sender...), '>')
	if c.size {
		b = strconv.AppendInt(append(b, " SIZE="...), int64(t.size()), 10)
	}
	b = append(b, "\r\n"...)
	for _, r := range rcpts {
		b = append(append(append(b, "RCPT TO:<"...), r...), ">\r\n"...)
	}
	c.out = append(b, "DATA\r\n"...)
	if _, err := c.conn.Write(c.out); err != nil {
		return 0, err
	}
	for range len(rcpts) + 1 {
		if err := c.expect(250); err != nil {
			return 0, err
		}
	}
	if err := c.expect(354); err != nil {
		return 0, err
	}
	start := time.Now()
	content := net.Buffers{t.head, t.body, t.foot, []byte(".\r\n")}
	if _, err := content.WriteTo(c.conn); err != nil {
		return 0, err
	}
	for range rcpts {
		if err := c.expect(250); err != nil {
			return 0, err
		}
	}
	return time.Since(start), nil
}

var errReply = errors.New("unexpected reply")

// expect reads one reply, all its lines.
func (c *client) expect(code int) error {
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(line) < 4 {
			return fmt.Errorf("%w %q, want %d", errReply, line, code)
		}
		if bytes.HasPrefix(line[4:], []byte("SIZE")) {
			c.size = true
		}
		if line[3] == '-' {
			continue
		}
		if got, err := strconv.Atoi(string(line[:3])); err != nil || got != code {
			return fmt.Errorf("%w %q, want %d", errReply, bytes.TrimSpace(line), code)
		}
		return nil
	}
}
