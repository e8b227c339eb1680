package dbmail

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/schema"
)

// Two processes make the same users at the same moment: each gets one row,
// and every message.
func TestTwoMakeTheSameUser(t *testing.T) {
	for kind, text := range map[string]string{"sqlite": "sqlite:" + filepath.Join(t.TempDir(), "store.db"), "mariadb": testbed.MariaDB(t).StoreDSN(t)} {
		s, other := openFresh(t, text, map[string]schema.Dialect{"sqlite": schema.SQLite, "mariadb": schema.MySQL}[kind], Options{}), beside(t, text)
		const users, each = 6, 8
		var wg sync.WaitGroup
		for n := range users * each {
			wg.Go(func() {
				store := []*Store{s, other}[n%2]
				i, k := n/each, (n/each+1)%users
				out := store.Deliver(mailTo(plain(n), "a@b.test", entry(uint64(10000+i), fmt.Sprintf("user%d", i), fmt.Sprintf("uuid-%d", i)),
					entry(uint64(10000+k), fmt.Sprintf("user%d", k), fmt.Sprintf("uuid-%d", k))))
				for _, o := range out {
					if o.Err != nil {
						t.Error(o.Err)
					}
				}
			})
		}
		wg.Wait()
		for query, want := range map[string]int64{
			"SELECT count(*) FROM dbmail_users WHERE user_idnr > 3": users,
			"SELECT count(*) FROM gatepost_users":                   users,
			"SELECT count(*) FROM dbmail_mailboxes":                 users,
			"SELECT count(*) FROM dbmail_messages":                  2 * users * each,
		} {
			if n := count(t, s, query); n != want {
				t.Errorf("%s: %s: %d, want %d", kind, query, n, want)
			}
		}
		clean(t, s)
	}
}

// beside opens a store a second time, as another process would.
func beside(t *testing.T, text string) *Store {
	t.Helper()
	dsn, err := ParseDSN(text)
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), dsn, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// waitFor returns when something has come about.
func waitFor(t *testing.T, come func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !come(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

// Two entries that claim one number, login or UUID in the same group: the
// first gets the row, the other is told so, and both keep their neighbours.
func TestClaimsWithinAGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for n, pair := range [][2]*Identity{
			{entry(10001, "lena", uuidA), entry(10001, "mika", uuidB)},
			{entry(10001, "lena", uuidA), entry(10001, "lena", uuidB)},
			{entry(10001, "lena", uuidA), entry(10002, "LENA", uuidB)},
			{entry(10001, "lena", uuidA), entry(10002, "mika", uuidA)},
			{entry(10001, "lena", ""), entry(10001, "mika", "")},
		} {
			for _, apart := range []bool{false, true} {
				if !apart && pair[0].ID == pair[1].ID {
					continue // a delivery has each user once
				}
				run(t, s, "DELETE FROM dbmail_users WHERE user_idnr > 3")
				run(t, s, "DELETE FROM gatepost_users")
				deliveries := []*Delivery{mailTo(plain(100+n), "a@b.test", pair[0], pair[1])}
				if apart {
					deliveries = []*Delivery{mailTo(plain(10*n), "a@b.test", pair[0]), mailTo(plain(10*n+1), "a@b.test", pair[1])}
				}
				var group []*job
				for _, d := range deliveries {
					j, err := s.newJob(d)
					if err != nil {
						t.Fatal(err)
					}
					group = append(group, j)
				}
				writeAll(s, group)
				out := append(group[0].out, group[len(group)-1].out...)
				if out[0].Err != nil || !errors.Is(out[len(out)-1].Err, ErrPairing) {
					t.Errorf("%d, apart %v: %v", n, apart, out)
				}
			}
		}
	})
}

