package lmtpd

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// sink is a smarthost that keeps what it takes.
type sink struct {
	mu    sync.Mutex
	taken []taken
	fail  func(rcpt string) error
	atEnd error // the answer to the final dot
}

type taken struct {
	from string
	to   []string
	body string
}

func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &sinkSession{s: s}, nil }

type sinkSession struct {
	s *sink
	t taken
}

func (x *sinkSession) Reset()        { x.t = taken{} }
func (x *sinkSession) Logout() error { return nil }
func (x *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	x.t.from = from
	return nil
}
func (x *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.fail != nil {
		if err := x.s.fail(to); err != nil {
			return err
		}
	}
	x.t.to = append(x.t.to, to)
	return nil
}
func (x *sinkSession) Data(r io.Reader) error {
	body, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	if x.s.atEnd != nil {
		return x.s.atEnd
	}
	x.t.body = string(body)
	x.s.taken = append(x.s.taken, x.t)
	return nil
}

func (s *sink) all() []taken {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]taken(nil), s.taken...)
}

func (s *sink) set(f func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f()
}

// smarthost starts a sink and gives settings that lead to it.
func smarthost(t *testing.T) (*sink, func(*Settings)) {
	t.Helper()
	s := &sink{}
	srv := smtp.NewServer(s)
	srv.Domain = "relay.example.org"
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = srv.Serve(l) }()
	t.Cleanup(func() { srv.Close() })
	return s, func(set *Settings) {
		set.Smarthost = &Smarthost{Network: "tcp", Address: l.Addr().String(), Hostname: "mx.example.org", Timeout: 5 * time.Second}
	}
}

func TestForward(t *testing.T) {
	s, set := smarthost(t)
	b := newBench(t, set)
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("nora@sender.test", "fwd@example.org", "mixed@example.org", "alice@example.org")
	text := sample(1) + ".dot\n"
	for _, r := range c.message(text, 3) {
		if !strings.HasPrefix(r, "250") {
			t.Errorf("reply %q", r)
		}
	}
	got := s.all()
	if len(got) != 1 || got[0].from != "nora@sender.test" || strings.Join(got[0].to, " ") != "ext@outside.test" {
		t.Fatalf("forwarded: %+v", got)
	}
	if want := "Delivered-To: fwd@example.org\r\n" + strings.ReplaceAll(text, "\n", "\r\n"); got[0].body != want {
		t.Errorf("body %q, want %q", got[0].body, want)
	}
	if n := len(b.list("alice", "")); n != 1 {
		t.Errorf("alice has %d copies", n)
	}

	// The forwarded copy comes back: a loop.
	c.begin("nora@sender.test", "fwd@example.org", "alice@example.org")
	r := c.message("Delivered-To: <FWD@example.org>\n"+text, 2)
	if !strings.HasPrefix(r[0], "554 5.4.6 <fwd@example.org>") || !strings.HasPrefix(r[1], "250") {
		t.Errorf("loop: %q", r)
	}
	if n := len(s.all()); n != 1 {
		t.Errorf("%d forwards, want 1", n)
	}
}

// What the smarthost says is part of the outcome, and what was done before it
// said so is not done twice when the message comes again.
func TestForwardOutcome(t *testing.T) {
	s, set := smarthost(t)
	b := newBench(t, set)
	deliver := func(want string) {
		t.Helper()
		c := b.dial()
		c.send("LHLO x", "250")
		c.begin("nora@sender.test", "mixed@example.org")
		if r := c.message(sample(1), 1); !strings.HasPrefix(r[0], want) {
			t.Errorf("reply %q, want %q", r[0], want)
		}
		c.send("QUIT", "221")
	}
	s.set(func() { s.fail = func(string) error { return &smtp.SMTPError{Code: 450, Message: "later"} } })
	deliver("451 4.3.0")
	s.set(func() { s.fail = nil; s.atEnd = &smtp.SMTPError{Code: 451, Message: "disk full"} })
	deliver("451 4.3.0")
	s.set(func() { s.atEnd = nil })
	deliver("250")
	if n, f := len(b.list("alice", "")), len(s.all()); n != 1 || f != 1 {
		t.Errorf("%d copies and %d forwards after three attempts, want 1 and 1", n, f)
	}
	s.set(func() {
		s.fail = func(string) error { return &smtp.SMTPError{Code: 550, Message: "no such user at inner.host"} }
	})
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("nora@sender.test", "mixed@example.org")
	if r := c.message(sample(2), 1); !strings.HasPrefix(r[0], "550 5.1.1") || strings.Contains(r[0], "inner.host") {
		t.Errorf("refused by the smarthost: %q", r[0])
	}
}

