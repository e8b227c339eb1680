package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
)

// serveReplies sends all replies to one client, which reads each when it needs
// it, and gives what the client said until it hung up.
func serveReplies(t *testing.T, replies ...string) (addr string, said <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	out := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, strings.Join(replies, "\r\n")+"\r\n")
		all, _ := io.ReadAll(conn)
		out <- string(all)
	}()
	return l.Addr().String(), out
}

var greeting = []string{"220 hi", "250-hello\r\n250-PIPELINING\r\n250 SIZE 1000", "250 sender", "250 elsewhere"}

func TestProber(t *testing.T) {
	addr, said := serveReplies(t, append(greeting[:4:4], "250 2.1.5 Ok", "550 5.1.1 unknown", "451 4.3.0 later")...)
	p, err := dialProber(addr)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []bool{true, false} {
		if found, took, err := p.ask("a@b"); found != want || took <= 0 || err != nil {
			t.Errorf("%v, %v, %v; want %v", found, took, err, want)
		}
	}
	if _, _, err := p.ask("a@b"); !errors.Is(err, errReply) || !strings.Contains(err.Error(), "451") {
		t.Errorf("a temporary failure is %v", err)
	}
	p.close()
	const rcpt = "RCPT TO:<a@b>\r\n"
	if got, want := <-said, "EHLO bench.example.org\r\nMAIL FROM:<bench@bench.example.org>\r\nRCPT TO:<someone@elsewhere.example>\r\n"+rcpt+rcpt+rcpt; got != want {
		t.Errorf("said %q, want %q", got, want)
	}
}

func TestProberBeginsAnotherTransaction(t *testing.T) {
	addr, said := serveReplies(t, append(greeting[:4:4], "250 reset", "250 sender", "250 yes")...)
	p, err := dialProber(addr)
	if err != nil {
		t.Fatal(err)
	}
	p.rcpts = transaction
	if found, _, err := p.ask("a@b"); !found || err != nil {
		t.Error(found, err)
	}
	p.close()
	if got := <-said; !strings.HasSuffix(got, "RSET\r\nMAIL FROM:<bench@bench.example.org>\r\nRCPT TO:<a@b>\r\n") {
		t.Errorf("said %q", got)
	}
}

func TestProberIsRefused(t *testing.T) {
	for _, replies := range [][]string{{"421 no"}, {"220 hi", "502 no"}, {"x"}} {
		addr, _ := serveReplies(t, replies...)
		if _, err := dialProber(addr); !errors.Is(err, errReply) {
			t.Errorf("%q: %v", replies, err)
		}
	}
}
