package lmtp

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrAddress is an address that cannot stand in a command.
var ErrAddress = errors.New("no address for MAIL or RCPT")

// CheckAddress says whether an address can stand between angle brackets in a
// command line. It does not judge its form otherwise: what an address means is
// the server's to say. "" is the null sender.
func CheckAddress(address string) error {
	if strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r == 0x7f || r == '<' || r == '>' }) {
		return fmt.Errorf("%w: %q holds a blank, a control character or an angle bracket", ErrAddress, address)
	}
	return nil
}

// Send hands over one message. Bare LF line ends become CRLF, as does a
// missing one at the end; all else goes out byte for byte.
//
// The replies are parallel to the recipients. An error means that the
// transaction did not come to its end and the connection cannot be used any
// more; the replies then say for each recipient what is known.
func (c *Client) Send(from string, to []string, content []byte) ([]Reply, error) {
	replies := make([]Reply, len(to))
	t := &transaction{c: c, replies: replies}
	for i, address := range to {
		replies[i].Recipient = address
		t.open = append(t.open, i)
		if err := CheckAddress(address); err != nil {
			return nil, err
		}
	}
	if err := CheckAddress(from); err != nil {
		return nil, err
	}
	err := t.run(from, content)
	var refused *ReplyError
	switch {
	case err == nil:
		return replies, nil
	case errors.As(err, &refused) && refused.Reply.Code != 421:
		// The whole message was refused; the connection lives on.
		t.settle(refused.Reply)
		if _, err := c.command("RSET", 2, "RSET"); err != nil {
			return replies, err
		}
		return replies, nil
	case errors.As(err, &refused):
		t.settle(refused.Reply)
	default:
		t.settle(Reply{Stage: t.stage, Text: err.Error()})
	}
	return replies, err
}

// transaction is one message under way.
type transaction struct {
	c       *Client
	stage   string
	replies []Reply
	open    []int // recipients without a final reply, in the order of RCPT
}

// settle gives all that wait the same reply.
func (t *transaction) settle(r Reply) {
	for _, i := range t.open {
		r.Recipient = t.replies[i].Recipient
		t.replies[i] = r
	}
	t.open = nil
}

func (t *transaction) run(from string, content []byte) error {
	c := t.c
	size := crlfSize(content)
	parameters, err := c.mailParameters(from, t.replies, content, size)
	if err != nil {
		return err
	}
	t.stage = stageMail
	if _, err := c.command(stageMail, 2, "MAIL FROM:<%s>%s", from, parameters); err != nil {
		return err
	}
	t.stage = stageRcpt
	if err := t.recipients(); err != nil || len(t.open) == 0 {
		if err == nil {
			_, err = c.command("RSET", 2, "RSET")
		}
		return err
	}
	t.stage = stageData
	if _, err := c.command(stageData, 3, "DATA"); err != nil {
		return err
	}
	t.stage = stageContent
	if err := c.writeContent(content); err != nil {
		return fmt.Errorf("send the content: %w", err)
	}
	return t.finalReplies()
}

// recipients says RCPT for each, and keeps those that were accepted open.
func (t *transaction) recipients() error {
	waiting := t.open
	var accepted []int
	for n, i := range waiting {
		address := t.replies[i].Recipient
		r, err := t.c.command(stageRcpt, 2, "RCPT TO:<%s>", address)
		var refused *ReplyError
		switch {
		case err == nil:
			accepted = append(accepted, i)
		case errors.As(err, &refused) && r.Code != 421:
			r.Recipient = address
			t.replies[i] = r
		default:
			t.open = append(accepted, waiting[n:]...)
			return err
		}
	}
	t.open = accepted
	return nil
}

// finalReplies reads one reply for each accepted RCPT, in their order.
func (t *transaction) finalReplies() error {
	for len(t.open) > 0 {
		i := t.open[0]
		r, err := t.c.expect(stageContent, 2, finalTimeout)
		var refused *ReplyError
		if err != nil && !errors.As(err, &refused) {
			return err
		}
		r.Recipient = t.replies[i].Recipient
		t.replies[i] = r
		t.open = t.open[1:]
	}
	return nil
}

// mailParameters are those of MAIL that the server offers and the message needs.
func (c *Client) mailParameters(from string, to []Reply, content []byte, size int64) (string, error) {
	var p strings.Builder
	if _, ok := c.extensions["SIZE"]; ok {
		fmt.Fprintf(&p, " SIZE=%d", size)
	}
	if _, ok := c.extensions["8BITMIME"]; ok && !ascii(content) {
		p.WriteString(" BODY=8BITMIME")
	}
	utf8 := !ascii([]byte(from))
	for _, r := range to {
		utf8 = utf8 || !ascii([]byte(r.Recipient))
	}
	if utf8 {
		if _, ok := c.extensions["SMTPUTF8"]; !ok {
			return "", &ReplyError{newReply(stageMail, 550, "5.6.7 the server offers no SMTPUTF8, which the addresses need")}
		}
		p.WriteString(" SMTPUTF8")
	}
	return p.String(), nil
}

func ascii(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 {
			return false
		}
	}
	return true
}

// crlfSize is how many octets the content has with CRLF line ends, without
// the final dot and stuffed dots: what SIZE counts.
func crlfSize(content []byte) int64 {
	n := int64(len(content))
	n += int64(bytes.Count(content, []byte("\n")) - bytes.Count(content, []byte("\r\n")))
	if len(content) > 0 && content[len(content)-1] != '\n' {
		n += 2
	}
	return n
}

// writeContent sends the content with its dots stuffed (RFC 5321 section
// 4.5.2) and the final dot.
func (c *Client) writeContent(content []byte) error {
	for len(content) > 0 {
		line, rest, found := bytes.Cut(content, []byte("\n"))
		if found {
			line = bytes.TrimSuffix(line, []byte("\r"))
		}
		_ = c.conn.SetWriteDeadline(time.Now().Add(contentTimeout))
		if len(line) > 0 && line[0] == '.' {
			_ = c.out.WriteByte('.')
		}
		_, _ = c.out.Write(line)
		if _, err := c.out.WriteString("\r\n"); err != nil { // bufio keeps the first error
			return err
		}
		content = rest
	}
	_, _ = c.out.WriteString(".\r\n")
	return c.out.Flush()
}