// The smarthost took a message, our answer was lost, the client comes again.
func TestForwardOnce(t *testing.T) {
	s, set := smarthost(t)
	b := newBench(t, set)
	for range 2 {
		c := b.dial()
		c.send("LHLO x", "250")
		c.begin("nora@sender.test", "fwd@example.org")
		c.message(sample(1), 1)
		c.c.Close()
	}
	if n := len(s.all()); n != 1 {
		t.Errorf("forwarded %d times", n)
	}
}

func TestSmarthostAway(t *testing.T) {
	b := newBench(t, func(set *Settings) {
		set.Smarthost = &Smarthost{Network: "tcp", Address: "127.0.0.1:1", Hostname: "x", Timeout: time.Second}
	})
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("nora@sender.test", "fwd@example.org", "alice@example.org")
	r := c.message(sample(1), 2)
	if !strings.HasPrefix(r[0], "451 4.3.0 <fwd@example.org>") || strings.Contains(r[0], "127.0.0.1") || !strings.HasPrefix(r[1], "250") {
		t.Errorf("replies %q", r)
	}
}

// serverTLS makes a self-signed certificate for both sides.
func serverTLS(t *testing.T) (*tls.Config, *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mx.example.org"}, DNSNames: []string{"mx.example.org"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	cert := tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	return &tls.Config{Certificates: []tls.Certificate{cert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert},
		&tls.Config{RootCAs: pool, ServerName: "mx.example.org", Certificates: []tls.Certificate{cert}}
}

func TestSTARTTLS(t *testing.T) {
	serverSide, clientSide := serverTLS(t)
	b := newBench(t, func(set *Settings) { set.TLS, set.RequireTLS = serverSide, true })
	c := b.dial()
	if caps := c.send("LHLO x", "250"); !strings.Contains(caps, "STARTTLS") {
		t.Errorf("not offered: %s", caps)
	}
	c.send("MAIL FROM:<a@b.test>", "530 5.7.0")
	c.send("STARTTLS", "220")
	tc := tls.Client(c.c, clientSide)
	if err := tc.Handshake(); err != nil {
		t.Fatal(err)
	}
	c.c = tc
	c.r.Reset(tc)
	c.send("LHLO x", "250")
	deliver := func(n int) {
		t.Helper()
		c.begin("a@b.test", "alice@example.org")
		if r := c.message(sample(1)+strings.Repeat("x", 200<<10)+"\n", 1); !strings.HasPrefix(r[0], "250") {
			t.Fatalf("reply %q", r)
		}
		if got := len(b.list("alice", "")); got != n {
			t.Errorf("%d copies, want %d", got, n)
		}
	}
	deliver(1)
	c.send("NOOP", "250") // has read the reply
	deliver(2)
	_, _ = io.WriteString(c.c, "NOOP "+strings.Repeat("y", 300<<10))
	if r := c.reply(); !strings.HasPrefix(r, "421") && !strings.Contains(r, "EOF") && !strings.Contains(r, "reset") {
		t.Errorf("endless command: %.80q", r)
	}

	// No client certificate, no session.
	c = b.dial()
	c.send("LHLO x", "250")
	c.send("STARTTLS", "220")
	tc = tls.Client(c.c, &tls.Config{RootCAs: clientSide.RootCAs, ServerName: "mx.example.org"})
	_ = tc.Handshake()
	c.c = tc
	c.r.Reset(tc)
	_, _ = io.WriteString(tc, "LHLO x\r\n")
	if r := c.reply(); strings.HasPrefix(r, "250") {
		t.Errorf("session without a client certificate: %q", r)
	}
}

// A TLS client that hangs up after our reply has not proven that it read it.
func TestHangUpIsNoProofUnderTLS(t *testing.T) {
	serverSide, clientSide := serverTLS(t)
	b := newBench(t, func(set *Settings) { set.TLS = serverSide })
	for range 2 {
		c := b.dial()
		c.send("LHLO x", "250")
		c.send("STARTTLS", "220")
		tc := tls.Client(c.c, clientSide)
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		c.c = tc
		c.r.Reset(tc)
		c.send("LHLO x", "250")
		c.begin("a@b.test", "alice@example.org")
		c.message(sample(1), 1)
		tc.Close()
	}
	if n := len(b.list("alice", "")); n != 1 {
		t.Errorf("%d copies, want 1", n)
	}
}
