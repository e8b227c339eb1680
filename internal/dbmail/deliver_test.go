package dbmail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
)

func TestDeliverOne(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice, bob := addUser(t, s, "alice", 0), addUser(t, s, "bob", 0)
		d := mail(plain(1), "nora@sender.test", alice, bob)
		out := mustDeliver(t, s, d)
		if out[0].Mailbox != "INBOX" || out[0].UID == 0 || out[1].UID <= out[0].UID {
			t.Errorf("outcomes %+v", out)
		}
		for query, want := range map[string]int64{
			"SELECT count(*) FROM dbmail_physmessage":                                                             1,
			"SELECT count(*) FROM dbmail_messages WHERE status = 0 AND recent_flag = 1 AND seq = 2":               2,
			"SELECT count(*) FROM dbmail_mimeparts":                                                               2,
			"SELECT count(*) FROM dbmail_partlists":                                                               2,
			"SELECT count(*) FROM dbmail_envelope":                                                                1,
			"SELECT count(*) FROM dbmail_mailboxes WHERE name = 'INBOX' AND seq = 2 AND permission = 2":           2,
			"SELECT count(*) FROM dbmail_subscription":                                                            2,
			"SELECT count(*) FROM dbmail_users WHERE curmail_size = (SELECT messagesize FROM dbmail_physmessage)": 2,
		} {
			if got := count(t, s, query); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
		}
		var b bytes.Buffer
		if err := s.WriteMessage(context.Background(), &b, out[0].UID); err != nil {
			t.Fatal(err)
		}
		want := "Return-Path: <nora@sender.test>\r\n" + strings.ReplaceAll(plain(1), "\n", "\r\n")
		if b.String() != want {
			t.Errorf("read back\n%q\nwant\n%q", b.String(), want)
		}
		clean(t, s)
	})
}

func TestDedupe(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		d := mail(plain(1), "a@b.test", alice)
		mustDeliver(t, s, d)
		s.Answered([]Mark{NewMark("a@b.test", alice, d.Digest)})
		if out := mustDeliver(t, s, mail(plain(1), "a@b.test", alice)); out[0].Repeat {
			t.Fatal("the client had read the answer: this is a second message")
		}
		mustDeliver(t, s, mail(strings.Replace(plain(1), "body 1", "other body", 1), "a@b.test", alice))
		if n := count(t, s, "SELECT count(*) FROM dbmail_mimeparts"); n != 3 {
			t.Errorf("%d parts, want 3: one header, two bodies", n)
		}
		if n := count(t, s, "SELECT count(*) FROM dbmail_messages"); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
		clean(t, s)
	})
}

// A part whose hash and size match but whose content differs is not shared.
func TestDedupeComparesContent(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		mustDeliver(t, s, mail(plain(1), "a@b.test", alice))
		if _, err := s.write.Exec("UPDATE dbmail_mimeparts SET data = ? WHERE size = 7", []byte("BODY 1\n")); err != nil {
			t.Fatal(err)
		}
		out := mustDeliver(t, s, mail(plain(1), "other@b.test", alice))
		var b bytes.Buffer
		if err := s.WriteMessage(context.Background(), &b, out[0].UID); err != nil {
			t.Fatal(err)
		}
		if !strings.HasSuffix(b.String(), "body 1\r\n") {
			t.Errorf("took another message's content: %q", b.String())
		}
	})
}

// A blob without a link may be on dbmail-util's list of things to delete.
func TestOrphanIsNotReused(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		mustDeliver(t, s, mail(plain(1), "a@b.test", alice))
		for _, q := range []string{"DELETE FROM dbmail_messages", "DELETE FROM dbmail_physmessage"} {
			if _, err := s.write.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		before := count(t, s, "SELECT max(id) FROM dbmail_mimeparts")
		mustDeliver(t, s, mail(plain(1), "a@b.test", alice))
		if n := count(t, s, "SELECT min(part_id) FROM dbmail_partlists"); n <= before {
			t.Errorf("reused the orphan part %d", n)
		}
		if n := count(t, s, "SELECT count(*) FROM dbmail_header h JOIN dbmail_headervalue v ON v.id = h.headervalue_id"); n == 0 {
			t.Error("no headers")
		}
	})
}

func TestRepeat(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice, bob := addUser(t, s, "alice", 0), addUser(t, s, "bob", 0)
		first := mustDeliver(t, s, mail(plain(1), "a@b.test", alice))
		again := mustDeliver(t, s, mail(plain(1), "a@b.test", alice))
		if !again[0].Repeat || again[0].UID != first[0].UID {
			t.Errorf("repeat not recognised: %+v after %+v", again, first)
		}
		both := mustDeliver(t, s, mail(plain(1), "a@b.test", alice, bob))
		if !both[0].Repeat || both[1].Repeat {
			t.Errorf("alice has it, bob has not: %+v", both)
		}
		if out := mustDeliver(t, s, mail(plain(1), "x@b.test", alice)); out[0].Repeat {
			t.Error("another sender is another delivery")
		}
		if n := count(t, s, "SELECT count(*) FROM dbmail_messages"); n != 3 {
			t.Errorf("%d messages, want 3", n)
		}
		clean(t, s)
	})
}

// TestLastAttempt: Postfix tries a message once more when its five days in the
// queue are over, within maximal_backoff_time (4000 s). Who had it on the
// first day has it already.
func TestLastAttempt(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		d := mail(plain(1), "a@b.test", alice)
		d.Received = d.Received.Add(-5*24*time.Hour - 4000*time.Second)
		mustDeliver(t, s, d)
		if out := mustDeliver(t, s, mail(plain(1), "a@b.test", alice)); !out[0].Repeat {
			t.Error("stored a second time")
		}
	})
}

