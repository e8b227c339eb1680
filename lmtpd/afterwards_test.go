package lmtpd

import (
	"context"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"gatepost/internal/dbmail"
	"gatepost/lmtpd/recipient"
)

// wait returns when nothing is held any more.
func (b *backlog[T]) wait() {
	b.mu.Lock()
	if len(b.held) == 0 {
		b.mu.Unlock()
		return
	}
	if b.empty == nil {
		b.empty = make(chan struct{})
	}
	empty := b.empty
	b.mu.Unlock()
	<-empty
}

// rested waits until the attempts that are due have been made.
func (b *backlog[T]) rested() {
	for {
		b.mu.Lock()
		due := b.running > 0 || len(b.waiting) > 0
		b.mu.Unlock()
		if !due {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// autoBench is a server that sends automatic mail to a sink.
type autoBench struct {
	*tableBench
	sink *sink
}

func newAutoBench(t *testing.T, change func(*Settings)) *autoBench {
	t.Helper()
	s, set := smarthost(t)
	return &autoBench{newTableBench(t, func(x *Settings) {
		set(x)
		x.Delivery = DeliveryConfig{AutoReplies: true, AutoNotifications: true, NotificationSubject: "NEW MAIL NOTIFICATION"}
		if change != nil {
			change(x)
		}
	}), s}
}

func (b *autoBench) addReply(user uint64, body string) {
	b.t.Helper()
	b.sql("INSERT INTO dbmail_auto_replies (user_idnr, start_date, stop_date, reply_body) VALUES (?, '2000-01-01 00:00:00', '2100-01-01 00:00:00', ?)", user, body)
}

func (b *autoBench) addNotify(user uint64, to string) {
	b.t.Helper()
	b.sql("INSERT INTO dbmail_auto_notifications (user_idnr, notify_address) VALUES (?,?)", user, to)
}

// sent gives the automatic mails since the last call.
func (b *autoBench) sent() []taken {
	b.t.Helper()
	b.srv.after.events.wait()
	b.srv.after.mails.wait()
	all := b.sink.all()
	b.sink.set(func() { b.sink.taken = nil })
	return all
}

// one gives the only mail since the last call, read.
func (b *autoBench) one() (taken, *mail.Message, string) {
	b.t.Helper()
	all := b.sent()
	if len(all) != 1 {
		b.t.Fatalf("%d mails sent: %+v", len(all), all)
	}
	m, err := mail.ReadMessage(strings.NewReader(all[0].body))
	if err != nil {
		b.t.Fatalf("%v in %q", err, all[0].body)
	}
	text, err := io.ReadAll(m.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	return all[0], m, string(text)
}

func letterTo(to, id string) string {
	return "From: n@s.test\nTo: " + to + "\nSubject: sieve test\nMessage-ID: <" + id + "@x>\nDate: Tue, 03 Nov 2026 09:30:15 +0100\n\nb\n"
}

// The recorded reply, and where ours differs.
func TestAutoReplyAsRecorded(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addReply(101, "gone fishing")
	b.deliver(letterTo("alice@example.org", "t6"), "sender@remote.test", "alice@example.org")
	got, m, text := b.one()
	if got.from != "" || strings.Join(got.to, " ") != "sender@remote.test" {
		t.Errorf("envelope: from %q to %q; DBMail had the user as sender, and bounces of replies became mail", got.from, got.to)
	}
	b.compare(m, text, "reply.eml", map[string]string{
		"Sender":      "",                     // From is the one that says who writes (RFC 5322 3.6.2)
		"From":        "<alice@example.org>",  // DBMail sends none
		"To":          "<sender@remote.test>", // in angle brackets
		"In-Reply-To": "<t6@x>",               // RFC 3834 3.1.6, as the next
		"References":  "<t6@x>",               //
		"Message-Id":  "*",                    // DBMail sends none
		"Date":        "*",                    // DBMail sends none
	})
	if n := b.count("SELECT count(*) FROM dbmail_replycache WHERE to_addr='sender@remote.test' AND from_addr='alice@example.org' AND handle='3d4893359b416d001ca0b61af29dbb7c'"); n != 1 {
		t.Error("replycache is not as recorded")
	}

	// The second within seven days is not answered, also when it is written
	// to another mailbox of the user; another sender is.
	b.deliver(letterTo("alice@example.org", "t7"), "sender@remote.test", "alice+Notes@example.org")
	if s := b.sent(); len(s) != 0 {
		t.Errorf("answered again: %+v", s)
	}
	b.deliver(letterTo("alice+Notes@example.org", "t8"), "other@remote.test", "alice+Notes@example.org")
	if got, _, _ := b.one(); got.to[0] != "other@remote.test" {
		t.Errorf("to %q", got.to)
	}
	b.sql("UPDATE dbmail_replycache SET lastseen = '2020-01-01 00:00:00'")
	b.deliver(letterTo("alice@example.org", "t9"), "sender@remote.test", "alice@example.org")
	b.one()
}

// The recorded "auto reply, user not in To": DBMail replies to none of both
// either.
func TestAutoReplySharedAlias(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addReply(101, "gone fishing")
	b.addReply(102, "me too")
	b.deliver(letterTo("both@example.org", "t10"), "sender@remote.test", "both@example.org")
	if s := b.sent(); len(s) != 0 {
		t.Errorf("sent: %+v", s)
	}
	if a, o := len(b.list("alice", "")), len(b.list("bob", "")); a != 1 || o != 1 {
		t.Errorf("alice has %d copies, bob %d", a, o)
	}
}

func TestNotificationAsRecorded(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addNotify(101, "pager@outside.test")
	for i := range 2 { // one for each delivery
		b.deliver(letterTo("alice@example.org", fmt.Sprint("n", i)), "sender@remote.test", "alice@example.org")
		got, m, text := b.one()
		if got.from != "" || strings.Join(got.to, " ") != "pager@outside.test" {
			t.Errorf("envelope: from %q to %q", got.from, got.to)
		}
		b.compare(m, text, "notification.eml", map[string]string{
			"Sender":         "",
			"From":           "<postmaster@mx.example.org>", // the configuration's, in place of autonotify@dbmail, where nobody is
			"To":             "<pager@outside.test>",
			"Auto-Submitted": "auto-generated", // RFC 3834 5
			"Precedence":     "bulk",
			"Message-Id":     "*",
			"Date":           "*",
		})
	}
	b.deliver("From: n@s.test\nTo: alice@example.org\nAuto-Submitted: auto-generated\n\nfrom cron\n", "root@s.test", "alice@example.org")
	b.one()
	// A notification that comes back to the user who is notified ends there.
	b.deliver("From: <postmaster@mx.example.org>\nTo: alice@example.org\nAuto-Submitted: auto-generated\n\n", "", "alice@example.org")
	if s := b.sent(); len(s) != 0 {
		t.Errorf("a notification of a notification: %+v", s)
	}
	b.deliver("From: MAILER-DAEMON@s.test\nTo: alice@example.org\nAuto-Submitted: auto-replied\n\nbounce\n", "", "alice@example.org")
	b.one()
}

// compare holds a mail against a recorded one, with fields that differ: "" for
// one that is not there, "*" for any value.
func (b *autoBench) compare(m *mail.Message, text, file string, differ map[string]string) {
	b.t.Helper()
	raw, err := os.ReadFile(filepath.Join("testdata", "automatic", file))
	if err != nil {
		b.t.Fatal(err)
	}
	want, err := mail.ReadMessage(strings.NewReader(string(raw)))
	if err != nil {
		b.t.Fatal(err)
	}
	fields := map[string]string{}
	for name, v := range want.Header {
		fields[name] = v[0]
	}
	for name, v := range differ {
		if fields[name] = v; v == "" {
			delete(fields, name)
		}
	}
	for name, v := range m.Header {
		if w, ok := fields[name]; !ok || w != "*" && w != v[0] || len(v) != 1 || v[0] == "" {
			b.t.Errorf("%s: %q, want %q", name, v, w)
		}
		delete(fields, name)
	}
	for name := range fields {
		b.t.Errorf("no %s", name)
	}
	body, _ := io.ReadAll(want.Body)
	if text = strings.ReplaceAll(text, "\r\n", "\n"); text != string(body) {
		b.t.Errorf("text %q, want %q", text, body)
	}
}

func (b *tableBench) count(query string) (n int) {
	b.t.Helper()
	dsn, err := dbmail.ParseDSN(b.dsn)
	if err != nil {
		b.t.Fatal(err)
	}
	db, err := dbmail.OpenDB(context.Background(), dsn, "")
	if err != nil {
		b.t.Fatal(err)
	}
	defer db.Close()
	if err := db.QueryRow(query).Scan(&n); err != nil {
		b.t.Fatal(err)
	}
	return n
}

// Who is answered, condition by condition.
func TestAutoReplyConditions(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addReply(101, "gone fishing")
	b.sql("INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('a.liddell@example.org', '101'), ('alice@xn--mller-kva.test', '101')")
	for i, c := range []struct {
		name, sender, header, rcpt string
		from                       string // "": no answer
	}{
		{name: "plain", from: "alice@example.org"},
		{name: "in Cc", header: "To: x@y.test\nCC: b@c.test, \"A\" <Alice@Example.ORG>\n", from: "alice@example.org"},
		{name: "in Resent-To", header: "To: x@y.test\nResent-To: alice@example.org\n", from: "alice@example.org"},
		{name: "in a group", header: "To: friends: x@y.test, alice@example.org;\n", from: "alice@example.org"},
		{name: "another address", header: "To: a.liddell@example.org\n", from: "a.liddell@example.org"},
		{name: "both addresses, by the second", header: "To: alice@example.org, a.liddell@example.org\n", rcpt: "a.liddell@example.org", from: "a.liddell@example.org"},
		{name: "with detail", header: "To: alice+notes@example.org\n", rcpt: "alice+notes@example.org", from: "alice@example.org"},
		{name: "U-label", header: "To: alice@müller.test\n", rcpt: "alice@xn--mller-kva.test", from: "alice@xn--mller-kva.test"},
		{name: "not written to", header: "To: undisclosed-recipients:;\n"},
		{name: "no To", header: "X-Nothing: here\n"},
		{name: "written to a catch-all", header: "To: x@catch.example.org\n", rcpt: "x@catch.example.org"},
		{name: "name is no address", header: "To: \"alice@example.org\" <x@y.test>\n"},

		{name: "null sender", sender: "-"},
		{name: "mailer-daemon", sender: "MAILER-DAEMON@remote.test"},
		{name: "daemon", sender: "lpdaemon@remote.test"},
		{name: "postmaster", sender: "Postmaster@remote.test"},
		{name: "owner-", sender: "owner-list@remote.test"},
		{name: "-owner", sender: "list-owner@remote.test"},
		{name: "-request", sender: "list-request@remote.test"},
		{name: "-bounces", sender: "list-bounces@remote.test"},
		{name: "VERP", sender: "list-bounces+alice=example.org@remote.test"},
		{name: "VERP of ezmlm", sender: "list-bounces-17-alice=example.org@remote.test"},
		{name: "listserv", sender: "LISTSERV@remote.test"},
		{name: "majordomo", sender: "majordomo@remote.test"},
		{name: "no-reply", sender: "No-Reply@remote.test"},
		{name: "the user", sender: "alice@example.org"},
		{name: "the user's other address, with detail", sender: "a.liddell+x@example.org"},
		{name: "a person with an odd name", sender: "bouncer.ownerson@remote.test", from: "alice@example.org"},
		{name: "a sender who needs quotes", sender: `"odd name"@remote.test`},

		{name: "Auto-Submitted", header: "Auto-Submitted: auto-generated\n"},
		{name: "Auto-Submitted, with comment", header: "auto-submitted: Auto-Replied (vacation); owner=x\n"},
		{name: "Auto-Submitted: no", header: "Auto-Submitted: NO (by hand); x=y\n", from: "alice@example.org"},
		{name: "List-Id", header: "List-Id: <l.remote.test>\n"},
		{name: "List-Unsubscribe", header: "LIST-unsubscribe: <mailto:x@y.test>\n"},
		{name: "Mailing-List", header: "Mailing-List: contact x@y.test\n"},
		{name: "Precedence: bulk", header: "Precedence: Bulk\n"},
		{name: "Precedence: list", header: "Precedence: list\n"},
		{name: "Precedence: junk", header: "Precedence: junk\n"},
		{name: "Precedence: first-class", header: "Precedence: first-class\n", from: "alice@example.org"},
		{name: "reply of DBMail", header: "X-DBMail-Reply: bob@example.org\n"},
		{name: "vacation of DBMail", header: "X-DBMail-Vacation: x\n"},
		{name: "Exchange: all", header: "X-Auto-Response-Suppress: All\n"},
		{name: "Exchange: out of office", header: "X-Auto-Response-Suppress: DR, OOF, NRN\n"},
		{name: "Exchange: others", header: "X-Auto-Response-Suppress: DR, RN\n", from: "alice@example.org"},
		{name: "spam", header: "X-Spam-Flag: YES\n"},
		{name: "spam status", header: "X-Spam-Status: Yes, score=17\n"},
		{name: "no spam", header: "X-Spam-Flag: NO\nX-Spam-Status: No, score=1\n", from: "alice@example.org"},
		{name: "report", header: "Content-Type: multipart/report; boundary=x\n"},
		{name: "null return path", header: "Return-Path: <>\n"},
		{name: "folded", header: "Auto-Submitted:\n auto-replied\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sender, rcpt, header := c.sender, c.rcpt, c.header
			switch sender {
			case "":
				sender = fmt.Sprintf("person%d@remote.test", i)
			case "-":
				sender = ""
			}
			if rcpt == "" {
				rcpt = "alice@example.org"
			}
			// What says nothing of its addressees is written to alice.
			if !strings.Contains(strings.ToLower(header), "to: ") && !strings.HasPrefix(header, "X-Nothing") {
				header += "To: alice@example.org\n"
			}
			b.t = t
			if r := b.deliver(fmt.Sprintf("From: n@s.test\nSubject: s%d\n%s\nb\n", i, header), sender, rcpt); !strings.HasPrefix(r[0], "250") {
				t.Fatalf("reply %q", r)
			}
			if c.from == "" {
				if s := b.sent(); len(s) != 0 {
					t.Errorf("answered: %+v", s)
				}
				return
			}
			got, m, _ := b.one()
			if m.Header.Get("From") != "<"+c.from+">" || got.to[0] != sender || m.Header.Get("To") != "<"+sender+">" {
				t.Errorf("from %q to %q, envelope %q; want from %s", m.Header.Get("From"), m.Header.Get("To"), got.to, c.from)
			}
		})
	}
}

func TestAutoReplyOfTheDirectorysUsers(t *testing.T) {
	b := newAutoBench(t, nil)
	user := dbmail.User{ID: 101, Name: "alice", Active: true, Identity: &dbmail.Identity{ID: 101, Login: "alice", Addresses: []string{"alice@directory.test", "al@directory.test"}}}
	members := recipient.Recipient{Recipient: dbmail.Recipient{Users: []dbmail.User{user}}, List: &recipient.List{Address: "list@directory.test"}}
	b.set.Recipients = fixed{"alice@directory.test": {Recipient: dbmail.Recipient{Users: []dbmail.User{user}}}, "list@directory.test": members}
	b.srv.Apply(b.set)
	b.addReply(101, "gone fishing")
	b.deliver(letterTo("al@directory.test", "d1"), "one@remote.test", "alice@directory.test")
	if _, m, _ := b.one(); m.Header.Get("From") != "<al@directory.test>" {
		t.Errorf("from %q", m.Header.Get("From"))
	}
	// The store's alias is none of this user's.
	b.deliver(letterTo("alice@example.org", "d2"), "two@remote.test", "alice@directory.test")
	// Members of a list answer nobody, though they are named.
	b.deliver(letterTo("alice@directory.test, list@directory.test", "d3"), "three@remote.test", "list@directory.test")
	if s := b.sent(); len(s) != 0 {
		t.Errorf("sent: %+v", s)
	}
	// Who is also written to does.
	b.deliver(letterTo("alice@directory.test, list@directory.test", "d4"), "four@remote.test", "list@directory.test", "alice@directory.test")
	b.one()
}

func TestAutomaticIsOffByDefault(t *testing.T) {
	b := newAutoBench(t, func(s *Settings) { s.Delivery = DeliveryConfig{} })
	b.addReply(101, "gone fishing")
	b.addNotify(101, "pager@outside.test")
	b.deliver(letterTo("alice@example.org", "t6"), "sender@remote.test", "alice@example.org")
	if s := b.sent(); len(s) != 0 {
		t.Errorf("sent: %+v", s)
	}
}

func TestAutomaticWithoutSmarthost(t *testing.T) {
	b := newAutoBench(t, func(s *Settings) { s.Smarthost = nil })
	b.addReply(101, "gone fishing")
	b.deliver(letterTo("alice@example.org", "t6"), "sender@remote.test", "alice@example.org")
	b.sent()
	if !strings.Contains(b.log.String(), `msg="automatic mail not sent"`) {
		t.Error("nothing in the log")
	}
	if b.count("SELECT count(*) FROM dbmail_replycache") != 0 {
		t.Error("it is noted as sent")
	}
}

// The server was killed between its commit and all that comes behind: when the
// message comes again the copy is recognised, and the rest is done, once.
func TestAutomaticAfterAKill(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addReply(101, "gone fishing")
	b.addNotify(101, "pager@outside.test")
	killed := *b.set
	killed.Delivery = DeliveryConfig{} // it does not come to the rest
	b.srv.Apply(&killed)
	deliver := func() {
		t.Helper()
		c := b.dial()
		c.send("LHLO x", "250")
		c.begin("sender@remote.test", "alice@example.org")
		c.message(letterTo("alice@example.org", "t6"), 1)
		c.c.Close() // has not read the reply, for all we know
	}
	deliver()
	b.srv.Apply(b.set)
	for i, want := range []int{2, 0, 0} {
		deliver()
		if got := b.sent(); len(got) != want {
			t.Errorf("repeat %d: %d mails, want %d", i, len(got), want)
		}
	}
	if n := len(b.list("alice", "")); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// Many servers' sessions at once: one answer.
func TestAutoReplyOnce(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addReply(101, "gone fishing")
	b.addNotify(101, "pager@outside.test")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b.deliver(letterTo("alice@example.org", fmt.Sprint("m", i)), "sender@remote.test", "alice@example.org")
		})
	}
	wg.Wait()
	kinds := map[string]int{}
	for _, m := range b.sent() {
		kinds[m.to[0]]++
	}
	if kinds["sender@remote.test"] != 1 || kinds["pager@outside.test"] != 8 {
		t.Errorf("sent: %v", kinds)
	}
}

func TestAutomaticTriesAgain(t *testing.T) {
	b := newAutoBench(t, nil)
	b.srv.after.mails.pauses = []time.Duration{0, 0, time.Hour}
	b.addReply(101, "gone fishing")
	tries := 0
	b.sink.set(func() {
		b.sink.fail = func(string) error {
			if tries++; tries <= 2 {
				return &smtp.SMTPError{Code: 450, Message: "later"}
			}
			return nil
		}
	})
	b.deliver(letterTo("alice@example.org", "t1"), "sender@remote.test", "alice@example.org")
	b.one()
	if tries != 3 {
		t.Errorf("%d attempts", tries)
	}

	// Refused for good: the claim is given back, the next letter is answered.
	b.sink.set(func() { b.sink.fail = func(string) error { return &smtp.SMTPError{Code: 550, Message: "no"} } })
	b.deliver(letterTo("alice@example.org", "t2"), "other@remote.test", "alice@example.org")
	if s := b.sent(); len(s) != 0 {
		t.Errorf("sent: %+v", s)
	}
	b.sink.set(func() { b.sink.fail = nil })
	b.deliver(letterTo("alice@example.org", "t3"), "other@remote.test", "alice@example.org")
	b.one()

	// It rests until the server stops, and is tried once more then.
	b.sink.set(func() { b.sink.atEnd = &smtp.SMTPError{Code: 452, Message: "full"} })
	b.deliver(letterTo("alice@example.org", "t4"), "third@remote.test", "alice@example.org")
	b.srv.after.events.wait()
	b.srv.after.mails.rested()
	b.sink.set(func() { b.sink.atEnd = nil })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if got := b.sink.all(); len(got) != 1 || got[0].to[0] != "third@remote.test" {
		t.Errorf("sent at the end: %+v", got)
	}
}

// What is left when the server stops is in the log, and nobody has claimed it.
func TestAutomaticLeftAtTheEnd(t *testing.T) {
	b := newAutoBench(t, func(s *Settings) { s.Smarthost.Address = "127.0.0.1:1" })
	b.addReply(101, "gone fishing")
	b.deliver(letterTo("alice@example.org", "t1"), "sender@remote.test", "alice@example.org")
	b.srv.after.events.wait()
	b.srv.after.mails.rested()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if !strings.Contains(b.log.String(), `msg="automatic mail not sent"`) || !strings.Contains(b.log.String(), "to=sender@remote.test") {
		t.Error("nothing in the log")
	}
	if b.count("SELECT count(*) FROM dbmail_replycache") != 0 {
		t.Error("the claim is kept")
	}
}

// The smarthost hangs up behind the final dot: it may have the mail, which is
// not sent again.
func TestAutoReplyUnclear(t *testing.T) {
	b := newAutoBench(t, nil)
	b.srv.after.mails.pauses = []time.Duration{0, 0}
	b.addReply(101, "gone fishing")
	hung := hangUpAtTheEnd(t)
	set := *b.set
	set.Smarthost = &Smarthost{Network: "tcp", Address: hung.addr, Hostname: "mx.example.org", Timeout: 5 * time.Second}
	b.srv.Apply(&set)
	b.deliver(letterTo("alice@example.org", "t1"), "sender@remote.test", "alice@example.org")
	b.srv.after.events.wait()
	b.srv.after.mails.wait()
	if n := hung.taken.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
	if b.count("SELECT count(*) FROM dbmail_replycache") != 1 {
		t.Error("the claim is given back")
	}
}
