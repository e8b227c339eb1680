package lmtpd

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
	"gatepost/lmtpd/recipient"
	"gatepost/schema"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// bench is a server on loopback with a store and some users.
type bench struct {
	t     *testing.T
	store *dbmail.Store
	srv   *Server
	addr  string
	log   *syncBuffer
	set   *Settings
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// newStore makes a fresh SQLite store with the users of the recorded vectors.
func newStore(t *testing.T) *dbmail.Store {
	t.Helper()
	return storeAt(t, "sqlite:"+filepath.Join(t.TempDir(), "store.db"), schema.SQLite)
}

func storeAt(t *testing.T, text string, d schema.Dialect) *dbmail.Store {
	t.Helper()
	ctx := context.Background()
	dsn, err := dbmail.ParseDSN(text)
	if err != nil {
		t.Fatal(err)
	}
	db, err := dbmail.OpenDB(ctx, dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := schema.Apply(ctx, db, d, schema.Options{Own: true}); err != nil {
		t.Fatal(err)
	}
	users, err := os.ReadFile(filepath.Join("..", "internal", "dbmail", "testdata", "users.sql"))
	if err != nil {
		t.Fatal(err)
	}
	for stmt := range strings.SplitSeq(string(users), ";\n") {
		if strings.TrimSpace(stmt) == "" {
			continue
		}
		if _, err := db.Exec(stmt); err != nil {
			t.Fatalf("%s: %v", stmt, err)
		}
	}
	s, err := dbmail.Open(ctx, dsn, dbmail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func newBench(t *testing.T, change func(*Settings)) *bench {
	t.Helper()
	return benchOn(t, newStore(t), change)
}

func benchOn(t *testing.T, store *dbmail.Store, change func(*Settings)) *bench {
	t.Helper()
	b := &bench{t: t, store: store, log: &syncBuffer{}}
	b.set = &Settings{
		Hostname: "mx.example.org", Store: store, Recipients: recipient.SQL{Store: store},
		MaxMessageSize: 8 << 20, MaxRecipients: 100, MaxMemory: 64 << 20, IdleTimeout: 20 * time.Second,
		Log:     slog.New(slog.NewTextHandler(b.log, nil)),
		Metrics: NewMetrics(prometheus.NewRegistry()),
	}
	if change != nil {
		change(b.set)
	}
	b.srv = NewServer(b.set)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b.addr = l.Addr().String()
	done := make(chan error, 1)
	go func() { done <- b.srv.Serve(daemon.Guard(l, daemon.GuardOptions{})) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = b.srv.Shutdown(ctx)
		if err := <-done; err != ErrServerClosed {
			t.Errorf("Serve: %v", err)
		}
		if t.Failed() {
			t.Log(b.log.String())
		}
	})
	return b
}

// client is a scripted LMTP client that knows nothing of the protocol.
type client struct {
	t *testing.T
	c net.Conn
	r *bufio.Reader
}

func (b *bench) dial() *client {
	b.t.Helper()
	c, err := net.Dial("tcp", b.addr)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	cl := &client{b.t, c, bufio.NewReader(c)}
	cl.expect("220")
	return cl
}

// reply reads one reply, all of its lines.
func (c *client) reply() string {
	c.t.Helper()
	var all []string
	for {
		line, err := c.r.ReadString('\n')
		if err != nil {
			if err == io.EOF && line == "" {
				return "EOF"
			}
			return strings.Join(append(all, line), "\n") + " " + err.Error()
		}
		line = strings.TrimRight(line, "\r\n")
		all = append(all, line)
		if len(line) < 4 || line[3] != '-' {
			return strings.Join(all, "\n")
		}
	}
}

func (c *client) expect(prefix string) string {
	c.t.Helper()
	r := c.reply()
	if !strings.HasPrefix(r, prefix) {
		c.t.Fatalf("reply %q, want %q", r, prefix)
	}
	return r
}

func (c *client) raw(s string) {
	c.t.Helper()
	if _, err := io.WriteString(c.c, s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *client) send(line, want string) string {
	c.t.Helper()
	c.raw(line + "\r\n")
	return c.expect(want)
}

// begin opens a transaction for recipients, all of which must be accepted.
func (c *client) begin(from string, to ...string) {
	c.t.Helper()
	c.send("MAIL FROM:<"+from+">", "250")
	for _, r := range to {
		c.send("RCPT TO:<"+r+">", "250")
	}
}

// message sends a message (LF lines) and gives the replies.
func (c *client) message(text string, replies int) []string {
	c.t.Helper()
	c.send("DATA", "354")
	c.raw(wire(text) + ".\r\n")
	var out []string
	for range replies {
		out = append(out, c.reply())
	}
	return out
}

// wire gives CRLF lines with dots stuffed.
func wire(text string) string {
	text = strings.ReplaceAll(text, "\n", "\r\n")
	if strings.HasPrefix(text, ".") {
		text = "." + text
	}
	return strings.ReplaceAll(text, "\r\n.", "\r\n..")
}

func sample(n int) string {
	return fmt.Sprintf("Received: from gw (gw [192.0.2.1])\n\tby mx (Postfix) with ESMTP id 4Q%d;\n\tTue, 3 Nov 2026 09:30:14 +0100\nFrom: Nora <nora@sender.test>\nTo: alice@example.org\nSubject: number %d\nDate: Tue, 03 Nov 2026 09:30:15 +0100\nMessage-ID: <%d@sender.test>\n\nbody %d\n", n, n, n, n)
}

// list gives the texts of a user's messages.
func (b *bench) list(user, mailbox string) []string {
	b.t.Helper()
	ctx := context.Background()
	rows, err := b.store.List(ctx, user, mailbox)
	if err != nil {
		b.t.Fatal(err)
	}
	var out []string
	for _, r := range rows {
		var buf bytes.Buffer
		if err := b.store.WriteMessage(ctx, &buf, r.MessageIDnr); err != nil {
			b.t.Fatal(err)
		}
		out = append(out, buf.String())
	}
	return out
}

func (b *bench) verifyClean() {
	b.t.Helper()
	if err := b.store.Verify(context.Background(), "", func(p dbmail.Problem) { b.t.Errorf("verify: %s: %s", p.Kind, p.What) }); err != nil {
		b.t.Error(err)
	}
}
