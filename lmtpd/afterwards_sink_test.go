package lmtpd

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
)

// hungUp is a smarthost that takes a message to its final dot and is gone.
type hungUp struct {
	addr  string
	taken atomic.Int64
}

func hangUpAtTheEnd(t *testing.T) *hungUp {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	h := &hungUp{addr: l.Addr().String()}
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go h.serve(c)
		}
	}()
	return h
}

func (h *hungUp) serve(c net.Conn) {
	defer c.Close()
	fmt.Fprint(c, "220 x\r\n")
	data := false
	for s := bufio.NewScanner(c); s.Scan(); {
		switch line := s.Text(); {
		case data && line == ".":
			h.taken.Add(1)
			return
		case data:
		case strings.HasPrefix(line, "DATA"):
			data = true
			fmt.Fprint(c, "354 go\r\n")
		default:
			fmt.Fprint(c, "250 ok\r\n")
		}
	}
}
