package dbmail

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/schema"
)

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func exec(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	if _, err := s.write.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

func addReply(t *testing.T, s *Store, user uint64, from, to time.Time, body any) {
	t.Helper()
	exec(t, s, "INSERT INTO dbmail_auto_replies (user_idnr, start_date, stop_date, reply_body) VALUES (?,?,?,?)", user, timestamp(from), timestamp(to), body)
}

func TestAutomatic(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		var users []uint64
		for i := range 7 {
			users = append(users, addUser(t, s, fmt.Sprintf("user%d", i), 0))
		}
		day := 24 * time.Hour
		addReply(t, s, users[0], noon, noon.Add(day), "begins now")
		addReply(t, s, users[1], noon.Add(-day), noon, "ends now\r\n")
		addReply(t, s, users[2], noon.Add(time.Second), noon.Add(day), "later")
		addReply(t, s, users[3], noon.Add(-day), noon.Add(-time.Second), "over")
		addReply(t, s, users[4], noon.Add(-day), noon.Add(day), nil)
		addReply(t, s, users[5], noon.Add(-day), noon.Add(day), " \n")
		notify := func(user uint64, to any) {
			exec(t, s, "INSERT INTO dbmail_auto_notifications (user_idnr, notify_address) VALUES (?,?)", user, to)
		}
		notify(users[1], "pager@outside.test ")
		notify(users[6], "")

		got, err := s.Automatic(ctx, users, noon, true, true)
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 2 || got[users[0]].Reply != "begins now" || got[users[1]].Reply != "ends now\r\n" ||
			!slices.Equal(got[users[1]].Notify, []string{"pager@outside.test"}) {
			t.Errorf("both: %+v", got)
		}
		if got, err := s.Automatic(ctx, users, noon, false, true); err != nil || len(got) != 1 || got[users[1]].Reply != "" {
			t.Errorf("notifications alone: %+v, %v", got, err)
		}
		if got, err := s.Automatic(ctx, users, noon, true, false); err != nil || len(got) != 2 || got[users[1]].Notify != nil {
			t.Errorf("replies alone: %+v, %v", got, err)
		}
		if got, err := s.Automatic(ctx, nil, noon, true, true); err != nil || len(got) != 0 {
			t.Errorf("of nobody: %+v, %v", got, err)
		}
		exec(t, s, "DROP TABLE dbmail_auto_replies")
		if _, err := s.Automatic(ctx, users, noon, true, false); err == nil {
			t.Error("no error without the table")
		}
	})
}

// Where the tables allow several rows of a user.
func TestAutomaticSeveral(t *testing.T) {
	s := mariaStore(t, Options{})
	u := addUser(t, s, "alice", 0)
	addReply(t, s, u, noon.Add(-2*time.Hour), noon.Add(time.Hour), "older")
	addReply(t, s, u, noon.Add(-time.Hour), noon.Add(time.Hour), "newer")
	addReply(t, s, u, noon.Add(-3*time.Hour), noon.Add(time.Hour), "oldest")
	for i := range 50 {
		exec(t, s, "INSERT INTO dbmail_auto_notifications VALUES (?,?)", u, fmt.Sprintf("pager%d@outside.test", i%30))
	}
	got, err := s.Automatic(context.Background(), []uint64{u}, noon, true, true)
	if a := got[u]; err != nil || a.Reply != "newer" || len(a.Notify) != maxNotify {
		t.Errorf("%+v, %v", a, err)
	}
}

