package lmtpd

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/emersion/go-smtp"
)

// Smarthost is the mail server that takes what goes elsewhere.
type Smarthost struct {
	Network  string // "tcp" or "unix"
	Address  string
	Hostname string      // our name in EHLO
	TLS      *tls.Config // nil: no STARTTLS
	// TLSRequired defers when STARTTLS is not offered or fails; else TLS is
	// used when offered.
	TLSRequired bool
	Timeout     time.Duration // of one command, and of the final dot
}

// Outgoing is a message on its way to the smarthost.
type Outgoing struct {
	Sender     string
	Recipients []string
	For        string // the address that forwards: goes into Delivered-To; "" for none
	Body       []byte // LF line ends
	UTF8       bool   // SMTPUTF8 was asked for
}

// errUnclear: the smarthost did not answer the final dot. It may have taken the
// message, or not.
var errUnclear = errors.New("no answer")

// Send gives a message to the smarthost and tells for each recipient whether
// it was accepted: nil, an error that wraps errForwardRefused for a 5xx, any
// other when it cannot tell or the smarthost deferred. When ctx ends, it names
// no more recipients and sends the message to those that were accepted.
func (h *Smarthost) Send(ctx context.Context, o Outgoing) []error {
	results := make([]error, len(o.Recipients))
	if err := h.send(ctx, o, results); err != nil {
		for i := range results {
			if results[i] == nil {
				results[i] = err
			}
		}
	}
	return results
}

func (h *Smarthost) send(ctx context.Context, o Outgoing, results []error) error {
	c, err := h.connect(ctx)
	if err != nil {
		return fmt.Errorf("smarthost: connect: %w", err)
	}
	defer c.Close()
	opts := &smtp.MailOptions{}
	if ok, _ := c.Extension("8BITMIME"); ok {
		opts.Body = smtp.Body8BitMIME
	}
	if ok, _ := c.Extension("SMTPUTF8"); ok {
		opts.UTF8 = o.UTF8 || !ascii(o.Sender) || !ascii(strings.Join(o.Recipients, ""))
	}
	if err := c.Mail(o.Sender, opts); err != nil {
		return judge("MAIL", err)
	}
	accepted := 0
	for i, rcpt := range o.Recipients {
		if ctx.Err() != nil {
			// One that verifies each address takes seconds for it. It knows by
			// then of these, the next time.
			results[i] = fmt.Errorf("smarthost: RCPT: %w", ctx.Err())
			continue
		}
		if results[i] = judge("RCPT", c.Rcpt(rcpt, nil)); results[i] == nil {
			accepted++
		}
	}
	if accepted == 0 {
		return nil
	}
	w, err := c.Data()
	if err != nil {
		return judge("DATA", err)
	}
	// On any error the connection is dropped without the final dot: the
	// smarthost must not take half a message for a whole one.
	if o.For != "" {
		if _, err := fmt.Fprintf(w, "Delivered-To: %s\r\n", o.For); err != nil {
			return fmt.Errorf("smarthost: content: %w", err)
		}
	}
	if err := writeCRLF(w, o.Body); err != nil {
		return fmt.Errorf("smarthost: content: %w", err)
	}
	if err := w.Close(); err != nil {
		var r *smtp.SMTPError
		if !errors.As(err, &r) {
			err = fmt.Errorf("%w: %w", errUnclear, err)
		}
		return judge("end of data", err)
	}
	_ = c.Quit() // it has the message; how it says good-bye does not matter
	return nil
}

func (h *Smarthost) connect(ctx context.Context) (*smtp.Client, error) {
	d := net.Dialer{Timeout: min(h.Timeout, 30*time.Second)}
	conn, err := d.DialContext(ctx, h.Network, h.Address)
	if err != nil {
		return nil, err
	}
	c := smtp.NewClient(conn)
	c.CommandTimeout, c.SubmissionTimeout = h.Timeout, h.Timeout
	if err := c.Hello(h.Hostname); err != nil {
		c.Close()
		return nil, err
	}
	offered, _ := c.Extension("STARTTLS")
	switch {
	case h.TLS != nil && offered:
		c.Close()
		if conn, err = d.DialContext(ctx, h.Network, h.Address); err != nil {
			return nil, err
		}
		if c, err = smtp.NewClientStartTLS(conn, h.TLS); err != nil {
			conn.Close()
			return nil, err
		}
		c.CommandTimeout, c.SubmissionTimeout = h.Timeout, h.Timeout
	case h.TLSRequired:
		c.Close()
		return nil, errors.New("STARTTLS is not offered")
	}
	return c, nil
}

// judge keeps the smarthost's refusals apart from all other trouble.
func judge(verb string, err error) error {
	var r *smtp.SMTPError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &r) && r.Code >= 500:
		return fmt.Errorf("smarthost: %s: %w: %d %s", verb, errForwardRefused, r.Code, r.Message)
	}
	return fmt.Errorf("smarthost: %s: %w", verb, err)
}

// writeCRLF writes a body of LF lines with CRLF.
func writeCRLF(w io.Writer, body []byte) error {
	for len(body) > 0 {
		i := bytes.IndexByte(body, '\n')
		if i < 0 {
			_, err := w.Write(body)
			return err
		}
		if _, err := w.Write(body[:i]); err != nil {
			return err
		}
		if _, err := io.WriteString(w, "\r\n"); err != nil {
			return err
		}
		body = body[i+1:]
	}
	return nil
}

func ascii(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
