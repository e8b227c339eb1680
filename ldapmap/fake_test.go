package ldapmap

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// fakeTable answers from data; a key in fail gives its error, one in hang waits
// for the end of the context. It records the keys that it was asked for.
type fakeTable struct {
	data map[string]string
	fail map[string]error
	hang map[string]bool

	mu    sync.Mutex
	asked []string
}

func (f *fakeTable) Lookup(ctx context.Context, key string) (string, bool, error) {
	f.mu.Lock()
	f.asked = append(f.asked, key)
	f.mu.Unlock()
	if f.hang[key] {
		<-ctx.Done()
		return "", false, fmt.Errorf("search: %w", ctx.Err())
	}
	if err := f.fail[key]; err != nil {
		return "", false, err
	}
	data, found := f.data[key]
	return data, found, nil
}

// logBuffer is a log that a test may read while others write it.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// testSettings make a server of fakes.
func testSettings(log *slog.Logger, tables map[string]Lookuper) *Settings {
	metrics := NewMetrics(prometheus.NewRegistry())
	s := &Settings{Maps: map[string]*Map{}, IdleTimeout: time.Minute, Drain: 10 * time.Second, Log: log, Metrics: metrics}
	for name, table := range tables {
		s.Maps[name] = NewMap(name, NewKeys(Exact, DefaultPostfix()), table, 200*time.Millisecond, metrics)
	}
	return s
}

func users() *fakeTable {
	return &fakeTable{
		data: map[string]string{"alice@example.org": "alice@mail.example.org", "a b@example.org": "quoted", "empty": "", "": "nobody asks for nothing",
			"limit": strings.Repeat("x", maxReply-3), "beyond": strings.Repeat("x", maxReply-2)},
		fail: map[string]error{"broken": errors.New("ldap://10.0.0.5:389: code 52")},
		hang: map[string]bool{"slow": true},
	}
}

// serve runs a server on a loopback port until the test's end.
func serve(t testing.TB, s *Settings) (*Server, string, context.CancelFunc, <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(s)
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- srv.Serve(ctx, l); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return srv, l.Addr().String(), cancel, done
}

func dial(t testing.TB, addr string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func netstring(payload string) string { return fmt.Sprintf("%d:%s,", len(payload), payload) }

// readReply reads one netstring.
func readReply(t testing.TB, r io.Reader) string {
	t.Helper()
	var n int
	var colon rune
	if _, err := fmt.Fscanf(r, "%d%c", &n, &colon); err != nil || colon != ':' {
		t.Fatalf("reply: %v, %q", err, colon)
	}
	buf := make([]byte, n+1)
	if _, err := io.ReadFull(r, buf); err != nil {
		t.Fatal(err)
	}
	if buf[n] != ',' {
		t.Fatalf("reply ends with %q", buf[n])
	}
	return string(buf[:n])
}

func ask(t testing.TB, c net.Conn, request string) string {
	t.Helper()
	if _, err := io.WriteString(c, netstring(request)); err != nil {
		t.Fatal(err)
	}
	return readReply(t, c)
}
