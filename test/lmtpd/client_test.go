package lmtpd_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// lmtpClient is an LMTP client that says one thing at a time.
type lmtpClient struct {
	conn net.Conn
	in   *bufio.Reader
}

// dialer connects to an LMTP server.
type dialer = func() (net.Conn, error)

// greet opens a session.
func greet(dial dialer) (*lmtpClient, error) {
	conn, err := dial()
	if err != nil {
		return nil, err
	}
	c := &lmtpClient{conn, bufio.NewReader(conn)}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	if r, err := c.reply(); err != nil || !strings.HasPrefix(r, "220") {
		return nil, errors.Join(fmt.Errorf("greeting %q", r), err, conn.Close())
	}
	if r, err := c.say("LHLO client.test"); err != nil || !strings.HasPrefix(r, "250") {
		return nil, errors.Join(fmt.Errorf("reply to LHLO %q", r), err, conn.Close())
	}
	return c, nil
}

// reply reads one reply and returns its last line.
func (c *lmtpClient) reply() (string, error) {
	for {
		line, err := c.in.ReadString('\n')
		if err != nil {
			return line, err
		}
		if len(line) < 4 || line[3] != '-' {
			return strings.TrimRight(line, "\r\n"), nil
		}
	}
}

func (c *lmtpClient) say(line string) (string, error) {
	if _, err := io.WriteString(c.conn, line+"\r\n"); err != nil {
		return "", err
	}
	return c.reply()
}

// hand gives a message (CRLF, no line begins with a dot) to lmtpd in a session
// of its own and returns the deciding reply for its only recipient.
func hand(dial dialer, rcpt, text string) (string, error) {
	c, err := greet(dial)
	if err != nil {
		return "", err
	}
	defer c.conn.Close()
	mail := "MAIL FROM:<nora@sender.test>"
	if strings.ContainsFunc(rcpt, func(r rune) bool { return r >= 0x80 }) {
		mail += " SMTPUTF8"
	}
	for _, command := range []string{mail, "RCPT TO:<" + rcpt + ">", "DATA"} {
		r, err := c.say(command)
		if err != nil {
			return "", fmt.Errorf("%s: %w", command, err)
		}
		if r[0] > '3' {
			return r, nil
		}
	}
	if _, err := io.WriteString(c.conn, text); err != nil {
		return "", fmt.Errorf("content: %w", err)
	}
	return c.say(".")
}
