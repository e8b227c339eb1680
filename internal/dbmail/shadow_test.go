package dbmail

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/schema"
)

// mailTo makes a delivery to users of the directory.
func mailTo(text, sender string, ids ...*Identity) *Delivery {
	d := mail(text, sender)
	for _, i := range ids {
		d.Targets = append(d.Targets, Target{UserID: i.ID, Identity: i})
	}
	return d
}

// rows gives the rows of a query, columns joined by commas.
func rows(t *testing.T, s *Store, query string) []string {
	t.Helper()
	var out []string
	r, err := s.db.Query(query)
	err = collect(r, err, func(r *sql.Rows) error {
		columns, err := r.Columns()
		if err != nil {
			return err
		}
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := r.Scan(into...); err != nil {
			return err
		}
		var text []string
		for _, v := range values {
			text = append(text, v.String)
		}
		out = append(out, strings.Join(text, ","))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const userRows = "SELECT user_idnr, userid, passwd, client_idnr, maxmail_size, curmail_size, encryption_type, active FROM dbmail_users WHERE user_idnr > 3 ORDER BY user_idnr"

// The first mail for a user of the directory leaves the rows that DBMail's
// own delivery was seen to leave for one of LDAP.
func TestFirstMailOfADirectoryUser(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		lena := entry(10001, "lena", uuidA)
		d := mailTo(plain(1), "nora@sender.test", lena)
		out := mustDeliver(t, s, d)
		if out[0].Mailbox != "INBOX" || out[0].UID == 0 {
			t.Errorf("%+v", out)
		}
		for query, want := range map[string]string{
			userRows: fmt.Sprintf("10001,lena,UNUSED,65535,0,%d,md5,1", d.Message.Size),
			"SELECT owner_idnr, name, seq, permission FROM dbmail_mailboxes":                                                          "10001,INBOX,2,2",
			"SELECT user_id, mailbox_id - (SELECT mailbox_idnr FROM dbmail_mailboxes) FROM dbmail_subscription":                       "10001,0",
			"SELECT recent_flag, status, seq FROM dbmail_messages":                                                                    "1,0,2",
			"SELECT user_idnr, entry_uuid, login FROM gatepost_users":                                                                 "10001," + uuidA + ",lena",
			"SELECT spasswd, saction FROM dbmail_users WHERE user_idnr = 10001":                                                       ",0",
			"SELECT last_login - (SELECT last_login FROM dbmail_users WHERE user_idnr = 2) FROM dbmail_users WHERE user_idnr = 10001": "0",
		} {
			if got := rows(t, s, query); len(got) != 1 || got[0] != want {
				t.Errorf("%s: %q, want %q", query, got, want)
			}
		}
		again := mustDeliver(t, s, mailTo(plain(1), "nora@sender.test", lena))
		if !again[0].Repeat || again[0].UID != out[0].UID {
			t.Errorf("the same again: %+v", again)
		}
		mustDeliver(t, s, mailTo(plain(2), "nora@sender.test", lena))
		users, errs := s.Identify(context.Background(), []*Identity{lena})
		if errs[0] != nil || users[0].Used != d.Message.Size*2 {
			t.Errorf("%+v, %v, want %d used", users[0], errs[0], d.Message.Size*2)
		}
		clean(t, s)
	})
}

// What Identify says of a pairing holds at delivery, and nothing is stored
// where it does not hold.
func TestPairingsAtDelivery(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		bob := addUser(t, s, "other", 0)
		for n, c := range pairings {
			run(t, s, "DELETE FROM dbmail_users WHERE user_idnr > ?", bob)
			run(t, s, "DELETE FROM gatepost_users")
			if c.rows != nil {
				c.rows(t, s)
			}
			before := rows(t, s, "SELECT user_idnr, userid FROM dbmail_users ORDER BY user_idnr")
			d := mailTo(plain(n), "a@b.test", c.entry)
			d.Targets = append(d.Targets, Target{UserID: bob})
			out := s.Deliver(d)
			if out[1].Err != nil {
				t.Errorf("%s: a neighbour: %v", c.name, out[1].Err)
			}
			if c.wrong == "" {
				want := fmt.Sprint(c.entry.ID) + "," + strings.ToLower(c.entry.Login)
				got := rows(t, s, fmt.Sprintf("SELECT user_idnr, lower(userid) FROM dbmail_users WHERE user_idnr = %d", c.entry.ID))
				if out[0].Err != nil || len(got) != 1 || got[0] != want {
					t.Errorf("%s: %+v, %v, want %s", c.name, out[0], got, want)
				}
				noted := rows(t, s, fmt.Sprintf("SELECT entry_uuid FROM gatepost_users WHERE user_idnr = %d", c.entry.ID))
				if c.entry.UUID != "" && (len(noted) != 1 || noted[0] != c.entry.uuid()) || c.entry.UUID == "" && len(noted) > 0 {
					t.Errorf("%s: noted %v", c.name, noted)
				}
				continue
			}
			if !errors.Is(out[0].Err, ErrPairing) || !strings.Contains(out[0].Err.Error(), c.wrong) {
				t.Errorf("%s: %v, want %q", c.name, out[0].Err, c.wrong)
			}
			if after := rows(t, s, "SELECT user_idnr, userid FROM dbmail_users ORDER BY user_idnr"); strings.Join(after, " ") != strings.Join(before, " ") {
				t.Errorf("%s: %v became %v", c.name, before, after)
			}
			if n := count(t, s, "SELECT count(*) FROM dbmail_mailboxes WHERE owner_idnr <> ?", bob); n != 0 {
				t.Errorf("%s: %d mailboxes", c.name, n)
			}
		}
		clean(t, s)
	})
}

