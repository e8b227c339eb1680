package lmtpd_test

import (
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"gatepost/internal/testbed"
)

// mixedSite is a store with a recipient of every kind, a smarthost, lmtpd on
// a TCP port and Postfix in front of it.
type mixedSite struct {
	*site
	sink    *sink
	daemon  *daemon
	postfix *testbed.PostfixServer
}

func newMixedSite(t *testing.T) *mixedSite {
	t.Helper()
	m := &mixedSite{site: newSite(t, testbed.MariaDB(t)), sink: startSink(t)}
	m.user("alice", 0)
	m.user("bob", 0)
	carol := m.user("carol", 0)
	m.exec("UPDATE dbmail_users SET active = 0 WHERE user_idnr = ?", carol)
	m.user("dora", 0)
	m.user("full", 0)
	m.user("nearly", 1000) // has room, but not for the message
	m.user("frank", 0)
	m.user("gina", 0)
	m.mailbox(uint64(m.number("SELECT user_idnr FROM dbmail_users WHERE userid = 'dora'")), "Work")
	id := func(name string) string {
		return fmt.Sprint(m.number("SELECT user_idnr FROM dbmail_users WHERE userid = ?", name))
	}
	for _, a := range [][2]string{
		{"al@example.org", id("alice")},
		{"team@example.org", id("alice")}, {"team@example.org", id("bob")},
		{"out@example.org", "pat@elsewhere.test"},
		{"refused@example.org", "nobody@elsewhere.test"},
		{"busy@example.org", "later@elsewhere.test"},
		{"both@example.org", id("frank")}, {"both@example.org", "kim@elsewhere.test"},
		{"half@example.org", id("gina")}, {"half@example.org", "slow@elsewhere.test"},
		{"loop@example.org", "away@elsewhere.test"},
		{"pipe@example.org", "|/bin/false"},
	} {
		m.alias(a[0], a[1])
	}
	m.daemon = startDaemon(t, m.dsn(m.server.Socket()), fmt.Sprintf("[smarthost]\naddress = \"inet:%s\"\ntls = \"off\"\n", m.sink.addr))
	if reply, err := hand(m.daemon.dial, "full@example.org", "Subject: the last one\r\n\r\nthat fits\r\n"); err != nil || reply[0] != '2' {
		t.Fatalf("fill a mailbox: %q, %v", reply, err)
	}
	m.exec("UPDATE dbmail_users SET maxmail_size = curmail_size WHERE userid = 'full'")
	m.postfix = postfixFor(t, "unix:"+m.daemon.socket, map[string]string{
		// Bounces go to the sender, whose mail server is the sink.
		"transport_maps": fmt.Sprintf("inline:{ { sender.test = smtp:%s } }", bracketed(m.sink.addr)),
	})
	return m
}

// bracketed writes host:port as Postfix's transports do.
func bracketed(addr string) string {
	host, port, _ := strings.Cut(addr, ":")
	return "[" + host + "]:" + port
}

// settled waits until every recipient was tried, and gives the last fates.
func (m *mixedSite) settled(rcpts []string) map[string]fate {
	m.t.Helper()
	last := map[string]fate{}
	eventually(m.t, "each recipient has a fate", func() (bool, string) {
		for rcpt, all := range fates(m.postfix.Log()) {
			last[rcpt] = all[len(all)-1]
		}
		return len(last) == len(rcpts), fmt.Sprint(slices.Sorted(maps.Keys(last)))
	})
	return last
}

