package ldapmap

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

func TestReplies(t *testing.T) {
	var log logBuffer
	_, addr, _, _ := serve(t, testSettings(slog.New(slog.NewTextHandler(&log, nil)), map[string]Lookuper{"users": users()}))
	c := dial(t, addr)
	for _, x := range []struct{ request, reply string }{
		{"users alice@example.org", "OK alice@mail.example.org"},
		{"users a b@example.org", "OK quoted"},
		{"users nobody@example.org", "NOTFOUND "},
		{"users empty", "NOTFOUND "},
		{"users broken", "TEMP the directory cannot tell"},
		{"users slow", "TEMP the look-up took too long"},
		{"users with\x00nul", "TEMP impossible key"},
		{"users limit", "OK " + strings.Repeat("x", maxReply-3)},
		{"users beyond", "TEMP the answer is too long"},
		{"users " + strings.Repeat("k", 10000), "NOTFOUND "},
		{"users " + strings.Repeat("k", maxKey), "NOTFOUND "},
		{"others alice@example.org", "PERM no such table"},
		{"users", "PERM no table in the request"},
		{"", "PERM no table in the request"},
		{" ", "PERM no such table"},
		{"users alice@example.org", "OK alice@mail.example.org"},
	} {
		if got := ask(t, c, x.request); got != x.reply {
			t.Errorf("%.40q: %.60q, want %.60q", x.request, got, x.reply)
		}
	}
	lines := log.String()
	for _, want := range []string{"key=broken action=TEMP", "code 52", "table=others", "longer than Postfix takes", "deadline"} {
		if !strings.Contains(lines, want) {
			t.Errorf("log has no %q", want)
		}
	}
	if n := strings.Count(lines, "\n"); strings.Contains(lines, "action=OK") || n > 12 {
		t.Errorf("%d lines:\n%s", n, lines)
	}
}

func TestFraming(t *testing.T) {
	_, addr, _, _ := serve(t, testSettings(discard(), map[string]Lookuper{"users": users()}))
	request := netstring("users alice@example.org")

	t.Run("pipelined", func(t *testing.T) {
		c := dial(t, addr)
		if _, err := io.WriteString(c, request+netstring("users x")+netstring("users slow")+request); err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"OK alice@mail.example.org", "NOTFOUND ", "TEMP the look-up took too long", "OK alice@mail.example.org"} {
			if got := readReply(t, c); got != want {
				t.Errorf("%q, want %q", got, want)
			}
		}
	})
	t.Run("byte by byte", func(t *testing.T) {
		c := dial(t, addr)
		for range 3 {
			for _, b := range []byte(request) {
				if _, err := c.Write([]byte{b}); err != nil {
					t.Fatal(err)
				}
			}
			if got := readReply(t, c); got != "OK alice@mail.example.org" {
				t.Errorf("%q", got)
			}
		}
	})
	t.Run("many more than a buffer", func(t *testing.T) {
		c := dial(t, addr)
		go io.WriteString(c, strings.Repeat(request, 5000))
		for range 5000 {
			if got := readReply(t, c); got != "OK alice@mail.example.org" {
				t.Fatalf("%q", got)
			}
		}
	})
	for name, in := range map[string]string{
		"no netstring":     "hello\n",
		"no comma":         "5:users;",
		"too long":         "65793:",
		"after a good one": request + "x",
	} {
		t.Run(name, func(t *testing.T) {
			c := dial(t, addr)
			if _, err := io.WriteString(c, in); err != nil {
				t.Fatal(err)
			}
			all, _ := io.ReadAll(c) // unread input may make a reset of the close
			if want := strings.HasPrefix(in, request); (string(all) == "25:OK alice@mail.example.org,") != want {
				t.Errorf("%q", all)
			}
		})
	}
}

func TestSessionEnds(t *testing.T) {
	settings := testSettings(discard(), map[string]Lookuper{"users": users()})
	run := func(c net.Conn) error {
		s := &session{srv: NewServer(settings), conn: c}
		return s.run(t.Context())
	}
	if err := run(&scriptConn{portion: 1}); err != nil {
		t.Errorf("a peer that leaves: %v", err)
	}
	if err := run(&scriptConn{portion: 100, in: []byte("12:users al")}); err != errNoRequest {
		t.Errorf("a peer that leaves inside a request: %v", err)
	}
	settings.IdleTimeout = time.Millisecond
	here, there := net.Pipe()
	defer there.Close()
	if err := run(here); err != nil {
		t.Errorf("an idle peer: %v", err)
	}
}

