package testbed_test

import (
	"bufio"
	"fmt"
	"net"
	"net/smtp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// lmtpScript is an LMTP server whose answer after the data is set by the test.
type lmtpScript struct {
	addr     string
	answer   atomic.Value // string
	messages chan string
}

func serveLMTP(t *testing.T) *lmtpScript {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	s := &lmtpScript{addr: l.Addr().String(), messages: make(chan string, 10)}
	s.answer.Store("250 2.0.0 kept")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go s.serve(conn)
		}
	}()
	return s
}

func (s *lmtpScript) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	fmt.Fprint(conn, "220 script LMTP\r\n")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		switch verb := strings.ToUpper(line[:min(4, len(line))]); verb {
		case "LHLO":
			fmt.Fprint(conn, "250 script\r\n")
		case "DATA":
			fmt.Fprint(conn, "354 go on\r\n")
			var message strings.Builder
			for {
				line, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if line == ".\r\n" {
					break
				}
				message.WriteString(line)
			}
			fmt.Fprintf(conn, "%s\r\n", s.answer.Load())
			s.messages <- message.String()
		case "QUIT":
			fmt.Fprint(conn, "221 bye\r\n")
			return
		default:
			fmt.Fprint(conn, "250 2.0.0 ok\r\n")
		}
	}
}

func (s *lmtpScript) next(t *testing.T) string {
	t.Helper()
	select {
	case m := <-s.messages:
		return m
	case <-time.After(time.Minute):
		t.Fatal("no message reached the LMTP server")
		return ""
	}
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(time.Minute)
	for !condition() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("never: %s", what)
		}
	}
}

func TestPostfixDelivers(t *testing.T) {
	lmtp := serveLMTP(t)
	postfix := testbed.Postfix(t, testbed.PostfixOptions{Main: map[string]string{
		"virtual_mailbox_domains": "example.com",
		"virtual_transport":       "lmtp:inet:" + lmtp.addr,
	}})
	send := func(body string) {
		t.Helper()
		message := "From: a@example.org\r\nTo: b@example.com\r\nSubject: one\r\n\r\n" + body + "\r\n"
		err := smtp.SendMail(postfix.SMTPAddr(), nil, "a@example.org", []string{"b@example.com"}, []byte(message))
		if err != nil {
			t.Fatalf("submit: %v\n%s", err, postfix.Log())
		}
	}

	send("first body")
	if got := lmtp.next(t); !strings.HasSuffix(got, "\r\n\r\nfirst body\r\n") || !strings.Contains(got, "by postfix.test") {
		t.Errorf("message arrived as %q", got)
	}
	eventually(t, "a log line of success", func() bool {
		return strings.Contains(postfix.Log(), "to=<b@example.com>") && strings.Contains(postfix.Log(), "status=sent (250 2.0.0 kept)")
	})

	lmtp.answer.Store("451 4.3.0 not now")
	send("second body")
	lmtp.next(t)
	eventually(t, "a deferred message", func() bool {
		queue, err := postfix.Queue()
		if err != nil {
			t.Fatal(err)
		}
		return len(queue) == 1 && queue[0].Queue == "deferred" && queue[0].Sender == "a@example.org" &&
			strings.Contains(queue[0].Recipients[0].Reason, "451 4.3.0 not now")
	})

	lmtp.answer.Store("250 2.0.0 kept")
	if err := postfix.Flush(); err != nil {
		t.Fatal(err)
	}
	if got := lmtp.next(t); !strings.HasSuffix(got, "second body\r\n") {
		t.Errorf("message arrived as %q", got)
	}
	eventually(t, "an empty queue", func() bool {
		queue, err := postfix.Queue()
		return err == nil && len(queue) == 0
	})

	postfix.Stop()
	if _, err := net.Dial("tcp", postfix.SMTPAddr()); err == nil {
		t.Error("a stopped Postfix answers")
	}
}
