package dbmail

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gatepost/internal/address"
)

// Recipient is what an address stands for: users here and addresses
// elsewhere. Both may be empty only together with an error.
type Recipient struct {
	Users    []User
	Forwards []string // external addresses
	Refused  []string // "|program" and "!program" targets, which never run
	Detail   string   // the mailbox that the address asked for, UTF-8; "" none
}

// User is a row of dbmail_users.
type User struct {
	ID     uint64
	Name   string
	Active bool
	Quota  int64 // bytes; 0 is without limit
	Used   int64 // bytes
}

// Full says that not even an empty message fits.
func (u User) Full() bool { return u.Quota > 0 && u.Used >= u.Quota }

// internalUsers are the accounts that DBMail keeps for itself; they are never
// recipients.
var internalUsers = []string{"__@!internal_delivery_user!@__", "anyone", "__public__"}

func isInternal(name string) bool {
	return slices.ContainsFunc(internalUsers, func(n string) bool { return strings.EqualFold(n, name) })
}

// maxAliasDepth bounds alias chains, as in DBMail.
const maxAliasDepth = 20

// maxAliasTargets bounds what one address may lead to.
const maxAliasTargets = 10000

// Lookup finds what an address stands for in DBMail's own tables, in DBMail's
// order, the first that leads anywhere wins:
//
//  1. an alias of the whole address
//  2. an alias of the address without +detail
//  3. a user of the whole address
//  4. a user of the address without +detail
//  5. a catch-all of the domain: @domain, then @.parent.domain, @.domain …
//  6. a catch-all of the local part: local@
//
// ErrUnknown, ErrInactive and ErrUndeliverable are proven; with any other
// error the store cannot tell.
func (s *Store) Lookup(ctx context.Context, addr string) (Recipient, error) {
	base, detail, hasDetail := address.CutDetail(addr)
	local, domain, _ := address.Split(addr)

	var order []string // aliases to try, in order
	add := func(key string) {
		if key != "" && !slices.Contains(order, key) {
			order = append(order, key)
		}
	}
	add(addr)
	add(base)
	direct := len(order)
	for _, c := range catchAlls(domain) {
		add(c)
	}
	add(local + "@")
	if baseLocal, _, _ := address.Split(base); baseLocal != "" {
		add(baseLocal + "@")
	}

	aliases, err := s.aliases(ctx, order)
	if err != nil {
		return Recipient{}, fmt.Errorf("look up aliases: %w", err)
	}
	var verdict error = ErrUnknown
	try := func(keys []string) (Recipient, bool, error) {
		for _, key := range keys {
			r, err := s.expand(ctx, key, aliases[key])
			if err != nil {
				return Recipient{}, false, err
			}
			if len(r.Users)+len(r.Forwards) > 0 {
				return r.Recipient, true, nil
			}
			switch {
			case r.inactive:
				verdict = ErrInactive
			case verdict == ErrUnknown && (len(r.Refused) > 0 || r.circle):
				verdict = ErrUndeliverable
			}
		}
		return Recipient{}, false, nil
	}
	finish := func(r Recipient, byDetail bool) (Recipient, error) {
		if byDetail || hasDetail {
			r.Detail = detail
		}
		return r, nil
	}
	if r, ok, err := try(order[:direct]); err != nil {
		return Recipient{}, err
	} else if ok {
		return finish(r, false)
	}
	user, err := s.userByName(ctx, addr, base)
	switch {
	case err != nil:
		return Recipient{}, fmt.Errorf("look up user: %w", err)
	case user != nil && user.Active:
		return finish(Recipient{Users: []User{*user}}, false)
	case user != nil:
		return Recipient{}, ErrInactive
	}
	if r, ok, err := try(order[direct:]); err != nil {
		return Recipient{}, err
	} else if ok {
		return finish(r, false)
	}
	return Recipient{}, verdict
}

// catchAlls lists the domain catch-alls for a domain: itself, then itself and
// its parents as sub-domain wildcards.
func catchAlls(domain string) []string {
	if domain == "" {
		return nil
	}
	out := []string{"@" + domain}
	for d := domain; ; {
		_, parent, ok := strings.Cut(d, ".")
		if !ok || len(out) > 32 {
			return out
		}
		out = append(out, "@."+parent)
		d = parent
	}
}