// An entry that was renamed keeps its mailbox, and the log says so.
func TestRenamedEntryKeepsItsMailbox(t *testing.T) {
	var log bytes.Buffer
	o := Options{Log: slog.New(slog.NewTextHandler(&log, nil))}
	for _, s := range []*Store{sqliteStore(t, o), mariaStore(t, o)} {
		log.Reset()
		first := mustDeliver(t, s, mailTo(plain(1), "a@b.test", entry(10001, "lena", uuidA)))
		second := mustDeliver(t, s, mailTo(plain(2), "a@b.test", entry(10001, "lena.new", uuidA)))
		if got := rows(t, s, "SELECT userid FROM dbmail_users WHERE user_idnr > 3"); len(got) != 1 || got[0] != "lena.new" {
			t.Errorf("users %v", got)
		}
		if n := count(t, s, "SELECT count(*) FROM dbmail_messages m JOIN dbmail_mailboxes b ON b.mailbox_idnr = m.mailbox_idnr WHERE b.owner_idnr = 10001 AND m.message_idnr IN (?, ?)",
			first[0].UID, second[0].UID); n != 2 {
			t.Errorf("%d messages of 2 in one mailbox", n)
		}
		if n := strings.Count(log.String(), "user_idnr=10001 from=lena to=lena.new"); n != 1 {
			t.Errorf("%d log lines: %s", n, log.String())
		}
		// And once more: what is noted has followed.
		mustDeliver(t, s, mailTo(plain(3), "a@b.test", entry(10001, "lena.b", uuidA)))
		// The login that is free again is somebody else's now.
		mustDeliver(t, s, mailTo(plain(4), "a@b.test", entry(10002, "lena", uuidB)))
		if n := count(t, s, "SELECT count(*) FROM dbmail_mailboxes"); n != 2 {
			t.Errorf("%d mailboxes, want 2", n)
		}
		clean(t, s)
	}
}

// The quota is the directory's, to the byte, and never gets into the row.
func TestDirectoryQuotaIsExact(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		size := mail(plain(1), "").Message.Size
		shadow(t, s, 10001, "carol", uuidA)
		run(t, s, "UPDATE dbmail_users SET maxmail_size = 1 WHERE user_idnr = 10001") // by hand, and not looked at
		carol := entry(10001, "carol", uuidA)
		carol.Quota = 2 * size
		dave := entry(10002, "dave", uuidB)
		var group []*job
		for i := range 3 {
			j, err := s.newJob(mailTo(plain(i+1), "a@b.test", carol, dave))
			if err != nil {
				t.Fatal(err)
			}
			group = append(group, j)
		}
		writeAll(s, group)
		stored := 0
		for _, j := range group {
			if j.out[0].Err == nil {
				stored++
			} else if !errors.Is(j.out[0].Err, ErrOverQuota) {
				t.Error(j.out[0].Err)
			}
			if j.out[1].Err != nil {
				t.Error(j.out[1].Err)
			}
		}
		if stored != 2 {
			t.Errorf("%d stored, want 2: exactly full", stored)
		}
		carol.Quota++
		if out := s.Deliver(mailTo(plain(4), "a@b.test", carol)); !errors.Is(out[0].Err, ErrOverQuota) {
			t.Errorf("%+v", out)
		}
		// Who is over quota with the first mail gets no row either.
		erin := entry(10003, "erin", uuidC)
		erin.Quota = size - 1
		if out := s.Deliver(mailTo(plain(5), "a@b.test", erin)); !errors.Is(out[0].Err, ErrOverQuota) {
			t.Errorf("%+v", out)
		}
		want := []string{fmt.Sprintf("10001,carol,UNUSED,65535,1,%d,md5,1", 2*size), fmt.Sprintf("10002,dave,UNUSED,65535,0,%d,md5,1", 3*size)}
		if got := rows(t, s, userRows); strings.Join(got, "\n") != strings.Join(want, "\n") {
			t.Errorf("rows %q, want %q", got, want)
		}
		clean(t, s)
	})
}

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
