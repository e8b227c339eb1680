package lmtpd_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/textproto"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/emersion/go-smtp"

	"gatepost/internal/testbed"
)

// outside is the Internet's mail server: it takes everything.
type outside struct {
	addr string
	mail chan envelope
}

type envelope struct{ from, to, data string }

func newOutside(t *testing.T) *outside {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	o := &outside{l.Addr().String(), make(chan envelope, 16)}
	server := smtp.NewServer(o)
	server.Domain = "mx.example.org"
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	return o
}

func (o *outside) NewSession(*smtp.Conn) (smtp.Session, error) { return &outsideSession{o: o}, nil }

type outsideSession struct {
	o *outside
	envelope
}

func (s *outsideSession) Mail(from string, _ *smtp.MailOptions) error {
	s.envelope = envelope{from: from}
	return nil
}
func (s *outsideSession) Rcpt(to string, _ *smtp.RcptOptions) error { s.to = to; return nil }
func (s *outsideSession) Data(r io.Reader) error {
	data, err := io.ReadAll(r)
	s.data = string(data)
	s.o.mail <- s.envelope
	return err
}
func (s *outsideSession) Reset()        {}
func (s *outsideSession) Logout() error { return nil }

// next is the mail that comes out next.
func (o *outside) next(t *testing.T, p *testbed.PostfixServer) envelope {
	t.Helper()
	var e envelope
	waitUntil(t, p, "mail for outside", func() bool {
		select {
		case e = <-o.mail:
			return true
		default:
			return false
		}
	})
	return e
}

// startSRS runs postsrsd as its own unit does, but for the ports. stop kills it
// with the processes that it has made for its connections.
func startSRS(t *testing.T, forward, reverse string) (stop func()) {
	t.Helper()
	secret := filepath.Join(t.TempDir(), "secret")
	writeFile(t, secret, "not known to anybody else\n")
	port := func(addr string) string { _, p, _ := net.SplitHostPort(addr); return p }
	cmd := exec.Command(testbed.Need(t, "postsrsd", "postsrsd"), "-4", "-l127.0.0.1", "-f"+port(forward), "-r"+port(reverse),
		"-dsrs.example.com", "-Xexample.com", "-s"+secret)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		_ = cmd.Wait()
	})
	t.Cleanup(stop)
	for _, addr := range []string{forward, reverse} {
		waitUntil(t, nil, "postsrsd listens", func() bool {
			c, err := net.Dial("tcp", addr)
			if err == nil {
				c.Close()
			}
			return err == nil
		})
	}
	return stop
}

// signed is a message that a signature may cover, with all that a mail system
// on its way might be tempted to mend: no Date, no Message-ID, an address
// without a domain, odd folding and blanks, 8-bit text.
const signed = "DKIM-Signature: v=1; a=ed25519-sha256; d=example.net;\r\n\tb=bm90IHJlYWw=\r\n" +
	"From: The Sender <sender>\r\nTo:  \"Away\"   <Away@Example.COM>,\r\n   other\r\nReturn-Receipt-To: sender@example.net\r\n" +
	"Subject: Gr\xc3\xbc\xc3\x9fe \r\n\r\n.starts with a dot\r\n8 bits: \xe4\xf6\xfc\r\nFrom here\r\n\r\n\r\n"

