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

	"gatepost/internal/message"
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
	w.begun = true
	if err := w.content(); err != nil {
		t.Fatal(err)
	}
	if len(w.blobs.reused) == 0 || len(w.values.reused) == 0 {
		t.Fatalf("nothing is reused: %d parts, %d values", len(w.blobs.reused), len(w.values.reused))
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

// The room for one message may depend on another one of the same group.
func TestQuotaAmongNeighbours(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		size := mail(plain(1), "").Message.Size
		carol := addUser(t, s, "carol", 3*size)
		group := make([]*job, 5)
		for i := range group {
			var err error
			if group[i], err = s.newJob(mail(plain(i), "a@b.test", carol)); err != nil {
				t.Fatal(err)
			}
		}
		writeAll(s, group)
		stored, full := 0, 0
		for _, j := range group {
			switch {
			case j.out[0].Err == nil:
				stored++
			case errors.Is(j.out[0].Err, ErrOverQuota):
				full++
			default:
				t.Error(j.out[0].Err)
			}
		}
		if stored != 3 || full != 2 {
			t.Errorf("%d stored, %d refused, want 3 and 2", stored, full)
		}
		clean(t, s)
	})
}

// The same delivery from two sessions at once is stored once.
func TestSameTwiceInOneGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		var group []*job
		for range 3 {
			j, err := s.newJob(mail(plain(1), "a@b.test", alice))
			if err != nil {
				t.Fatal(err)
			}
			group = append(group, j)
		}
		writeAll(s, group)
		repeats := 0
		for _, j := range group {
			if j.out[0].Err != nil {
				t.Error(j.out[0].Err)
			}
			if j.out[0].Repeat {
				repeats++
			}
		}
		if n := count(t, s, "SELECT count(*) FROM dbmail_messages"); n != 1 || repeats != 2 {
			t.Errorf("%d messages, %d repeats, want 1 and 2", n, repeats)
		}
		clean(t, s)
	})
}

// A message that the store refuses does not take its neighbours with it, and
// text that a column cannot hold degrades the cache, never the message.
func TestOldTextColumns(t *testing.T) {
	for _, charset := range []string{"utf8mb3", "latin1"} {
		t.Run(charset, func(t *testing.T) {
			s := mariaStore(t, Options{})
			for _, q := range []string{
				"ALTER TABLE dbmail_headervalue MODIFY headervalue TEXT CHARACTER SET %[1]s NOT NULL, MODIFY sortfield VARCHAR(255) CHARACTER SET %[1]s",
				"ALTER TABLE dbmail_envelope MODIFY envelope TEXT CHARACTER SET %[1]s NOT NULL",
				"ALTER TABLE dbmail_referencesfield MODIFY referencesfield VARCHAR(255) CHARACTER SET %[1]s NOT NULL DEFAULT ''",
			} {
				if _, err := s.db.Exec(fmt.Sprintf(q, charset)); err != nil {
					t.Fatal(err)
				}
			}
			if err := s.learnCharset(context.Background()); err != nil || !s.limits.UTF8MB3 {
				t.Fatalf("not noticed: %v", err)
			}
			alice := addUser(t, s, "alice", 0)
			texts := []string{
				plain(1),
				strings.Replace(plain(2), "number 2", "漢字 🌻", 1),
				strings.Replace(plain(3), "To: alice@example.org", "To: "+strings.Repeat("someone@example.org, ", 6000)+"alice@example.org", 1),
			}
			var group []*job
			for _, text := range texts {
				j, err := s.newJob(mail(text, "a@b.test", alice))
				if err != nil {
					t.Fatal(err)
				}
				group = append(group, j)
			}
			writeAll(s, group)
			for i, j := range group {
				if j.out[0].Err != nil {
					t.Fatalf("message %d: %v", i, j.out[0].Err)
				}
				var b bytes.Buffer
				if err := s.WriteMessage(context.Background(), &b, j.out[0].UID); err != nil {
					t.Fatal(err)
				}
				if want := "Return-Path: <a@b.test>\r\n" + strings.ReplaceAll(texts[i], "\n", "\r\n"); b.String() != want {
					t.Errorf("message %d is not whole", i)
				}
			}
			clean(t, s)
		})
	}
}