// TestPostfixMixedOutcomes sends one message to everybody and looks at each
// one's fate in Postfix's log, at the copies, and at what the bounce says.
func TestPostfixMixedOutcomes(t *testing.T) {
	m := newMixedSite(t)
	m.sink.answer("nobody@elsewhere.test", &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "sink knows nobody"})
	later := &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 2, 0}, Message: "sink is busy"}
	m.sink.answer("later@elsewhere.test", later)
	m.sink.answer("slow@elsewhere.test", later)

	want := []struct {
		rcpt, dsn, status, why string // why: what the log line says besides
		stage                  string
	}{
		{"alice@example.org", "2.0.0", "sent", "", ""},
		{"al@example.org", "2.0.0", "sent", "", ""}, // alice again
		{"team@example.org", "2.0.0", "sent", "", ""},
		{"bob+nosuchbox@example.org", "2.0.0", "sent", "", ""}, // bob again
		{"dora+work@example.org", "2.0.0", "sent", "", ""},
		{"out@example.org", "2.0.0", "sent", "", ""},
		{"both@example.org", "2.0.0", "sent", "", ""},
		{"unknown@example.org", "5.1.1", "bounced", "no such user here", "RCPT TO"},
		{"carol@example.org", "5.2.1", "bounced", "mailbox is disabled", "RCPT TO"},
		{"full@example.org", "5.2.2", "bounced", "mailbox is full", "RCPT TO"},
		{"nearly@example.org", "5.2.2", "bounced", "mailbox is full", "end of DATA"},
		{"pipe@example.org", "5.3.3", "bounced", "nothing that can receive mail", "RCPT TO"},
		{"loop@example.org", "5.4.6", "bounced", "loop", "end of DATA"},
		{"refused@example.org", "5.1.1", "bounced", "refused", "end of DATA"},
		{"busy@example.org", "4.3.0", "deferred", "try again later", "end of DATA"},
		{"half@example.org", "4.3.0", "deferred", "try again later", "end of DATA"},
	}
	var rcpts []string
	for _, w := range want {
		rcpts = append(rcpts, w.rcpt)
	}
	text := "Delivered-To: loop@example.org\nFrom: Nora <nora@sender.test>\nTo: everybody:;\nSubject: to all\n" +
		"Date: Tue, 03 Nov 2026 09:30:15 +0100\nMessage-ID: <all@sender.test>\n\n" + strings.Repeat("All of you should read this.\n", 50)
	post(t, m.postfix, "nora@sender.test", rcpts, text)

	got := m.settled(rcpts)
	for _, w := range want {
		f := got[w.rcpt]
		if f.dsn != w.dsn || f.status != w.status || !strings.Contains(f.why, w.why) || !strings.Contains(f.why, w.stage) {
			t.Errorf("%s: %v; want %s %s with %q, in reply to %q", w.rcpt, f, w.dsn, w.status, w.why, w.stage)
		}
		noInside(t, "Postfix's log", f.said())
	}

	// The copy that went with a failed forward is there, and stays the only
	// one when the forward succeeds at last.
	m.copies(map[string]int{"alice": 1, "bob": 1, "carol": 0, "dora": 1, "nearly": 0, "frank": 1, "gina": 1}, text)
	m.sink.answer("later@elsewhere.test", nil)
	m.sink.answer("slow@elsewhere.test", nil)
	queueEmpties(t, m.postfix)
	for _, rcpt := range []string{"busy@example.org", "half@example.org"} {
		all := fates(m.postfix.Log())[rcpt]
		if f := all[len(all)-1]; f.status != "sent" || f.dsn != "2.0.0" {
			t.Errorf("%s in the end: %v", rcpt, f)
		}
	}
	m.copies(map[string]int{"alice": 1, "bob": 1, "dora": 1, "frank": 1, "gina": 1}, text)
	if got := len(m.stored("dora", "Work")); got != 1 {
		t.Errorf("%d copies in dora's mailbox Work, want 1", got)
	}
	for _, rcpt := range []string{"pat@elsewhere.test", "kim@elsewhere.test", "later@elsewhere.test", "slow@elsewhere.test"} {
		m.forwarded(rcpt, text)
	}
	if got := m.sink.to("away@elsewhere.test"); len(got) != 0 {
		t.Errorf("a looping message was forwarded: %v", got)
	}
	m.verify()
	m.bounce(map[string]string{"unknown@": "550 5.1.1", "carol@": "550 5.2.1", "full@": "552 5.2.2", "nearly@": "552 5.2.2",
		"pipe@": "550 5.3.3", "loop@": "554 5.4.6", "refused@": "550 5.1.1"})
}

// copies compares how many copies users have, and their bytes.
func (m *mixedSite) copies(want map[string]int, text string) {
	m.t.Helper()
	for user, n := range want {
		all := m.stored(user, "")
		if len(all) != n {
			m.t.Errorf("%s has %d copies, want %d", user, len(all), n)
		}
		for _, got := range all {
			if !strings.HasPrefix(got, "Return-Path: <nora@sender.test>\r\n") || !strings.HasSuffix(got, "\r\n"+crlf(text)) {
				m.t.Errorf("%s has another message: %q", user, got)
			}
		}
	}
}

// forwarded checks that the smarthost got the message once, marked.
func (m *mixedSite) forwarded(rcpt, text string) {
	m.t.Helper()
	got := m.sink.to(rcpt)
	if len(got) != 1 {
		m.t.Errorf("%d messages were forwarded to %s, want 1", len(got), rcpt)
		return
	}
	if a := got[0]; a.from != "nora@sender.test" || !strings.HasPrefix(a.text, "Delivered-To: ") || !strings.HasSuffix(a.text, "\r\n"+crlf(text)) {
		m.t.Errorf("forwarded to %s from %s: %q", rcpt, a.from, a.text)
	}
}

var boundary = regexp.MustCompile(`boundary="([^"]+)"`)