func TestSRS(t *testing.T) {
	forwards, forward, reverse, local := freeAddress(t), freeAddress(t), freeAddress(t), freeAddress(t)
	out := newOutside(t)
	s := newSite(t, forwards)
	stopSRS := startSRS(t, forward, reverse)

	settings := mainCF(t, filepath.Join("srs", "main.cf"))
	settings["srs_reverse"] = strings.ReplaceAll(settings["srs_reverse"], "127.0.0.1:10002", reverse)
	settings["default_transport"] = "smtp:[127.0.0.1]:" + out.addr[strings.LastIndexByte(out.addr, ':')+1:]
	// Whoever is in mynetworks gets his headers mended: lmtpd is there, at its
	// own port, and must not.
	settings["local_header_rewrite_clients"] = "permit_mynetworks"
	master := masterCF(t, filepath.Join("srs", "master.cf"), forwards)
	for i := range master {
		master[i] = strings.ReplaceAll(master[i], "127.0.0.1:10001", forward)
	}
	// Where our own users hand in their mail.
	master = append(master, local+" inet n - n - - smtpd -o mynetworks=127.0.0.0/8")
	p := startWith(t, s, master, settings)

	// A forward leaves in our name, and is the message that came.
	if err := sendTo(t, p.SMTPAddr(), "sender@example.net", signed, "away@example.com")[0]; err != nil {
		t.Fatal(err)
	}
	went := out.next(t, p)
	if !regexp.MustCompile(`^SRS0=[^=]+=[^=]+=example\.net=sender@srs\.example\.com$`).MatchString(went.from) || went.to != "someone@example.org" {
		t.Errorf("from %s to %s", went.from, went.to)
	}
	trace, ok := strings.CutSuffix(went.data, signed)
	if !ok {
		t.Fatalf("altered:\n%q", went.data)
	}
	fields, err := textproto.NewReader(bufio.NewReader(strings.NewReader(trace + "\r\n"))).ReadMIMEHeader()
	if err != nil {
		t.Fatal(err)
	}
	for name := range fields {
		if name != "Received" && name != "Delivered-To" && name != "Return-Path" {
			t.Errorf("%s was added:\n%s", name, trace)
		}
	}

	// What comes back to that address goes to the sender, as a bounce; also
	// after somebody has changed its case.
	for _, address := range []string{went.from, strings.ToLower(went.from)} {
		if err := sendTo(t, p.SMTPAddr(), "", "Subject: undeliverable\r\n\r\nsorry\r\n", address)[0]; err != nil {
			t.Fatal(err)
		}
		if back := out.next(t, p); back.from != "" || back.to != "sender@example.net" || !strings.Contains(back.data, "Subject: undeliverable\r\n\r\nsorry\r\n") {
			t.Errorf("bounce: %+v", back)
		}
	}
	// What nobody has signed is nobody's.
	var refused *smtp.SMTPError
	forged := "SRS0=aaaa" + went.from[len("SRS0=aaaa"):]
	for _, address := range []string{forged, "nobody@srs.example.com"} {
		if err := sendTo(t, p.SMTPAddr(), "", "x", address)[0]; !errors.As(err, &refused) || refused.Code != 550 {
			t.Errorf("%s: %v", address, err)
		}
	}

	// Senders that need no help: none, and ours. And nobody's but what lmtpd
	// forwards.
	for _, tc := range []struct{ addr, from, to string }{
		{p.SMTPAddr(), "", "away@example.com"},
		{p.SMTPAddr(), "alice@example.com", "away@example.com"},
		{local, "visitor@example.net", "someone@example.org"},
	} {
		if err := sendTo(t, tc.addr, tc.from, "Subject: x\r\n\r\nx\r\n", tc.to)[0]; err != nil {
			t.Fatal(err)
		}
		if went := out.next(t, p); went.from != tc.from || went.to != "someone@example.org" {
			t.Errorf("%+v: %+v", tc, went)
		}
	}

	// Without postsrsd forwards and bounces wait, and other mail does not.
	stopSRS()
	send(t, p, "away@example.com")
	send(t, p, "alice@example.com")
	waitUntil(t, p, "delivery", func() bool { return s.messages(t, "alice") == 1 })
	if err := sendTo(t, p.SMTPAddr(), "", "x", went.from)[0]; !errors.As(err, &refused) || refused.Code/100 != 4 {
		t.Errorf("a bounce: %v", err)
	}
	waitUntil(t, p, "the forward waits", func() bool {
		queue, err := p.Queue()
		return err == nil && len(queue) == 1 && queue[0].Queue == "deferred" && queue[0].Recipients[0].Address == "away@example.com"
	})
	if log := p.Log(); strings.Contains(log, "status=bounced") || len(out.mail) > 0 {
		t.Errorf("bounced, or went out:\n%s", log)
	}
}
