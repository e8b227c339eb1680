package dbmail

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"
)

// Finding is something in a store that this package treats otherwise than
// dbmail-lmtpd would, or cannot do.
type Finding struct {
	Name string // for the configuration's ignore list
	What string // how many there are, what happens with them, what to do
	// Passing: it mends itself, and is good to know while it lasts.
	Passing bool
}

func (f Finding) String() string { return f.Name + ": " + f.What }

// Names of findings.
const (
	FindingSieve         = "sieve-scripts"
	FindingPipes         = "pipe-aliases"
	FindingAutoReplies   = "auto-replies"
	FindingNotifications = "auto-notifications"
	FindingFilters       = "filters"
	FindingInactive      = "inactive-users"
	FindingHash          = "hash-algorithm"
	FindingUTF8          = "utf8mb3"
	FindingForwards      = "forwards-without-smarthost"
	FindingDirectory     = "directory-users"
	FindingSQL           = "sql-users"
	FindingUnnoted       = "unnoted-users"
)

// FindingNames lists the names that an ignore list may hold.
func FindingNames() []string {
	return []string{FindingSieve, FindingPipes, FindingAutoReplies, FindingNotifications, FindingFilters,
		FindingInactive, FindingHash, FindingUTF8, FindingForwards, FindingDirectory, FindingSQL, FindingUnnoted}
}

// CheckHash says whether a hash_algorithm is known.
func CheckHash(name string) error {
	_, err := newHasher(name)
	return err
}

// Does is what the server of a store is configured to do.
type Does struct {
	Directory     bool // users of the directory
	SQL           bool // users of DBMail's own tables
	Smarthost     bool // forwards and automatic mail have somewhere to go
	Filters       bool // see Store.Filters
	AutoReplies   bool // see Store.Automatic, as the next
	Notifications bool
}

// unsent is a sentence about automatic mail, unless it is sent.
func (d Does) unsent(what string, on bool) string {
	switch {
	case !on:
		return "%d " + what + " are not sent"
	case !d.Smarthost:
		return "%d " + what + " cannot be sent: [smarthost] address is not set"
	}
	return ""
}

// tally is a finding if its query counts any.
type tally struct {
	name, query string
	args        []any
	what        string
}

// directoryFindings are about who of the users is the directory's.
func (s *Store) directoryFindings(does Does) []tally {
	users := "SELECT count(*) FROM " + s.t.users + " u WHERE "
	noted := "EXISTS (SELECT 1 FROM " + s.t.ownUsers + " g WHERE g.user_idnr = u.user_idnr)"
	if !s.limits.OwnUsers {
		noted = "1 = 0"
	}
	own := users + "NOT (" + isShadow + ") AND NOT " + noted + " AND lower(userid) NOT IN (" + placeholders(len(internalUsers)) + ")"
	var out []tally
	if does.SQL && !does.Directory {
		out = append(out, tally{FindingDirectory, users + isShadow, nil,
			"%d users are the directory's, but recipients has no \"directory\": their addresses and quotas there are not known"})
	}
	if does.Directory && !does.SQL {
		out = append(out, tally{FindingSQL, own, anySlice(internalUsers),
			"%d users are DBMail's own, but recipients has no \"sql\": they get mail only if the directory has an account of their number and login"})
	}
	if does.Directory && s.limits.OwnUsers {
		out = append(out, tally{FindingUnnoted, users + isShadow + " AND NOT " + noted, nil,
			"%d users of the directory are not noted with their entry yet: until the next delivery to them, " +
				"another entry that has their number and login is taken for theirs"})
	}
	return out
}

// Findings examines a store for a server that does this.
func (s *Store) Findings(ctx context.Context, does Does) ([]Finding, error) {
	now := timestamp(time.Now())
	filters := "SELECT count(*) FROM " + s.t.filters
	filtered := "%d header filters are not applied; their mail goes to INBOX"
	if does.Filters {
		filters += " WHERE mailbox LIKE '#%'"
		filtered = "%d header filters name a mailbox of somebody else (#Users, #Public), which is not looked for; their mail goes to INBOX"
	}
	counts := []tally{
		{FindingSieve, "SELECT count(*) FROM " + s.t.sievescripts + " WHERE active = 1", nil,
			"%d active Sieve scripts are not run; their mail goes to INBOX"},
		{FindingPipes, "SELECT count(*) FROM " + s.t.aliases + " WHERE deliver_to LIKE '|%' OR deliver_to LIKE '!%'", nil,
			"%d aliases lead to programs, which are never run; an alias that leads to nothing else is refused with 550"},
		{FindingAutoReplies, "SELECT count(*) FROM " + s.t.autoReplies + " WHERE stop_date > ?", []any{now},
			does.unsent("auto-replies", does.AutoReplies)},
		{FindingNotifications, "SELECT count(*) FROM " + s.t.autoNotifications, nil,
			does.unsent("notifications", does.Notifications)},
		{FindingFilters, filters, nil, filtered},
		{FindingInactive, "SELECT count(*) FROM " + s.t.users + " WHERE active = 0 AND userid LIKE '%@%'", nil,
			"%d inactive users whose name is an address get no mail (550 5.2.1); dbmail-lmtpd still delivers to them"},
	}
	if !does.Smarthost {
		counts = append(counts, tally{FindingForwards, "SELECT count(*) FROM " + s.t.aliases + " a WHERE a.deliver_to LIKE '%@%'" +
			" AND a.deliver_to NOT LIKE '|%' AND a.deliver_to NOT LIKE '!%'" +
			" AND NOT EXISTS (SELECT 1 FROM " + s.t.aliases + " b WHERE b.alias = a.deliver_to)", nil,
			"%d aliases lead to addresses elsewhere, but [smarthost] address is not set: their mail is deferred"})
	}
	if does.Directory && !does.SQL {
		// Nobody reads the aliases, nor what is active.
		counts = slices.DeleteFunc(counts, func(c tally) bool {
			return c.name == FindingPipes || c.name == FindingInactive || c.name == FindingForwards
		})
	}
	counts = append(counts, s.directoryFindings(does)...)
	var out []Finding
	for _, c := range counts {
		if c.what == "" {
			continue
		}
		var n int64
		if err := s.db.QueryRowContext(ctx, c.query, c.args...).Scan(&n); err != nil {
			return nil, fmt.Errorf("count %s: %w", c.name, err)
		}
		if n > 0 {
			out = append(out, Finding{Name: c.name, What: fmt.Sprintf(c.what, n), Passing: c.name == FindingUnnoted})
		}
	}
	var digest string
	err := s.db.QueryRowContext(ctx, "SELECT hash FROM "+s.t.mimeparts+" ORDER BY id DESC LIMIT 1").Scan(&digest)
	switch {
	case err == sql.ErrNoRows:
	case err != nil:
		return nil, fmt.Errorf("read the newest hash: %w", err)
	case len(digest) != len(s.hash(nil)):
		have := hashName(digest)
		if have == "" {
			have = "whirlpool or tiger, which are not supported"
		}
		out = append(out, Finding{Name: FindingHash, What: "the newest parts were hashed with " + have +
			"; parts stored by us will not be shared with those, set [store] hash_algorithm to dbmail.conf's"})
	}
	if s.limits.UTF8MB3 {
		out = append(out, Finding{Name: FindingUTF8, What: "the text columns are not utf8mb4: 4-byte characters of headers are cached as U+FFFD; messages are whole. DBMail's upgrade step 35001 mends it"})
	}
	return out, nil
}
