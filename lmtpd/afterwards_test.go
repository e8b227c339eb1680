package lmtpd

import (
	"context"
	"fmt"
	"io"
	"net/mail"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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