// aliases reads the targets of many aliases at once, newest first, which is
// the order in which DBMail runs them.
func (s *Store) aliases(ctx context.Context, keys []string) (map[string][]string, error) {
	type row struct {
		alias, target string
		exact         bool
	}
	var found []row
	err := chunked(keys, 500, func(keys []string) error {
		args := make([]any, len(keys))
		for i, k := range keys {
			args[i] = strings.ToLower(k)
		}
		rows, err := s.db.QueryContext(ctx, "SELECT alias, deliver_to FROM "+s.t.aliases+
			" WHERE "+s.d.fold("alias")+" IN ("+placeholders(len(keys))+") AND alias <> deliver_to ORDER BY alias_idnr DESC", args...)
		return collect(rows, err, func(r *sql.Rows) error {
			var a row
			err := r.Scan(&a.alias, &a.target)
			found = append(found, a)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	out := make(map[string][]string, len(keys))
	for _, k := range keys {
		// The collation also ignores accents: an alias that differs in them
		// counts only where none has the very letters.
		var loose []string
		for _, a := range found {
			switch {
			case strings.EqualFold(strings.TrimRight(a.alias, " "), k):
				out[k] = append(out[k], a.target)
			case looseMatch(a.alias, k):
				loose = append(loose, a.target)
			}
		}
		if len(out[k]) == 0 {
			out[k] = loose
		}
	}
	return out, nil
}

// looseMatch says whether a row that the collation has found can only have
// been found for this key: same number of letters, alike where they are ASCII.
func looseMatch(alias, key string) bool {
	a, k := []rune(strings.ToLower(strings.TrimRight(alias, " "))), []rune(strings.ToLower(key))
	if len(a) != len(k) {
		return false
	}
	for i := range a {
		if a[i] != k[i] && a[i] < 0x80 && k[i] < 0x80 {
			return false
		}
	}
	return true
}

// expansion is what an alias leads to.
type expansion struct {
	Recipient
	inactive, circle bool
}

// expand follows an alias to its ends, each target at most once.
func (s *Store) expand(ctx context.Context, key string, targets []string) (expansion, error) {
	var out expansion
	seen := map[string]bool{strings.ToLower(key): true}
	var ids []uint64
	for depth := 0; len(targets) > 0; depth++ {
		if depth == maxAliasDepth || len(seen) > maxAliasTargets {
			out.circle = true
			break
		}
		var next []string
		for _, t := range targets {
			if t = strings.TrimSpace(t); seen[strings.ToLower(t)] {
				out.circle = true
				continue
			}
			seen[strings.ToLower(t)] = true
			next = append(next, t)
		}
		found, err := s.aliases(ctx, next)
		if err != nil {
			return out, fmt.Errorf("look up aliases: %w", err)
		}
		targets = nil
		for _, t := range next {
			if more := found[t]; len(more) > 0 {
				targets = append(targets, more...)
				continue
			}
			switch id, err := strconv.ParseUint(t, 10, 64); {
			case t == "":
			case err == nil:
				ids = append(ids, id)
			case t[0] == '|' || t[0] == '!':
				out.Refused = append(out.Refused, t)
			default:
				out.Forwards = append(out.Forwards, t)
			}
		}
	}
	users, err := s.usersByID(ctx, ids)
	if err != nil {
		return out, fmt.Errorf("look up users: %w", err)
	}
	for _, u := range users {
		switch {
		case isInternal(u.Name):
		case !u.Active:
			out.inactive = true
		default:
			out.Users = append(out.Users, u)
		}
	}
	return out, nil
}

const userColumns = "user_idnr, userid, active, maxmail_size, curmail_size"

func scanUser(r *sql.Rows) (User, error) {
	var u User
	err := r.Scan(&u.ID, &u.Name, &u.Active, &u.Quota, &u.Used)
	return u, err
}

// usersByID reads users; ids that name none are left out.
func (s *Store) usersByID(ctx context.Context, ids []uint64) ([]User, error) {
	var out []User
	err := chunked(ids, 1000, func(ids []uint64) error {
		rows, err := s.db.QueryContext(ctx, "SELECT "+userColumns+" FROM "+s.t.users+
			" WHERE user_idnr IN ("+placeholders(len(ids))+")", anySlice(ids)...)
		return collect(rows, err, func(r *sql.Rows) error {
			u, err := scanUser(r)
			out = append(out, u)
			return err
		})
	})
	return out, err
}

// userByName finds the user of the first name that there is one of, internal
// accounts excepted; nil when there is none.
func (s *Store) userByName(ctx context.Context, names ...string) (*User, error) {
	where := s.d.sameText("userid")
	args := make([]any, 0, len(names))
	var q strings.Builder
	for i, n := range names {
		if i > 0 {
			q.WriteString(" OR ")
		}
		q.WriteString(where)
		args = append(args, n)
	}
	var found []User
	rows, err := s.db.QueryContext(ctx, "SELECT "+userColumns+" FROM "+s.t.users+" WHERE "+q.String(), args...)
	err = collect(rows, err, func(r *sql.Rows) error {
		u, err := scanUser(r)
		if !isInternal(u.Name) {
			found = append(found, u)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	for _, n := range names {
		for i := range found {
			if address.Same(found[i].Name, n) {
				return &found[i], nil
			}
		}
	}
	for _, n := range names {
		for i := range found {
			if looseMatch(found[i].Name, n) {
				return &found[i], nil
			}
		}
	}
	return nil, nil
}
