package ldapmap_test

import (
	"fmt"
	"net"
	"net/textproto"
	"testing"
	"time"
)

// smtpClient speaks SMTP without looking at what it says: addresses go as they
// are written.
type smtpClient struct {
	t    testing.TB
	conn net.Conn
	text *textproto.Conn
}

func dialSMTP(t testing.TB, addr string) *smtpClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(3 * time.Minute)); err != nil {
		t.Fatal(err)
	}
	c := &smtpClient{t: t, conn: conn, text: textproto.NewConn(conn)}
	if _, _, err := c.text.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	return c
}

// try sends a command and gives the reply.
func (c *smtpClient) try(format string, args ...any) (string, error) {
	if err := c.conn.SetDeadline(time.Now().Add(3 * time.Minute)); err != nil {
		return "", err
	}
	if err := c.text.PrintfLine(format, args...); err != nil {
		return "", err
	}
	code, message, err := c.text.ReadResponse(0)
	return fmt.Sprintf("%d %s", code, message), err
}

// say is try with a test that ends when there is no reply.
func (c *smtpClient) say(format string, args ...any) string {
	c.t.Helper()
	reply, err := c.try(format, args...)
	if err != nil {
		c.t.Fatal(err)
	}
	return reply
}

// must sends a command that has to be accepted.
func (c *smtpClient) must(format string, args ...any) {
	c.t.Helper()
	if reply := c.say(format, args...); reply[0] != '2' && reply[0] != '3' {
		c.t.Fatalf(format+": %s", append(args, reply)...)
	}
}
