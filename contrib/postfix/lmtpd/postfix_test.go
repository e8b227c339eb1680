// Package lmtpd_test runs a real Postfix with the lines that stand beside it.
package lmtpd_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
	"gatepost/lmtpd"
	"gatepost/schema"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// site is an lmtpd over a store with a few users.
type site struct {
	store *dbmail.Store
	dsn   string
	addr  string // host:port
}

// newStore makes an empty store.
func newStore(t *testing.T) *site {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "store.db")
	parsed, err := dbmail.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := dbmail.OpenDB(t.Context(), parsed, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := schema.Apply(t.Context(), db, schema.SQLite, schema.Options{Own: true}); err != nil {
		t.Fatal(err)
	}
	config := lmtpd.DefaultConfig()
	config.Store.DSN = dsn
	s := &site{dsn: dsn}
	if s.store, err = config.OpenStore(t.Context(), slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.store.Close() })
	return s
}

// newSite starts lmtpd; forwards go to smarthost.
func newSite(t *testing.T, smarthost string) *site {
	t.Helper()
	s := newStore(t)
	s.addUsers(t)
	config := lmtpd.DefaultConfig()
	config.Hostname, config.Store.DSN = "lmtpd.example.com", s.dsn
	config.Smarthost.Address, config.Smarthost.TLS = "inet:"+smarthost, "off"
	settings, err := config.Settings(s.store, nil, nil, slog.New(slog.DiscardHandler), lmtpd.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	server := lmtpd.NewServer(settings)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() {
		_ = server.Shutdown(t.Context()) // which has ended: nobody is waited for
		<-done
	})
	return s
}