// DBMail compares with NOW(), by the server's clock.
func TestAutomaticServerClock(t *testing.T) {
	server := testbed.StartMariaDB(t, testbed.MariaDBOptions{Args: []string{"--default-time-zone=+05:00"}})
	s := openFresh(t, server.StoreDSN(t), schema.MySQL, Options{})
	u := addUser(t, s, "alice", 0)
	addReply(t, s, u, noon.Add(5*time.Hour-time.Minute), noon.Add(5*time.Hour+time.Minute), "away")
	got, err := s.Automatic(context.Background(), []uint64{u}, noon, true, false)
	if err != nil || got[u].Reply != "away" {
		t.Errorf("%+v, %v", got, err)
	}
	// A row that DBMail made a day ago, seen by us and by it.
	exec(t, s, "INSERT INTO dbmail_replycache VALUES ('a@b.test', 'alice@example.org', 'x', CONVERT_TZ(NOW(), '+00:00', '+05:00') - INTERVAL 167 HOUR)")
	key := ReplyKey{"a@b.test", "alice@example.org", "x"}
	if ok, err := s.ClaimReply(context.Background(), key, time.Now()); ok || err != nil {
		t.Errorf("claimed after 167 hours: %v, %v", ok, err)
	}
	exec(t, s, "UPDATE dbmail_replycache SET lastseen = lastseen - INTERVAL 2 HOUR")
	if ok, err := s.ClaimReply(context.Background(), key, time.Now()); !ok || err != nil {
		t.Errorf("not claimed after 169 hours: %v", err)
	}
	if n := count(t, s, "SELECT count(*) FROM dbmail_replycache WHERE abs(timestampdiff(SECOND, lastseen, CONVERT_TZ(NOW(), '+00:00', '+05:00'))) < 600"); n != 1 {
		t.Error("lastseen is not what NOW() gives DBMail")
	}
}

func TestOwnAddresses(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice@example.org", 0, "a.liddell@example.org", "info@", "@catch.example.org")
		bob := addUser(t, s, "bob", 0, "bob@example.org")
		alias := func(alias, to string) {
			exec(t, s, "INSERT INTO dbmail_aliases (alias, deliver_to) VALUES (?,?)", alias, to)
		}
		alias("team@example.org", fmt.Sprint(alice))
		alias("team@example.org", fmt.Sprint(bob))
		alias("kept@example.org", fmt.Sprint(alice))
		alias("kept@example.org", "alice@outside.test")
		alias("chain@example.org", "A.Liddell@example.org")
		alias("longer@example.org", "chain@example.org")
		alias("round@example.org", "round@example.org")
		alias("x@example.org", "y@example.org")
		alias("y@example.org", "x@example.org")
		check := func(u User, want ...string) {
			t.Helper()
			got, err := s.OwnAddresses(context.Background(), u)
			slices.Sort(got)
			slices.Sort(want)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("%s: %q, %v; want %q", u.Name, got, err, want)
			}
		}
		check(User{ID: alice, Name: "alice@example.org"}, "alice@example.org", "a.liddell@example.org", "kept@example.org", "chain@example.org", "longer@example.org")
		check(User{ID: bob, Name: "bob"}, "bob@example.org")
		check(User{ID: bob, Name: "bob", Identity: &Identity{Addresses: []string{"b@directory.test"}}}, "b@directory.test")
		check(User{ID: 4711, Name: "nobody"})
	})
}

func TestClaimReply(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		key := NewReplyKey("sender@remote.test", "alice@example.org", "gone fishing")
		if want := "3d4893359b416d001ca0b61af29dbb7c"; key.Handle != want { // as recorded of dbmail-lmtpd
			t.Errorf("handle %s, want %s", key.Handle, want)
		}
		claim := func(k ReplyKey, at time.Time, want bool) {
			t.Helper()
			if got, err := s.ClaimReply(ctx, k, at); err != nil || got != want {
				t.Errorf("%+v at %v: %v, %v", k, at, got, err)
			}
		}
		now := time.Now()
		claim(key, now, true)
		claim(key, now, false)
		claim(key, now.Add(ReplyInterval), false)
		claim(NewReplyKey("other@remote.test", "alice@example.org", "gone fishing"), now, true)
		claim(NewReplyKey("sender@remote.test", "alice@example.org", "back soon"), now, true)
		later := now.Add(ReplyInterval + 2*time.Second)
		claim(key, later, true)
		claim(key, later, false)
		if err := s.ReleaseReply(ctx, key); err != nil {
			t.Error(err)
		}
		claim(key, later, true)
		claim(ReplyKey{To: strings.Repeat("a", 256) + "@x.test", From: "b@x.test"}, now, false)
		if n := count(t, s, "SELECT count(*) FROM dbmail_replycache WHERE to_addr = ? AND from_addr = ? AND handle = ?", key.To, key.From, key.Handle); n != 1 {
			t.Errorf("%d rows", n)
		}
		// One that dbmail-lmtpd has answered.
		exec(t, s, "INSERT INTO dbmail_replycache (to_addr, from_addr, handle, lastseen) VALUES ('d@x.test','alice@example.org',?,?)", key.Handle, timestamp(now.Add(-time.Hour)))
		claim(ReplyKey{"d@x.test", "alice@example.org", key.Handle}, now, false)
	})
}

