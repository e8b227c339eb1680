package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
)

// relay is a smarthost that notes for whom it takes messages.
type relay struct {
	mu    sync.Mutex
	taken []string
}

func (r *relay) NewSession(*smtp.Conn) (smtp.Session, error) { return &relaySession{r: r}, nil }

type relaySession struct {
	r    *relay
	note []string
}

func (s *relaySession) Reset()        { s.note = nil }
func (s *relaySession) Logout() error { return nil }
func (s *relaySession) Mail(from string, _ *smtp.MailOptions) error {
	s.note = []string{from}
	return nil
}
func (s *relaySession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.note = append(s.note, to)
	return nil
}
func (s *relaySession) Data(r io.Reader) error {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return err
	}
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.taken = append(s.r.taken, strings.Join(s.note, " -> "))
	return nil
}

func (r *relay) all() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Sorted(slices.Values(r.taken))
}

// The daemon is killed when a copy is on disk and nothing else is done. When
// the message comes again the forward, the auto-reply and the notification
// leave, each once, however often it comes.
func TestKilledBeforeTheReply(t *testing.T) {
	dir := t.TempDir()
	storePath, config := filepath.Join(dir, "store.db"), filepath.Join(dir, "lmtpd.toml")
	makeStore(t, storePath)
	ctx := context.Background()
	dsn := dbmail.DSN{Driver: "sqlite", Path: storePath}
	db, err := dbmail.OpenDB(ctx, dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range []string{
		"INSERT INTO dbmail_aliases (alias, deliver_to) SELECT 'mixed@example.org', user_idnr FROM dbmail_users WHERE userid = 'alice'",
		"INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('mixed@example.org', 'ext@outside.test')",
		"INSERT INTO dbmail_auto_replies (user_idnr, start_date, stop_date, reply_body) SELECT user_idnr, '2000-01-01 00:00:00', '2100-01-01 00:00:00', 'away' FROM dbmail_users WHERE userid = 'alice'",
		"INSERT INTO dbmail_auto_notifications (user_idnr, notify_address) SELECT user_idnr, 'pager@outside.test' FROM dbmail_users WHERE userid = 'alice'",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	db.Close()

	// A smarthost that does not say a word yet.
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	text := fmt.Sprintf("hostname = \"mx.example.org\"\n[store]\ndsn = \"sqlite:%s\"\n[delivery]\nauto_replies = true\nauto_notifications = true\n[smarthost]\naddress = \"inet:%s\"\n", storePath, l.Addr())
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	start := func() (*testbed.Program, string) {
		d := testbed.Run(t, program(t), "--config", config, "--listen", "inet:127.0.0.1:0")
		addr := d.WaitLog(`msg=listening address=inet:(\S+)`)
		d.WaitLog(`msg="store is open"`)
		return d, addr
	}
	// deliver gives the reply to the message and hangs up without having
	// proven that it was read.
	deliver := func(addr string) string {
		t.Helper()
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(30 * time.Second))
		r := bufio.NewReader(c)
		line := func() string {
			for {
				l, err := r.ReadString('\n')
				if err != nil || len(l) < 4 || l[3] != '-' {
					return l
				}
			}
		}
		line()
		for _, command := range []string{"LHLO x", "MAIL FROM:<sender@remote.test>", "RCPT TO:<mixed@example.org>", "DATA"} {
			fmt.Fprint(c, command+"\r\n")
			if l := line(); !strings.HasPrefix(l, "2") && !strings.HasPrefix(l, "354") {
				t.Fatalf("%s: %q", command, l)
			}
		}
		fmt.Fprint(c, "From: n@s.test\r\nTo: mixed@example.org\r\nMessage-ID: <1@x>\r\n\r\nhello\r\n.\r\n")
		return line()
	}

	d, addr := start()
	answered := make(chan string, 1)
	go func() { answered <- deliver(addr) }()
	waiting, err := l.Accept() // the copy is on disk, the forward is next
	if err != nil {
		t.Fatal(err)
	}
	d.Signal(syscall.SIGKILL)
	d.ExitCode()
	waiting.Close()
	if reply := <-answered; strings.HasPrefix(reply, "2") {
		t.Fatalf("answered %q before it was killed", reply)
	}

	r := &relay{}
	srv := smtp.NewServer(r)
	srv.Domain = "relay.example.org"
	go func() { _ = srv.Serve(l) }()
	defer srv.Close()
	d, addr = start()
	for range 3 {
		if reply := deliver(addr); !strings.HasPrefix(reply, "250") {
			t.Fatalf("reply %q", reply)
		}
	}
	d.Signal(syscall.SIGTERM) // it finishes what it has begun
	if code := d.ExitCode(); code != 0 {
		t.Errorf("exit %d", code)
	}
	want := []string{" -> pager@outside.test", " -> sender@remote.test", "sender@remote.test -> ext@outside.test"}
	if got := r.all(); !slices.Equal(got, want) {
		t.Errorf("sent %q, want %q", got, want)
	}
	s, err := dbmail.Open(ctx, dsn, dbmail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if mails, err := s.List(ctx, "alice", ""); err != nil || len(mails) != 1 {
		t.Errorf("%d copies, %v", len(mails), err)
	}
}

func TestCheckOfDelivery(t *testing.T) {
	dir := t.TempDir()
	storePath, config := filepath.Join(dir, "store.db"), filepath.Join(dir, "lmtpd.toml")
	makeStore(t, storePath)
	text := "[store]\ndsn = \"sqlite:" + storePath + "\"\n[delivery]\nauto_replies = true\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(program(t), "--config", config, "--check").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "need [smarthost] address") {
		t.Errorf("%v: %s", err, out)
	}
}