// bounce checks what the sender gets to read: the reply for each recipient,
// and nothing of the inside.
func (m *mixedSite) bounce(want map[string]string) {
	m.t.Helper()
	var notice string
	eventually(m.t, "the bounce arrives", func() (bool, string) {
		for _, a := range m.sink.to("nora@sender.test") {
			notice = a.text
		}
		return notice != "", ""
	})
	b := boundary.FindStringSubmatch(notice)
	if b == nil {
		m.t.Fatalf("no report: %q", notice)
	}
	// The first part is for people, the second for programs, the third is
	// the message itself.
	parts := strings.Split(notice, "--"+b[1])
	human := strings.Join(strings.Fields(parts[1]), " ")
	for rcpt, reply := range want {
		if !regexp.MustCompile(regexp.QuoteMeta("<"+rcpt+"example.org>: host ") + `\S+ said: ` + regexp.QuoteMeta(reply)).MatchString(human) {
			m.t.Errorf("the bounce does not say %q of %s: %s", reply, rcpt, human)
		}
	}
	for _, sent := range []string{"alice@", "both@", "half@", "busy@"} {
		if strings.Contains(parts[1]+parts[2], sent) {
			m.t.Errorf("the bounce speaks of %s", sent)
		}
	}
	noInside(m.t, "the bounce", strings.ReplaceAll(parts[1]+parts[2], m.daemon.socket, "")) // where Postfix reaches lmtpd is its own affair
	for _, hidden := range []string{"elsewhere.test", "sink"} {                             // where an alias leads is nobody's business
		if strings.Contains(parts[1]+parts[2], hidden) {
			m.t.Errorf("the bounce tells %q", hidden)
		}
	}
}

// TestSmarthostDown: while the smarthost is away forwards are deferred, and
// neither the others nor later attempts suffer.
func TestSmarthostDown(t *testing.T) {
	m := newMixedSite(t)
	m.sink.down()
	rcpts := []string{"alice@example.org", "out@example.org", "both@example.org"}
	text := "From: Nora <nora@sender.test>\nTo: you@example.org\nSubject: down\nDate: Tue, 03 Nov 2026 09:30:15 +0100\nMessage-ID: <down@sender.test>\n\nbody\n"
	post(t, m.postfix, "nora@sender.test", rcpts, text)
	got := m.settled(rcpts)
	if f := got["alice@example.org"]; f.status != "sent" {
		t.Errorf("alice: %v", f)
	}
	for _, rcpt := range rcpts[1:] {
		f := got[rcpt]
		if f.status != "deferred" || f.dsn != "4.3.0" {
			t.Errorf("%s: %v; want 4.3.0 deferred", rcpt, f)
		}
		noInside(t, "Postfix's log", f.said())
		if strings.Contains(f.why, m.sink.addr) {
			t.Errorf("Postfix's log tells where the smarthost is: %v", f)
		}
	}
	m.copies(map[string]int{"alice": 1, "frank": 1}, text)
	m.sink.up()
	queueEmpties(t, m.postfix)
	m.copies(map[string]int{"alice": 1, "frank": 1}, text)
	m.forwarded("pat@elsewhere.test", text)
	m.forwarded("kim@elsewhere.test", text)
	m.verify()
}

// TestForwardLoop forwards through Postfix to an address that Postfix leads
// back: the second time round the message is refused.
func TestForwardLoop(t *testing.T) {
	s := newSite(t, testbed.MariaDB(t))
	s.alias("round@example.org", "back@elsewhere.test")
	sink := startSink(t)
	socket := filepath.Join(shortDir(t), "lmtp")
	postfix := postfixFor(t, "unix:"+socket, map[string]string{
		"virtual_alias_domains": "elsewhere.test",
		"virtual_alias_maps":    "inline:{ back@elsewhere.test=round@example.org }",
		"transport_maps":        fmt.Sprintf("inline:{ { sender.test = smtp:%s } }", bracketed(sink.addr)),
	})
	startDaemonAt(t, socket, s.dsn(s.server.Socket()), fmt.Sprintf("[smarthost]\naddress = \"inet:%s\"\ntls = \"off\"\n", postfix.SMTPAddr()))
	post(t, postfix, "nora@sender.test", []string{"round@example.org"}, "Subject: round\n\nand round\n")
	eventually(t, "a bounce", func() (bool, string) {
		return len(sink.to("nora@sender.test")) == 1, tail(postfix.Log(), 5)
	})
	queueEmpties(t, postfix)
	all := fates(postfix.Log())["round@example.org"]
	if len(all) != 2 || !slices.ContainsFunc(all, func(f fate) bool { return f.status == "sent" }) ||
		!slices.ContainsFunc(all, func(f fate) bool { return f.status == "bounced" && f.dsn == "5.4.6" }) {
		t.Errorf("fates: %v; want it sent on once and bounced with 5.4.6 once", all)
	}
}