// Without RETURNING the ids are computed, whatever their distance.
func TestIDsWithoutReturning(t *testing.T) {
	s := mariaStore(t, Options{})
	s.d.returning = false
	users := []uint64{addUser(t, s, "a", 0), addUser(t, s, "b", 0)}
	if _, err := s.db.Exec("SET GLOBAL auto_increment_increment = 3"); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if _, err := s.db.Exec("SET GLOBAL auto_increment_increment = 1"); err != nil {
			t.Error(err)
		}
	}()
	s.db.SetMaxIdleConns(0) // new connections have the new distance
	var group []*job
	for i := range 4 {
		j, err := s.newJob(mail(plain(i), "a@b.test", users...))
		if err != nil {
			t.Fatal(err)
		}
		group = append(group, j)
	}
	writeAll(s, group)
	for i, j := range group {
		for k := range users {
			var b bytes.Buffer
			if err := s.WriteMessage(context.Background(), &b, j.out[k].UID); err != nil {
				t.Fatalf("message %d: %v (%v)", i, err, j.out[k].Err)
			}
			if !strings.Contains(b.String(), fmt.Sprintf("number %d\r\n", i)) {
				t.Errorf("message %d reads %q", i, b.String())
			}
		}
	}
	clean(t, s)
}

// Somebody holds one user's row: mail for others goes on.
func TestLockedUserHoldsUpNobodyElse(t *testing.T) {
	s := mariaStore(t, Options{Deadline: 8 * time.Second})
	alice, bob := addUser(t, s, "alice", 0), addUser(t, s, "bob", 0)
	tx, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE dbmail_users SET last_login = last_login WHERE user_idnr = ?", alice); err != nil {
		t.Fatal(err)
	}
	var group []*job
	for i := range 6 {
		u := bob
		if i == 2 {
			u = alice
		}
		j, err := s.newJob(mail(plain(i), "a@b.test", u))
		if err != nil {
			t.Fatal(err)
		}
		group = append(group, j)
	}
	writeAll(s, group)
	for i, j := range group {
		if got := j.out[0].Err; (got != nil) != (i == 2) {
			t.Errorf("message %d: %v", i, got)
		}
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	mustDeliver(t, s, mail(plain(2), "a@b.test", alice))
	clean(t, s)
}

// writeAll writes a group and waits until every outcome is final.
func writeAll(s *Store, group []*job) {
	s.writeGroup(group, func() {})
	for _, j := range group {
		<-j.done
	}
}

// dbmail-util removes header names that no message uses; we remember them.
func TestHeaderNameCleanedAway(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		if _, err := s.write.Exec("DELETE FROM dbmail_headername WHERE headername = 'bcc'"); err != nil {
			t.Fatal(err)
		}
		mustDeliver(t, s, mail("Bcc: bob@example.org\n"+plain(1), "a@b.test", alice))
		if n := count(t, s, "SELECT count(*) FROM dbmail_header h JOIN dbmail_headername n ON n.id = h.headername_id WHERE n.headername = 'bcc'"); n != 1 {
			t.Errorf("%d bcc headers", n)
		}
		clean(t, s)
	})
}

// New header names are added where that is asked for.
func TestAllHeadersCached(t *testing.T) {
	for kind, s := range map[string]*Store{
		"sqlite":  sqliteStore(t, Options{CacheAllHeaders: true}),
		"mariadb": mariaStore(t, Options{CacheAllHeaders: true}),
	} {
		alice := addUser(t, s, "alice", 0)
		d := mail(plain(1), "a@b.test", alice)
		raw, err := message.ReadRaw(strings.NewReader("X-New: one\r\n"+strings.ReplaceAll(plain(1), "\n", "\r\n")), 0, 0)
		if err != nil {
			t.Fatal(err)
		}
		d.Message = message.Split(raw, message.Options{Sender: "a@b.test", Received: d.Received, Cached: s.CachedHeader})
		mustDeliver(t, s, d)
		if n := count(t, s, "SELECT count(*) FROM dbmail_headername WHERE headername IN ('x-new', 'message-id')"); n != 2 {
			t.Errorf("%s: %d of 2 new names", kind, n)
		}
		clean(t, s)
	}
}

// A copy whose COMMIT was not answered is found again also when the client is
// known to have read the answer to an earlier one.
func TestLostCommitOfADeliberateRepeat(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		d := mail(plain(1), "a@b.test", alice)
		mustDeliver(t, s, d)
		s.Answered([]Mark{NewMark("a@b.test", alice, d.Digest)})
		j, err := s.newJob(mail(plain(1), "a@b.test", alice))
		if err != nil {
			t.Fatal(err)
		}
		ctx := context.Background()
		if err := s.attempt(ctx, []*job{j}, func() {}); err != nil {
			t.Fatal(err)
		}
		// As if the answer had been lost: the same job again.
		s.Answered(j.marks)
		j.written, j.done = false, make(chan struct{})
		if err := s.attempt(ctx, []*job{j}, func() {}); err != nil {
			t.Fatal(err)
		}
		if n := count(t, s, "SELECT count(*) FROM dbmail_messages"); n != 2 || !j.out[0].Repeat {
			t.Errorf("%d messages, want 2; %+v", n, j.out[0])
		}
	})
}
