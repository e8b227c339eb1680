package lmtpd

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

// pieces is a connection on which the client's octets arrive in pieces.
type pieces struct {
	net.Conn
	left []byte
	size int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.left) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.left[:min(p.size, len(p.left))])
	p.left = p.left[n:]
	return n, nil
}

func (p *pieces) SetReadDeadline(time.Time) error { return nil }

// FuzzDotReader holds the content reader against what RFC 5321 4.5.2 says,
// said in three lines, whatever the pieces in which the octets come and go.
func FuzzDotReader(f *testing.F) {
	for _, s := range []string{
		".\r\n", "a\r\n.\r\n", "..a\r\n...\r\n.\r\nQUIT\r\n", "a\n.\n.\r\nb\r\n.\r\n", ".\rx\r\n.\r\n", "\r\r\n.\r\n",
		"a\r\n.\r.\r\n.\r\nNOOP\r\n", "\r\n\r\n..\r\n.\r\n", "never ends\r\n.", "a\r\n.\n.\r\n", ".\n.\r\n\r\n.\r\n",
	} {
		f.Add([]byte(s), uint8(3), uint8(2))
		f.Add([]byte(s), uint8(255), uint8(255))
	}
	f.Fuzz(func(t *testing.T, in []byte, piece, space uint8) {
		nc := &pieces{left: bytes.Clone(in), size: int(piece)%40 + 1}
		c := newConn(nc, 0)
		c.aligned = true
		r, ok := c.startContent(nil, false).(*dotReader)
		if !ok {
			t.Fatal("not our own reader")
		}
		var got []byte
		p := make([]byte, int(space)%40+1)
		var err error
		for err == nil {
			var n int
			n, err = r.Read(p)
			got = append(got, p[:n]...)
		}
		want, rest, complete := strings.Cut("\r\n"+string(in), "\r\n.\r\n")
		if !complete {
			if err == io.EOF {
				t.Fatalf("%q ended without its end: %q", in, got)
			}
			return
		}
		want = strings.ReplaceAll(want+"\r\n", "\r\n.", "\r\n")[2:]
		if err != io.EOF || string(got) != want {
			t.Fatalf("%q: %q, %v, want %q", in, got, err, want)
		}
		if left := string(c.buf) + string(nc.left); left != rest {
			t.Fatalf("%q: what follows is %q, want %q", in, left, rest)
		}
		if string(c.rest) != ".\r\n" {
			t.Fatalf("go-smtp is given %q", c.rest)
		}
	})
}

// Whatever is sent in one piece, commands with content behind them and
// messages of both kinds in turn, each gets its own and in order.
func TestAllInOnePiece(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial()
	var all strings.Builder
	all.WriteString("LHLO x\r\n")
	var want []string
	for i, kind := range []string{"DATA", "BDAT", "DATA", "DATA", "BDAT", "BDAT", "DATA"} {
		text := strings.Replace(sample(i), "body", "..body", 1) + strings.Repeat("line\r\r\n.x\n", 600)
		fmt.Fprintf(&all, "MAIL FROM:<s%d@b.test>\r\nRCPT TO:<alice@example.org>\r\n", i)
		crlf := strings.ReplaceAll(text, "\n", "\r\n")
		if kind == "DATA" {
			all.WriteString("DATA\r\n" + wire(text) + ".\r\n")
		} else {
			fmt.Fprintf(&all, "BDAT %d LAST\r\n%s", len(crlf), crlf)
		}
		want = append(want, fmt.Sprintf("Return-Path: <s%d@b.test>\r\n", i)+crlf)
	}
	all.WriteString("QUIT\r\n")
	go func() { _, _ = io.WriteString(c.c, all.String()) }()
	replies, err := io.ReadAll(c.r)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(replies), "\r\n250 2.0.0 <alice@example.org>"); n != len(want) {
		t.Errorf("%d messages were taken, want %d: %s", n, len(want), replies)
	}
	if !strings.Contains(string(replies), "\r\n221 ") {
		t.Errorf("QUIT was not answered: %s", replies)
	}
	got := b.list("alice", "")
	if len(got) != len(want) {
		t.Fatalf("alice has %d messages, want %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("message %d differs: %d octets, want %d", i, len(got[i]), len(want[i]))
		}
	}
	b.verifyClean()
}

// A message that is not wanted any more is read to its end, wherever in a
// line that was noticed, and its lines are never commands.
func TestContentOfRefusedMessageIsNoCommand(t *testing.T) {
	b := newBench(t, func(s *Settings) { s.MaxMessageSize = 100 })
	c := b.dial()
	c.send("LHLO x", "250")
	for size := 90; size < 110; size++ {
		c.begin("a@b.test", "alice@example.org")
		c.send("DATA", "354")
		head := "Subject: x\r\n\r\n"
		c.raw(head + strings.Repeat("x", size-len(head)-2) + ".\r\n")
		c.raw(".\r\n")
		prefix := "250 2.0.0"
		if size+1 > 100 {
			prefix = "552 5.3.4"
		}
		c.expect(prefix)
		c.send("NOOP", "250")
	}
}

// writes counts what is written to a connection.
type writes struct {
	pieces
	n int
}

func (w *writes) Write(p []byte) (int, error)      { w.n++; return len(p), nil }
func (w *writes) SetWriteDeadline(time.Time) error { return nil }

// Replies wait until all commands that are here are answered.
func TestRepliesAreSentTogether(t *testing.T) {
	w := &writes{pieces: pieces{left: []byte("A\r\nB\r\nC\r\n"), size: 100}}
	c := newConn(w, 0)
	line := make([]byte, 100)
	for _, want := range []string{"A\r\n", "B\r\n", "C\r\n"} {
		n, err := c.Read(line)
		if err != nil || string(line[:n]) != want {
			t.Fatalf("%q, %v, want %q", line[:n], err, want)
		}
		if _, err := c.Write([]byte("250 OK\r\n")); err != nil {
			t.Fatal(err)
		}
		if w.n != 0 {
			t.Fatalf("a reply was sent while %q waits", w.left)
		}
	}
	_, _ = c.Read(line)
	if w.n != 1 {
		t.Errorf("%d writes, want 1", w.n)
	}
}
