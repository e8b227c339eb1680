package dbmail

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Automatic is what DBMail's tables say is to be sent when a user gets mail.
type Automatic struct {
	Reply  string   // body of the auto-reply that holds at the moment; "" none
	Notify []string // addresses to notify, each once
}

// maxNotify bounds the addresses that one delivery notifies.
const maxNotify = 20

// Automatic reads dbmail_auto_replies, of those that hold at a moment, and
// dbmail_auto_notifications of users, in one round trip. Users without either
// are left out. Of several replies the one that began last counts.
func (s *Store) Automatic(ctx context.Context, users []uint64, at time.Time, replies, notifications bool) (map[uint64]Automatic, error) {
	found := map[uint64]Automatic{}
	b := s.batch(s.db)
	_ = chunked(users, 1000, func(users []uint64) error {
		in := " IN (" + placeholders(len(users)) + ")"
		if replies {
			b.query(func(r *sql.Rows) error {
				var user uint64
				var body sql.NullString
				err := r.Scan(&user, &body)
				if a := found[user]; a.Reply == "" && strings.TrimSpace(body.String) != "" {
					a.Reply = body.String
					found[user] = a
				}
				return err
			}, "SELECT user_idnr, reply_body FROM "+s.t.autoReplies+" WHERE user_idnr"+in+
				" AND start_date <= "+s.d.local+" AND stop_date >= "+s.d.local+" ORDER BY start_date DESC",
				append(anySlice(users), timestamp(at), timestamp(at))...)
		}
		if notifications {
			b.query(func(r *sql.Rows) error {
				var user uint64
				var to sql.NullString
				err := r.Scan(&user, &to)
				a := found[user]
				if t := strings.TrimSpace(to.String); t != "" && len(a.Notify) < maxNotify {
					a.Notify = append(a.Notify, t)
					found[user] = a
				}
				return err
			}, "SELECT DISTINCT user_idnr, notify_address FROM "+s.t.autoNotifications+" WHERE user_idnr"+in, anySlice(users)...)
		}
		return nil
	})
	if err := b.run(ctx); err != nil {
		return nil, fmt.Errorf("read auto-replies and notifications: %w", err)
	}
	return found, nil
}

// Bounds of what is looked for as a user's own address.
const (
	maxOwnAddresses = 1000
	maxOwnDepth     = 5
)

// OwnAddresses lists the addresses that are a user's own: what the directory
// says, or the user's name if it is an address, and the aliases that lead to
// the user and, unlike in DBMail, to nobody else in the store. Catch-alls are
// nobody's own.
func (s *Store) OwnAddresses(ctx context.Context, u User) ([]string, error) {
	if u.Identity != nil {
		return u.Identity.Addresses, nil
	}
	var own []string
	seen := map[string]bool{}
	if strings.Contains(u.Name, "@") {
		own, seen[strings.ToLower(u.Name)] = append(own, u.Name), true
	}
	id := strconv.FormatUint(u.ID, 10)
	targets := []string{id}
	for depth := 0; depth < maxOwnDepth && len(targets) > 0 && len(own) < maxOwnAddresses; depth++ {
		shared := map[string]bool{}
		var found []string
		err := chunked(targets, 500, func(targets []string) error {
			args := make([]any, len(targets))
			for i, t := range targets {
				args[i] = strings.ToLower(t)
			}
			rows, err := s.db.QueryContext(ctx, "SELECT a.alias, b.deliver_to FROM "+s.t.aliases+" a JOIN "+s.t.aliases+
				" b ON b.alias = a.alias WHERE "+s.d.fold("a.deliver_to")+" IN ("+placeholders(len(args))+") AND a.alias <> a.deliver_to", args...)
			return collect(rows, err, func(r *sql.Rows) error {
				var alias, to string
				if err := r.Scan(&alias, &to); err != nil {
					return err
				}
				alias, to = strings.TrimSpace(alias), strings.TrimSpace(to)
				if _, err := strconv.ParseUint(to, 10, 64); err == nil && to != id {
					shared[strings.ToLower(alias)] = true
				}
				found = append(found, alias)
				return nil
			})
		})
		if err != nil {
			return nil, fmt.Errorf("read the aliases of user %d: %w", u.ID, err)
		}
		targets = nil
		for _, alias := range found {
			key := strings.ToLower(alias)
			i := strings.LastIndexByte(alias, '@')
			if seen[key] || shared[key] || i <= 0 || i == len(alias)-1 {
				continue
			}
			seen[key] = true
			own, targets = append(own, alias), append(targets, alias)
		}
	}
	return own, nil
}
