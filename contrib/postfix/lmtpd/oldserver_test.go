package lmtpd_test

import (
	"bufio"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// oldServer stands in for dbmail-lmtpd: it says what that says, in its words, to
// whom Postfix says what to it.
type oldServer struct {
	addr  string // host:port
	users []string

	mu       sync.Mutex
	messages map[string]int // by user
}

func newOldServer(t *testing.T, users ...string) *oldServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	d := &oldServer{addr: l.Addr().String(), users: users, messages: map[string]int{}}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go d.serve(conn)
		}
	}()
	return d
}

// got counts a user's messages.
func (d *oldServer) got(user string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.messages[user]
}

func (d *oldServer) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	say := func(format string, args ...any) { fmt.Fprintf(conn, format+"\r\n", args...) }
	var rcpts []string
	say("220 old.example.com LMTP")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		address, _, _ := strings.Cut(line[strings.IndexByte(line, '<')+1:], ">")
		user, _, _ := strings.Cut(address, "@")
		switch strings.ToUpper(line[:min(4, len(line))]) {
		case "LHLO":
			say("250-old.example.com\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE")
		case "MAIL":
			say("250 Sender <%s> OK", address)
		case "RCPT":
			if !slices.Contains(d.users, user) {
				say("550 Recipient <%s> FAIL", address)
				continue
			}
			rcpts = append(rcpts, address)
			say("250 Recipient <%s> OK", address)
		case "DATA":
			say("354 Start mail input; end with <CRLF>.<CRLF>")
			for line != ".\r\n" {
				if line, err = in.ReadString('\n'); err != nil {
					return
				}
			}
			for _, r := range rcpts {
				user, _, _ := strings.Cut(r, "@")
				d.mu.Lock()
				d.messages[user]++
				d.mu.Unlock()
				say("215 Recipient <%s> OK", r)
			}
			rcpts = nil
		case "RSET":
			rcpts = nil
			say("250 OK")
		case "QUIT":
			say("221 old.example.com BYE")
			return
		default:
			say("500 Invalid command.")
		}
	}
}