// One message reaches a user through the directory, another one through the
// store's own tables.
func TestWithAndWithoutIdentityInAGroup(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		lena := entry(10001, "lena", uuidA)
		group := func() []error {
			var group []*job
			for i, d := range []*Delivery{mailTo(plain(1), "a@b.test", lena), mail(plain(2), "a@b.test", 10001)} {
				j, err := s.newJob(d)
				if err != nil {
					t.Fatal(i, err)
				}
				group = append(group, j)
			}
			writeAll(s, group)
			return []error{group[0].out[0].Err, group[1].out[0].Err}
		}
		// The store's own tables cannot have led to a user without a row.
		if errs := group(); errs[0] != nil || !errors.Is(errs[1], errVanished) {
			t.Errorf("%v", errs)
		}
		if errs := group(); errs[0] != nil || errs[1] != nil {
			t.Errorf("%v", errs)
		}
		if n := count(t, s, "SELECT count(*) FROM dbmail_messages"); n != 2 {
			t.Errorf("%d messages, want 2", n)
		}
		out := s.Deliver(&Delivery{Message: mail(plain(3), "").Message, Targets: []Target{{UserID: 10002, Identity: lena}}})
		if !errors.Is(out[0].Err, errOtherUser) {
			t.Errorf("somebody else's identity: %v", out[0].Err)
		}
		clean(t, s)
	})
}

// Mailboxes without a user are nobody's, whoever gets the number next.
func TestMailboxLeftBehind(t *testing.T) {
	s := mariaStore(t, Options{})
	mustDeliver(t, s, mailTo(plain(1), "a@b.test", entry(10001, "lena", uuidA)))
	run(t, s, "ALTER TABLE dbmail_mailboxes DROP FOREIGN KEY dbmail_mailboxes_ibfk_1")
	run(t, s, "DELETE FROM dbmail_users WHERE user_idnr = 10001")
	out := s.Deliver(mailTo(plain(2), "a@b.test", entry(10001, "mika", uuidB), entry(10002, "bob", uuidC)))
	if !errors.Is(out[0].Err, ErrPairing) || out[1].Err != nil {
		t.Errorf("%+v", out)
	}
	if n := count(t, s, "SELECT count(*) FROM dbmail_users WHERE user_idnr = 10001"); n != 0 {
		t.Error("a row was made")
	}
	run(t, s, "DELETE FROM dbmail_mailboxes WHERE owner_idnr = 10001")
	mustDeliver(t, s, mailTo(plain(3), "a@b.test", entry(10001, "mika", uuidB)))
}

// Two accounts with one number in a message: it is not for the store to say
// whose the mailbox is.
func TestTwoIdentitiesOfOneUser(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		lena, mika, bob := entry(10001, "lena", uuidA), entry(10001, "mika", uuidB), entry(10002, "bob", uuidC)
		d := mailTo(plain(1), "a@b.test", bob)
		d.Targets = append(d.Targets, Target{UserID: 10001})
		for _, i := range []*Identity{nil, lena, lena, nil} {
			d.Targets[1].Reached(i)
		}
		if t1 := d.Targets[1]; t1.Identity != lena || t1.Also != nil {
			t.Errorf("%+v", t1)
		}
		mustDeliver(t, s, d)
		again := mailTo(plain(2), "a@b.test", bob, lena)
		again.Targets[1].Reached(mika)
		out := s.Deliver(again)
		if out[0].Err != nil || !errors.Is(out[1].Err, ErrPairing) {
			t.Errorf("%+v", out)
		}
		clean(t, s)
	})
}

// Another writer of the store's rows comes between our look and our rows.
func TestLoginTakenMeanwhile(t *testing.T) {
	s := mariaStore(t, Options{})
	tx, err := s.db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.Exec("INSERT INTO dbmail_users (user_idnr, userid) VALUES (500, 'lena')"); err != nil {
		t.Fatal(err)
	}
	j, err := s.newJob(mailTo(plain(1), "a@b.test", entry(10001, "lena", uuidA), entry(10002, "mika", uuidB)))
	if err != nil {
		t.Fatal(err)
	}
	go s.writeGroup([]*job{j}, func() {})
	waitFor(t, func() bool {
		return count(t, s, "SELECT variable_value FROM information_schema.global_status WHERE variable_name = 'INNODB_ROW_LOCK_CURRENT_WAITS'") > 0
	})
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	<-j.done
	if !errors.Is(j.out[0].Err, ErrPairing) || j.out[1].Err != nil {
		t.Errorf("%v", j.out)
	}
	clean(t, s)
}
