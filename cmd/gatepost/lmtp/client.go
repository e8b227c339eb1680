// Package lmtp hands messages to an LMTP server (RFC 2033), as the operator's
// commands do: one message, many recipients, and every reply as it came.
//
// It is a client of its own because go-smtp's cannot do three things that are
// needed here: STARTTLS over LMTP (it says EHLO), one reply for each RCPT when
// an address is given twice (its replies are a map), and content that holds
// CR CR LF (its writer adds a third CR).
//
// Supported: SIZE (RFC 1870), 8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531),
// STARTTLS (RFC 3207), enhanced status codes (RFC 2034). Commands are not
// pipelined: nobody waits for the milliseconds.
package lmtp

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

// Time-outs of RFC 5321 section 4.5.3.2, rounded down where a person waits.
const (
	dialTimeout    = 10 * time.Second
	commandTimeout = 2 * time.Minute
	contentTimeout = 3 * time.Minute  // for each block of content
	finalTimeout   = 10 * time.Minute // for each reply after the final dot
)

// maxReply bounds one reply of the server, all its lines together.
const maxReply = 64 << 10

// Options say how to talk to a server.
type Options struct {
	// Hostname is our name in LHLO.
	Hostname string
	// TLS is used with STARTTLS when the server offers it; nil never asks.
	TLS *tls.Config
	// TLSRequired gives up when STARTTLS is not offered.
	TLSRequired bool
}

// Client is a connection to a server, past LHLO. It is not safe for concurrent
// use.
type Client struct {
	conn       net.Conn
	in         *textproto.Reader
	limit      *io.LimitedReader
	out        *bufio.Writer
	extensions map[string]string // upper-case keyword → parameters
	release    func() bool       // ends the watch over the context
}

// errTLSNotOffered is the end of a connection that has to be encrypted.
var errTLSNotOffered = errors.New("the server offers no STARTTLS")

// Dial connects, reads the greeting, says LHLO and, as the options say, starts
// TLS. network is "tcp" or "unix". The connection breaks when ctx ends. An
// unfriendly reply is a *ReplyError.
func Dial(ctx context.Context, network, address string, o Options) (*Client, error) {
	d := net.Dialer{Timeout: dialTimeout}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c := &Client{}
	c.use(conn)
	// An expired deadline wakes reads and writes that are under way.
	c.release = context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)); conn.Close() })
	if err := c.begin(ctx, o); err != nil {
		c.abandon()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, err
	}
	return c, nil
}

func (c *Client) use(conn net.Conn) {
	c.conn = conn
	c.limit = &io.LimitedReader{R: conn, N: maxReply}
	c.in = textproto.NewReader(bufio.NewReader(c.limit))
	c.out = bufio.NewWriter(conn)
}

// begin goes through greeting, LHLO, STARTTLS and the LHLO after it.
func (c *Client) begin(ctx context.Context, o Options) error {
	if _, err := c.expect("greeting", 2, commandTimeout); err != nil {
		return err
	}
	if err := c.hello(o.Hostname); err != nil {
		return err
	}
	_, offered := c.extensions["STARTTLS"]
	switch {
	case o.TLS != nil && offered:
		if err := c.startTLS(ctx, o.TLS); err != nil {
			return err
		}
		// What the server said in clear text does not count (RFC 3207, 4.2).
		return c.hello(o.Hostname)
	case o.TLSRequired:
		return errTLSNotOffered
	}
	return nil
}

func (c *Client) hello(hostname string) error {
	r, err := c.command("LHLO", 2, "LHLO %s", hostname)
	if err != nil {
		return err
	}
	c.extensions = map[string]string{}
	_, lines, _ := strings.Cut(r.raw, "\n")
	for line := range strings.SplitSeq(lines, "\n") {
		keyword, parameters, _ := strings.Cut(line, " ")
		c.extensions[strings.ToUpper(keyword)] = parameters
	}
	return nil
}

func (c *Client) startTLS(ctx context.Context, config *tls.Config) error {
	if _, err := c.command("STARTTLS", 2, "STARTTLS"); err != nil {
		return err
	}
	if c.in.R.Buffered() > 0 {
		// Something was slipped in before the handshake (CVE-2011-0411).
		return errors.New("STARTTLS: the server sent data in clear text after its reply")
	}
	conn := tls.Client(c.conn, config)
	_ = c.conn.SetDeadline(time.Now().Add(commandTimeout))
	if err := conn.HandshakeContext(ctx); err != nil {
		return fmt.Errorf("STARTTLS: %w", err)
	}
	c.use(conn)
	return nil
}

// TLS tells the state of the encryption; false: there is none.
func (c *Client) TLS() (tls.ConnectionState, bool) {
	conn, ok := c.conn.(*tls.Conn)
	if !ok {
		return tls.ConnectionState{}, false
	}
	return conn.ConnectionState(), true
}

// Close says QUIT and closes the connection.
func (c *Client) Close() error {
	// The messages are where they are; how the server says good-bye is no
	// longer of interest.
	_, _ = c.command("QUIT", 2, "QUIT")
	return c.abandon()
}

// abandon closes the connection without a word: after half a message anything
// else might be taken for its end.
func (c *Client) abandon() error {
	c.release()
	return c.conn.Close()
}

// command sends a line and expects a reply of the class. stage names it in
// errors.
func (c *Client) command(stage string, class int, format string, args ...any) (Reply, error) {
	_ = c.conn.SetWriteDeadline(time.Now().Add(commandTimeout))
	fmt.Fprintf(c.out, format, args...)
	_, _ = c.out.WriteString("\r\n")
	if err := c.out.Flush(); err != nil { // reports the earlier errors too
		return Reply{}, fmt.Errorf("%s: %w", stage, err)
	}
	return c.expect(stage, class, commandTimeout)
}

// expect reads a reply and gives a *ReplyError when it is of another class.
func (c *Client) expect(stage string, class int, timeout time.Duration) (Reply, error) {
	_ = c.conn.SetReadDeadline(time.Now().Add(timeout))
	c.limit.N = maxReply
	code, text, err := c.in.ReadResponse(0)
	if err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return Reply{}, fmt.Errorf("%s: read the reply: %w", stage, err)
	}
	r := newReply(stage, code, text)
	if code/100 != class {
		return r, &ReplyError{r}
	}
	return r, nil
}
