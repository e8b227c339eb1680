package dbmail

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
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
// TestLoginBeyondColumns: a login that old columns cannot hold is in doubt, and
// nobody else with it.
func TestLoginBeyondColumns(t *testing.T) {
	s := mariaStore(t, Options{})
	for _, table := range []string{"dbmail_users", "dbmail_physmessage"} {
		if _, err := s.db.ExecContext(t.Context(), "ALTER TABLE "+table+" CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci"); err != nil {
			t.Fatal(err)
		}
	}
	s.limits.UTF8MB3 = true
	odd, even := &Identity{ID: 10001, Login: "a😀", UUID: "1"}, &Identity{ID: 10002, Login: "jörg", UUID: "2"}
	broken := &Identity{ID: 10003, Login: "b\xff", UUID: "3"}
	if _, errs := s.Identify(t.Context(), []*Identity{odd, even, broken}); errs[0] == nil || errs[1] != nil || errs[2] == nil {
		t.Errorf("held against the store: %v", errs)
	}
	d := mail(plain(1), "a@b.test")
	d.Targets = []Target{{UserID: 10001, Identity: odd}, {UserID: 10002, Identity: even}}
	if out := s.Deliver(d); out[0].Err == nil || out[1].Err != nil {
		t.Errorf("delivered: %+v", out)
	}
}

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