func (s *site) addUsers(t *testing.T) {
	t.Helper()
	for name, alias := range map[string]string{"alice": "alice@example.com", "bob": "bob@"} {
		if _, err := s.store.AddUser(t.Context(), name, 0, []string{alias}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.store.AddAlias(t.Context(), "away@example.com", "someone@example.org"); err != nil {
		t.Fatal(err)
	}
}

// messages counts those in a user's INBOX; a user who had none yet has no row.
func (s *site) messages(t *testing.T, user string) int {
	t.Helper()
	list, err := s.store.List(t.Context(), user, "INBOX")
	if err != nil && !errors.Is(err, dbmail.ErrNotFound) {
		t.Fatal(err)
	}
	return len(list)
}

// mainCF reads the settings of a main.cf of ours, as postconf(5) has its syntax.
func mainCF(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	var name string
	for line := range strings.Lines(string(text)) {
		key, value, ok := strings.Cut(line, "=")
		switch {
		case strings.TrimSpace(line) == "" || line[0] == '#':
		case line[0] == ' ':
			settings[name] += " " + strings.TrimSpace(line)
		case ok:
			name = strings.TrimSpace(key)
			settings[name] = strings.TrimSpace(value)
		default:
			t.Fatalf("%s: %q", path, line)
		}
	}
	return settings
}

// masterCF reads the services of a master.cf of ours, with another address for
// that of the forwards.
func masterCF(t *testing.T, path, forwards string) []string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	found := false
	for line := range strings.Lines(string(text)) {
		line = strings.TrimRight(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		if line[0] != ' ' {
			service := strings.Fields(line)
			if service[0] == "127.0.0.1:10025" {
				service[0], found = forwards, true
			}
			service[4] = "n" // the testbed has no chroot
			line = strings.Join(service, " ")
		}
		lines = append(lines, line)
	}
	if !found {
		t.Fatalf("%s: no service 127.0.0.1:10025", path)
	}
	return lines
}

// freeAddress is a loopback address that nobody uses now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// start runs Postfix with our lines; our client comes from the Internet, so to
// speak.
func start(t *testing.T, s *site, forwards string, more map[string]string) *testbed.PostfixServer {
	t.Helper()
	return startWith(t, s, masterCF(t, "master.cf", forwards), more)
}

func startWith(t *testing.T, s *site, master []string, more map[string]string) *testbed.PostfixServer {
	t.Helper()
	settings := mainCF(t, "main.cf")
	if settings["virtual_transport"] != "lmtp:inet:127.0.0.1:24" {
		t.Fatalf("virtual_transport = %s", settings["virtual_transport"])
	}
	settings["virtual_transport"] = "lmtp:inet:" + s.addr
	settings["mynetworks"] = "192.0.2.0/24"
	settings["smtpd_relay_restrictions"] = "permit_mynetworks, reject_unauth_destination"
	settings["address_verify_poll_delay"] = "1s"
	settings["default_transport"] = "discard:"
	maps.Copy(settings, more)
	return testbed.Postfix(t, testbed.PostfixOptions{Main: settings, Master: master})
}

// send hands a message to Postfix and gives the replies to each RCPT; nil is
// accepted.
func send(t *testing.T, p *testbed.PostfixServer, to ...string) []error {
	t.Helper()
	return sendTo(t, p.SMTPAddr(), "sender@example.net", "Subject: through Postfix\r\n\r\nbody\r\n", to...)
}

func sendTo(t *testing.T, addr, from, message string, to ...string) []error {
	t.Helper()
	c, err := smtp.Dial(addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Hello("client.example.net"); err != nil {
		t.Fatal(err)
	}
	if err := c.Mail(from, nil); err != nil {
		t.Fatal(err)
	}
	var replies []error
	accepted := false
	for _, address := range to {
		err := c.Rcpt(address, nil)
		replies = append(replies, err)
		accepted = accepted || err == nil
	}
	if !accepted {
		return replies
	}
	w, err := c.Data()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(w, message); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return replies
}

// waitUntil waits for something that Postfix (or, without it, another) does on
// its own time.
func waitUntil(t *testing.T, p *testbed.PostfixServer, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for !is() {
		select {
		case <-again.C:
		case <-ctx.Done():
			log := ""
			if p != nil {
				log = p.Log()
			}
			t.Fatalf("%s: not after 30 s\n%s", what, log)
		}
	}
}

func TestLinesForPostfix(t *testing.T) {
	forwards := freeAddress(t)
	s := newSite(t, forwards)
	p := start(t, s, forwards, nil)

	replies := send(t, p, "alice@example.com", "nobody@example.com", "alice+lists@example.com", "away@example.com")
	for i, want := range []bool{true, false, true, true} {
		if got := replies[i] == nil; got != want {
			t.Errorf("recipient %d: %v", i, replies[i])
		}
	}
	var refused *smtp.SMTPError
	if !errors.As(replies[1], &refused) || refused.Code != 550 || !strings.HasSuffix(refused.Message, "mailbox unavailable") ||
		strings.Contains(refused.Message, "127.0.0.1") {
		t.Errorf("unknown recipient: %v", replies[1])
	}
	// Whoever is reached twice by one message gets one copy.
	waitUntil(t, p, "delivery", func() bool { return s.messages(t, "alice") == 1 })
	// The forward went through the smtpd of our master.cf, and on.
	waitUntil(t, p, "forward", func() bool {
		log := p.Log()
		return strings.Contains(log, "postfix/forward/smtpd") && strings.Contains(log, "to=<someone@example.org>, relay=none")
	})
}

func TestUsersOfThisMachine(t *testing.T) {
	forwards := freeAddress(t)
	s := newSite(t, forwards)
	p := start(t, s, forwards, map[string]string{"mydestination": "host.test", "mailbox_transport": "lmtp:inet:" + s.addr})
	if replies := send(t, p, "bob+lists@host.test"); replies[0] != nil {
		t.Fatal(replies)
	}
	waitUntil(t, p, "delivery", func() bool { return s.messages(t, "bob") == 1 })
	if log := p.Log(); strings.Contains(log, "warning") {
		t.Errorf("Postfix warns:\n%s", log)
	}
}
