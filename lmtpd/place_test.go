package lmtpd

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/internal/dbmail"
	"gatepost/lmtpd/recipient"
	"gatepost/schema"
)

// tableBench is a bench whose store a test also reaches by SQL.
type tableBench struct {
	*bench
	dsn string
}

func newTableBench(t *testing.T, change func(*Settings)) *tableBench {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "store.db")
	return &tableBench{benchOn(t, storeAt(t, dsn, schema.SQLite), change), dsn}
}

// sql changes the store's tables behind its back.
func (b *tableBench) sql(statement string, args ...any) {
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
	if _, err := db.Exec(statement, args...); err != nil {
		b.t.Fatal(err)
	}
}

func (b *tableBench) addMailbox(user uint64, name string, permission int) {
	b.t.Helper()
	b.sql("INSERT INTO dbmail_mailboxes (owner_idnr, name, permission, seq) VALUES (?,?,?,1)", user, name, permission)
}

func (b *tableBench) addFilter(user uint64, header, value, mailbox string) {
	b.t.Helper()
	b.sql("INSERT INTO dbmail_filters (user_id, headername, headervalue, mailbox) VALUES (?,?,?,?)", user, header, value, mailbox)
}

// deliver sends one message on a connection of its own and gives the replies.
func (b *bench) deliver(text, from string, to ...string) []string {
	b.t.Helper()
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin(from, to...)
	replies := c.message(text, len(to))
	c.send("QUIT", "221")
	return replies
}

func withFilters(s *Settings) { s.Delivery.Filters = true }

const anyoneID = 2

// The recorded "filters existing mailbox" and "filters by anyone", and what
// dbmail-lmtpd was not asked.
func TestFiltersChoose(t *testing.T) {
	for _, c := range []struct {
		name, rcpt string
		setUp      func(b *tableBench)
		want       string // mailbox
	}{
		{"none", "alice@example.org", func(*tableBench) {}, "INBOX"},
		{"existing mailbox", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 2)
			b.addFilter(101, "Subject", "%number%", "Filtered")
		}, "Filtered"},
		{"by anyone", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 2)
			b.addFilter(anyoneID, "Subject", "NUMBER _", "Filtered")
		}, "Filtered"},
		{"own before anyone's", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 2)
			b.addMailbox(101, "Other", 2)
			b.addFilter(anyoneID, "Subject", "%", "Other")
			b.addFilter(101, "Subject", "%", "Filtered")
		}, "Filtered"},
		{"the first that passes counts, though its mailbox is missing", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 2)
			b.addFilter(101, "From", "%nora%", "Missing")
			b.addFilter(101, "Subject", "%", "Filtered")
		}, "INBOX"},
		{"read-only mailbox", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 1)
			b.addFilter(101, "Subject", "%", "Filtered")
		}, "INBOX"},
		{"another's mailbox", "alice@example.org", func(b *tableBench) {
			b.addMailbox(102, "Filtered", 2)
			b.addFilter(101, "Subject", "%", "Filtered")
		}, "INBOX"},
		{"another's filter", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 2)
			b.addFilter(102, "Subject", "%", "Filtered")
		}, "INBOX"},
		{"a header that is not cached", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 2)
			b.addFilter(101, "Received", "%", "Filtered")
		}, "INBOX"},
		{"envelope sender", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 2)
			b.addFilter(101, "Return-Path", "%<nora@sender.test>", "Filtered")
		}, "Filtered"},
		{"detail overrides", "alice+Notes@example.org", func(b *tableBench) {
			b.addMailbox(101, "Notes", 2)
			b.addMailbox(101, "Filtered", 2)
			b.addFilter(101, "Subject", "%", "Filtered")
		}, "Notes"},
		{"a detail without mailbox overrides too", "alice+None@example.org", func(b *tableBench) {
			b.addMailbox(101, "Filtered", 2)
			b.addFilter(101, "Subject", "%", "Filtered")
		}, "INBOX"},
		{"accents and case", "alice@example.org", func(b *tableBench) {
			b.addMailbox(101, "R&AOk-sum&AOk-s", 2)
			b.addFilter(101, "subject", "NÚMBER 1", "Résumés")
		}, "R&AOk-sum&AOk-s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newTableBench(t, withFilters)
			c.setUp(b)
			if r := b.deliver(sample(1), "nora@sender.test", c.rcpt); !strings.HasPrefix(r[0], "250") {
				t.Fatalf("reply %q", r)
			}
			if !strings.Contains(b.log.String(), "mailbox="+c.want+" ") {
				t.Errorf("not in %s", c.want)
			}
			b.verifyClean()
		})
	}
}

func TestFiltersAreOffByDefault(t *testing.T) {
	b := newTableBench(t, nil)
	b.addMailbox(101, "Filtered", 2)
	b.addFilter(101, "Subject", "%", "Filtered")
	b.deliver(sample(1), "nora@sender.test", "alice@example.org")
	if !strings.Contains(b.log.String(), "mailbox=INBOX ") {
		t.Error("not in INBOX")
	}
}

// A user of the directory has filters as one of the store.
func TestFiltersOfTheDirectorysUsers(t *testing.T) {
	b := newTableBench(t, withFilters)
	b.set.Recipients = fixed{"alice@example.org": {Recipient: dbmail.Recipient{Users: []dbmail.User{{
		ID: 101, Name: "alice", Active: true, Identity: &dbmail.Identity{ID: 101, Login: "alice", Addresses: []string{"alice@example.org"}},
	}}}}}
	b.srv.Apply(b.set)
	b.addMailbox(101, "Filtered", 2)
	b.addFilter(anyoneID, "Subject", "%", "Filtered")
	b.deliver(sample(1), "nora@sender.test", "alice@example.org")
	if !strings.Contains(b.log.String(), "mailbox=Filtered ") {
		t.Error("not in Filtered")
	}
}

// fixed answers from a table.
type fixed map[string]recipient.Recipient

func (f fixed) Lookup(_ context.Context, address string) (recipient.Recipient, error) {
	r, ok := f[address]
	if !ok {
		return r, dbmail.ErrUnknown
	}
	return r, nil
}

// Nobody can tell where the copy goes: it comes again, and what needs no
// filters goes on.
func TestFiltersCannotBeRead(t *testing.T) {
	b := newTableBench(t, withFilters)
	b.addMailbox(102, "Notes", 2)
	b.sql("ALTER TABLE dbmail_filters RENAME TO away")
	r := b.deliver(sample(1), "nora@sender.test", "alice@example.org", "bob+Notes@example.org")
	if !strings.HasPrefix(r[0], "451 4.3.0") || !strings.HasPrefix(r[1], "250") {
		t.Errorf("replies %q", r)
	}
	if a, o := len(b.list("alice", "")), len(b.list("bob", "Notes")); a != 0 || o != 1 {
		t.Errorf("alice has %d copies, bob %d", a, o)
	}
	b.sql("ALTER TABLE away RENAME TO dbmail_filters")
	b.deliver(sample(1), "nora@sender.test", "alice@example.org")
	if n := len(b.list("alice", "")); n != 1 {
		t.Errorf("the second time alice has %d copies", n)
	}
}