// Deadlines are set seldom, and never run out on a peer that works.
func TestDeadlines(t *testing.T) {
	c := &clockConn{}
	settings := testSettings(discard(), nil)
	s := &session{srv: NewServer(settings), conn: c}
	for range 1000 {
		s.fresh = true
		if err := s.readDeadline(false); err != nil {
			t.Fatal(err)
		}
		s.out = append(s.out, 'x')
		if err := s.flush(); err != nil {
			t.Fatal(err)
		}
	}
	if c.reads > 3 || c.writes > 3 {
		t.Errorf("%d read and %d write deadlines for 1000 requests", c.reads, c.writes)
	}
	if left := time.Until(s.readBy); left < settings.IdleTimeout/2 {
		t.Errorf("an idle peer is cut off after %v", left)
	}
	if err := s.readDeadline(true); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(s.readBy); left > requestTime {
		t.Errorf("a request may take %v", left)
	}
	// It trickles: the deadline stays.
	s.readBy = time.Now().Add(time.Second)
	if err := s.readDeadline(true); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(s.readBy); left > time.Second {
		t.Errorf("a request that trickles may take %v more", left)
	}
	// The next one has its own.
	s.fresh = true
	if err := s.readDeadline(true); err != nil {
		t.Fatal(err)
	}
	if left := time.Until(s.readBy); left < requestTime/2 {
		t.Errorf("the next request may take %v", left)
	}
}

// clockConn counts the deadlines that are set.
type clockConn struct {
	net.Conn
	reads, writes int
}

func (c *clockConn) SetReadDeadline(time.Time) error  { c.reads++; return nil }
func (c *clockConn) SetWriteDeadline(time.Time) error { c.writes++; return nil }
func (c *clockConn) Write(p []byte) (int, error)      { return len(p), nil }

// FuzzSession sends arbitrary bytes, in arbitrary portions. Every reply must
// be one that the protocol knows, one for each request that is whole.
func FuzzSession(f *testing.F) {
	f.Add([]byte("23:users alice@example.org,"), uint8(3))
	f.Add([]byte("23:users alice@example.org,7:users x,0:,1: ,"), uint8(0))
	f.Add([]byte("12:users broken,10:users slow,5:users"), uint8(1))
	f.Add([]byte("8:users \x00x,"), uint8(200))
	settings := testSettings(discard(), map[string]Lookuper{"users": &fakeTable{data: users().data, fail: users().fail}})
	srv := NewServer(settings)
	f.Fuzz(func(t *testing.T, in []byte, portion uint8) {
		c := &scriptConn{in: in, portion: 1 + int(portion)}
		s := &session{srv: srv, conn: c}
		err := s.run(context.Background())
		want, whole := 0, true
		for rest := in; len(rest) > 0; want++ {
			_, used, _, err := parseNetstring(rest)
			if whole = err == nil && used > 0; !whole {
				break
			}
			rest = rest[used:]
		}
		if (err == nil) != whole {
			t.Fatalf("ends with %v", err)
		}
		all := c.out.Bytes()
		for got := 0; ; got++ {
			if len(all) == 0 {
				if got != want {
					t.Fatalf("%d replies to %d requests", got, want)
				}
				return
			}
			payload, used, _, err := parseNetstring(all)
			status, _, ok := strings.Cut(string(payload), " ")
			if err != nil || used == 0 || !ok || !strings.Contains(" OK NOTFOUND TEMP PERM ", " "+status+" ") {
				t.Fatalf("reply %q: %v", all, err)
			}
			all = all[used:]
		}
	})
}

// scriptConn is a peer that sends in portions, reads all, and leaves.
type scriptConn struct {
	clockConn
	in      []byte
	portion int
	out     bytes.Buffer
}

func (c *scriptConn) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.in[:min(c.portion, len(c.in))])
	c.in = c.in[n:]
	return n, nil
}

func (c *scriptConn) Write(p []byte) (int, error) { return c.out.Write(p) }