// Two servers and many sessions: one is told yes.
func TestClaimOnce(t *testing.T) {
	test := func(t *testing.T, text string, d schema.Dialect) {
		s := openFresh(t, text, d, Options{})
		dsn, err := ParseDSN(text)
		if err != nil {
			t.Fatal(err)
		}
		again, err := Open(context.Background(), dsn, Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer again.Close()
		for round := range 10 {
			key := NewReplyKey(fmt.Sprintf("sender%d@remote.test", round), "alice@example.org", "away")
			mark := NoticeMark(1, uint64(round), "pager@outside.test")
			if round%2 == 1 { // there is an old row
				if ok, err := s.ClaimReply(context.Background(), key, time.Now().Add(-8*24*time.Hour)); !ok || err != nil {
					t.Fatalf("old claim: %v, %v", ok, err)
				}
			}
			var replies, notices atomic.Int64
			var wg sync.WaitGroup
			for i := range 12 {
				store := s
				if i%2 == 1 {
					store = again
				}
				wg.Go(func() {
					ok, err := store.ClaimReply(context.Background(), key, time.Now())
					if err != nil {
						t.Error(err)
					}
					if ok {
						replies.Add(1)
					}
					if ok, err = store.ClaimNotice(context.Background(), mark); err != nil {
						t.Error(err)
					}
					if ok {
						notices.Add(1)
					}
				})
			}
			wg.Wait()
			if replies.Load() != 1 || notices.Load() != 1 {
				t.Errorf("round %d: %d replies, %d notifications claimed", round, replies.Load(), notices.Load())
			}
		}
	}
	t.Run("sqlite", func(t *testing.T) { test(t, "sqlite:"+filepath.Join(t.TempDir(), "store.db"), schema.SQLite) })
	t.Run("mariadb", func(t *testing.T) { test(t, testbed.MariaDB(t).StoreDSN(t), schema.MySQL) })
}

func TestClaimNotice(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		claim := func(m Mark, want bool) {
			t.Helper()
			if got, err := s.ClaimNotice(ctx, m); err != nil || got != want {
				t.Errorf("%v, %v; want %v", got, err, want)
			}
		}
		m := NoticeMark(1, 7, "a@x.test")
		claim(m, true)
		claim(m, false)
		claim(NoticeMark(1, 7, "b@x.test"), true)
		claim(NoticeMark(1, 8, "a@x.test"), true)
		claim(NoticeMark(2, 7, "a@x.test"), true)
		if err := s.ReleaseNotice(ctx, m); err != nil {
			t.Error(err)
		}
		claim(m, true)
		if done, err := s.Forwarded(ctx, ForwardMark("", "a@x.test", [32]byte{})); done || err != nil {
			t.Errorf("a notification counts as a forward: %v, %v", done, err)
		}
		exec(t, s, "UPDATE gatepost_forwards SET accepted = ?", timestamp(time.Now().Add(-3*s.opt.RepeatWindow)))
		claim(NoticeMark(3, 9, "a@x.test"), true)
		if n := count(t, s, "SELECT count(*) FROM gatepost_forwards"); n != 1 {
			t.Errorf("%d rows, the old ones are still there", n)
		}
		s.limits.OwnTables = false
		claim(m, true)
		if err := s.ReleaseNotice(ctx, m); err != nil {
			t.Error(err)
		}
	})
}
