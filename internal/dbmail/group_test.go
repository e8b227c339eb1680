package dbmail

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatepost/internal/message"
)

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
