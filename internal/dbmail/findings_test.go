package dbmail

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// What the tables hold is a finding only where the server does otherwise.
func TestFindingsOfWhatIsDone(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		addReply(t, s, alice, time.Now().Add(-time.Hour), time.Now().Add(48*time.Hour), "away")
		exec(t, s, "INSERT INTO dbmail_auto_notifications (user_idnr, notify_address) VALUES (?, 'pager@outside.test')", alice)
		addFilter(t, s, alice, "subject", "%", "Box")
		addFilter(t, s, alice, "subject", "%", "#Public/Box")
		for _, c := range []struct {
			does Does
			want string // by name, in order
		}{
			{Does{}, "auto-replies: 1 auto-replies are not sent; auto-notifications: 1 notifications are not sent; filters: 2 header filters are not applied; their mail goes to INBOX"},
			{Does{Smarthost: true}, "auto-replies: 1 auto-replies are not sent; auto-notifications: 1 notifications are not sent; filters: 2 header filters are not applied; their mail goes to INBOX"},
			{Does{Smarthost: true, AutoReplies: true, Notifications: true, Filters: true},
				"filters: 1 header filters name a mailbox of somebody else (#Users, #Public), which is not looked for; their mail goes to INBOX"},
			{Does{AutoReplies: true, Notifications: true, Filters: true},
				"auto-replies: 1 auto-replies cannot be sent: [smarthost] address is not set; auto-notifications: 1 notifications cannot be sent: [smarthost] address is not set; " +
					"filters: 1 header filters name a mailbox of somebody else (#Users, #Public), which is not looked for; their mail goes to INBOX"},
		} {
			if g := strings.Join(found(t, s, c.does), "; "); g != c.want {
				t.Errorf("%+v:\n%s\nwant\n%s", c.does, g, c.want)
			}
		}
	})
}

// found gives the findings, in order.
func found(t *testing.T, s *Store, does Does) []string {
	t.Helper()
	findings, err := s.Findings(context.Background(), does)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, f := range findings {
		out = append(out, f.String())
	}
	return out
}

// Users of the other kind than those that the server knows are findings, and
// so are those whose entry is not noted.
func TestFindingsOfTheDirectory(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		addUser(t, s, "alice", 0)
		addUser(t, s, "carl@example.org", 0)
		run(t, s, "UPDATE dbmail_users SET active = 0 WHERE userid = 'carl@example.org'")
		shadow(t, s, 10001, "lena", uuidA)
		shadow(t, s, 10002, "mika", "")
		shadow(t, s, 10003, "nils", "")
		run(t, s, "INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('pipe@example.org', '|x'), ('out@example.org', 'a@b.test')")
		check := func(does Does, want ...string) {
			t.Helper()
			got := found(t, s, does)
			for _, w := range want {
				if !slices.ContainsFunc(got, func(f string) bool { return strings.HasPrefix(f, w) }) {
					t.Errorf("%+v: no %q in %q", does, w, got)
				}
			}
			if len(got) != len(want) {
				t.Errorf("%+v: %q, want %d", does, got, len(want))
			}
		}
		check(Does{SQL: true}, "directory-users: 3 users", "pipe-aliases: 1", "inactive-users: 1", "forwards-without-smarthost: 1")
		check(Does{Directory: true}, "sql-users: 2 users", "unnoted-users: 2 users")
		check(Does{Directory: true, SQL: true}, "unnoted-users: 2 users", "pipe-aliases: 1", "inactive-users: 1", "forwards-without-smarthost: 1")
		run(t, s, "DROP TABLE gatepost_users")
		s.limits.OwnUsers = false
		check(Does{Directory: true}, "sql-users: 2 users")
	})
}