func TestQuotaIsExact(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		size := mail(plain(1), "").Message.Size
		carol, dave := addUser(t, s, "carol", 2*size), addUser(t, s, "dave", 0)
		mustDeliver(t, s, mail(plain(1), "a@b.test", carol))
		mustDeliver(t, s, mail(plain(2), "a@b.test", carol)) // exactly full
		out := s.Deliver(mail(plain(3), "a@b.test", carol, dave))
		if !errors.Is(out[0].Err, ErrOverQuota) || out[1].Err != nil {
			t.Errorf("outcomes %+v", out)
		}
		out = s.Deliver(mail(plain(4), "a@b.test", carol))
		if !errors.Is(out[0].Err, ErrOverQuota) {
			t.Errorf("outcome %+v", out)
		}
		clean(t, s) // no rows of a message that nobody got
	})
}

func TestMailboxChoice(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		mustDeliver(t, s, mail(plain(0), "a@b.test", alice))
		for _, q := range []string{
			"INSERT INTO dbmail_mailboxes (owner_idnr, name, permission) VALUES (%d, 'Notes', 2)",
			"INSERT INTO dbmail_mailboxes (owner_idnr, name, permission) VALUES (%d, 'ReadOnly', 1)",
			"INSERT INTO dbmail_mailboxes (owner_idnr, name, permission, no_select) VALUES (%d, 'Parent', 2, 1)",
			"INSERT INTO dbmail_mailboxes (owner_idnr, name, permission) VALUES (%d, 'Entw&APw-rfe', 2)",
		} {
			if _, err := s.write.Exec(fmt.Sprintf(q, alice)); err != nil {
				t.Fatal(err)
			}
		}
		for i, c := range []struct{ want, box string }{
			{"Notes", "Notes"}, {"Notes", "nOTES"}, {"INBOX", "N_tes"}, {"INBOX", "N%"}, {"INBOX", "Nope"},
			{"INBOX", "ReadOnly"}, {"INBOX", "Parent"}, {"Entw&APw-rfe", "Entwürfe"}, {"INBOX", "#Users/bob/INBOX"}, {"INBOX", "inbox"},
		} {
			d := mail(plain(i+1), "a@b.test", alice)
			d.Targets[0].Mailbox = c.box
			if out := mustDeliver(t, s, d); out[0].Mailbox != c.want {
				t.Errorf("%q went to %q, want %q", c.box, out[0].Mailbox, c.want)
			}
		}
		if _, err := s.write.Exec("UPDATE dbmail_mailboxes SET permission = 1 WHERE name = 'INBOX'"); err != nil {
			t.Fatal(err)
		}
		out := s.Deliver(mail(plain(99), "a@b.test", alice))
		if !errors.Is(out[0].Err, ErrNoPermission) {
			t.Errorf("read-only INBOX: %+v", out)
		}
		clean(t, s)
	})
}

func TestManyAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		var users []uint64
		for i := range 5 {
			users = append(users, addUser(t, s, fmt.Sprintf("user%d", i), 0))
		}
		const sessions, each = 16, 12
		var wg sync.WaitGroup
		for c := range sessions {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for i := range each {
					n := c*each + i
					for _, o := range s.Deliver(mail(plain(n), "a@b.test", users[n%5], users[(n+2)%5])) {
						if o.Err != nil {
							t.Error(o.Err)
						}
					}
				}
			}()
		}
		wg.Wait()
		if n := count(t, s, "SELECT count(*) FROM dbmail_messages"); n != 2*sessions*each {
			t.Errorf("%d messages, want %d", n, 2*sessions*each)
		}
		// Within a mailbox, ids and seqs rise together and none is used twice.
		if n := count(t, s, `SELECT count(*) FROM dbmail_messages a JOIN dbmail_messages b
			ON a.mailbox_idnr = b.mailbox_idnr AND a.message_idnr < b.message_idnr WHERE a.seq >= b.seq`); n != 0 {
			t.Errorf("%d pairs out of order", n)
		}
		clean(t, s)
	})
}

// What is reused stays locked until COMMIT: dbmail-util cannot take away the
// last link of a part between our look and our link.
func TestReusedLinkIsLocked(t *testing.T) {
	s := mariaStore(t, Options{})
	alice := addUser(t, s, "alice", 0)
	d := mail(plain(1), "a@b.test", alice)
	mustDeliver(t, s, d)
	ctx := context.Background()
	j, err := s.newJob(mail(plain(1), "other@b.test", alice))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := s.write.Conn(ctx)
	if err != nil {
		t.Fatal(err)
	}
	group := []*job{j}
	w := &writer{s: s, ctx: ctx, conn: conn, group: group, blobs: newBlobSet(group), values: newValueSet(group)}
	defer func() { w.end(nil) }()
	if err := w.look(); err != nil {
		t.Fatal(err)
	}
	if len(w.blobs.stored) == 0 || len(w.values.stored) == 0 {
		t.Fatalf("nothing is reused: %d parts, %d values", len(w.blobs.stored), len(w.values.stored))
	}
	for _, q := range []string{
		"SET STATEMENT innodb_lock_wait_timeout = 1 FOR DELETE FROM dbmail_partlists WHERE is_header = 0",
		"SET STATEMENT innodb_lock_wait_timeout = 1 FOR DELETE FROM dbmail_physmessage",
		"SET STATEMENT innodb_lock_wait_timeout = 1 FOR DELETE FROM dbmail_header",
	} {
		_, err := s.db.ExecContext(ctx, q)
		var my *mysql.MySQLError
		if !errors.As(err, &my) || my.Number != erLockWait {
			t.Errorf("%s: %v, want a lock wait", q, err)
		}
	}
}
