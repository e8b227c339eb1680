package dbmail

import (
	"context"
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
			found, err := s.Findings(context.Background(), c.does)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range found {
				got = append(got, f.String())
			}
			if g := strings.Join(got, "; "); g != c.want {
				t.Errorf("%+v:\n%s\nwant\n%s", c.does, g, c.want)
			}
		}
	})
}
