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
	CatchAll bool     // only a catch-all has the address, if anything; also with an error
}

// User is a row of dbmail_users.
type User struct {
	ID     uint64
	Name   string
	Active bool
	Quota  int64 // bytes; 0 is without limit
	Used   int64 // bytes
	// Shadow says that the row was made for a user of the directory, by
	// DBMail or here: without a password, and with no quota of its own.
	Shadow bool
	// Identity is the directory's account, if the user is one of the
	// directory's; nil for a user that is the store's own.
	Identity *Identity
	// Renames is the login that the user's row has while the identity has
	// another one, which the next delivery gives to it. Mostly "".
	Renames string
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

	asked := &question{aliases: order, names: []string{addr, base}}
	err := s.questions.ask(ctx, asked, s.answer)
	if err == nil {
		err = asked.err
	}
	if err != nil {
		return Recipient{}, fmt.Errorf("look up %s: %w", addr, err)
	}
	found, named := asked.rows, asked.users
	var verdict error = ErrUnknown
	try := func(keys []string) (Recipient, bool, error) {
		for _, key := range keys {
			r, err := s.expand(ctx, key, found.of(key))
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
	switch user := pickUser(named, addr, base); {
	case user != nil && user.Active:
		return finish(Recipient{Users: []User{*user}}, false)
	case user != nil:
		return Recipient{}, ErrInactive
	}
	known := verdict // of what has the address itself
	if r, ok, err := try(order[direct:]); err != nil {
		return Recipient{}, err
	} else if ok {
		r.CatchAll = true
		return finish(r, false)
	}
	return Recipient{CatchAll: known == ErrUnknown}, verdict
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

// aliasRow is a row of dbmail_aliases and what its target is.
type aliasRow struct {
	alias, target string
	chained       bool  // the target is an alias itself
	user          *User // the target is this user's id
}

type aliasRows []aliasRow

// lookForAliases reads the rows of many aliases at once, newest first, which
// is the order in which DBMail runs them.
func (s *Store) lookForAliases(b *batch, keys []string, found *aliasRows) {
	_ = chunked(keys, 500, func(keys []string) error {
		args := make([]any, len(keys))
		for i, k := range keys {
			args[i] = strings.ToLower(k)
		}
		b.query(func(r *sql.Rows) error {
			var a aliasRow
			var id, quota, used sql.NullInt64
			var active, shadow sql.NullBool
			var name sql.NullString
			if err := r.Scan(&a.alias, &a.target, &a.chained, &id, &name, &active, &quota, &used, &shadow); err != nil {
				return err
			}
			// The join takes "101x" for 101; only digits are an id.
			if n, err := strconv.ParseUint(a.target, 10, 64); err == nil && id.Valid && n == uint64(id.Int64) {
				a.user = &User{ID: n, Name: name.String, Active: active.Bool, Quota: quota.Int64, Used: used.Int64, Shadow: shadow.Bool}
			}
			*found = append(*found, a)
			return nil
		}, "SELECT a.alias, a.deliver_to, EXISTS (SELECT 1 FROM "+s.t.aliases+" b WHERE "+s.d.fold("b.alias")+" = "+s.d.fold("a.deliver_to")+
			" AND b.alias <> b.deliver_to), u.user_idnr, u.userid, u.active, u.maxmail_size, u.curmail_size, "+
			"u.passwd = '"+shadowPassword+"' AND u.client_idnr = "+shadowClient+" FROM "+s.t.aliases+
			" a LEFT JOIN "+s.t.users+" u ON u.user_idnr = CAST(a.deliver_to AS UNSIGNED)"+
			" WHERE "+s.d.fold("a.alias")+" IN ("+placeholders(len(keys))+") AND a.alias <> a.deliver_to ORDER BY a.alias_idnr DESC", args...)
		return nil
	})
}

// of gives the rows of one alias. The collation also ignores accents: an
// alias that differs in them counts only where none has the very letters.
func (rows aliasRows) of(key string) aliasRows {
	var exact, loose aliasRows
	for _, a := range rows {
		switch {
		case strings.EqualFold(strings.TrimRight(a.alias, " "), key):
			exact = append(exact, a)
		case looseMatch(a.alias, key):
			loose = append(loose, a)
		}
	}
	if len(exact) > 0 {
		return exact
	}
	return loose
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
func (s *Store) expand(ctx context.Context, key string, rows aliasRows) (expansion, error) {
	var out expansion
	seen := map[string]bool{strings.ToLower(key): true}
	for depth := 0; len(rows) > 0; depth++ {
		if depth == maxAliasDepth || len(seen) > maxAliasTargets {
			out.circle = true
			break
		}
		var next []string
		for _, a := range rows {
			t := strings.TrimSpace(a.target)
			if seen[strings.ToLower(t)] {
				out.circle = true
				continue
			}
			seen[strings.ToLower(t)] = true
			switch _, err := strconv.ParseUint(t, 10, 64); {
			case a.chained:
				next = append(next, t)
			case t == "" || err == nil && a.user == nil:
				// Nowhere: nothing, or a user that is not there.
			case a.user != nil && isInternal(a.user.Name):
			case a.user != nil && !a.user.Active:
				out.inactive = true
			case a.user != nil:
				out.Users = append(out.Users, *a.user)
			case t[0] == '|' || t[0] == '!':
				out.Refused = append(out.Refused, t)
			default:
				out.Forwards = append(out.Forwards, t)
			}
		}
		if len(next) == 0 {
			break
		}
		var found aliasRows
		b := s.batch(s.db)
		s.lookForAliases(b, next, &found)
		if err := b.run(ctx); err != nil {
			return out, fmt.Errorf("follow alias %s: %w", key, err)
		}
		rows = nil
		for _, t := range next {
			rows = append(rows, found.of(t)...)
		}
	}
	return out, nil
}

// What DBMail puts into the rows of directory users.
const (
	shadowPassword = "UNUSED"
	shadowClient   = "65535"
	isShadow       = "passwd = '" + shadowPassword + "' AND client_idnr = " + shadowClient
)

const userColumns = "user_idnr, userid, active, maxmail_size, curmail_size, " + isShadow

func scanUser(r *sql.Rows) (User, error) {
	var u User
	err := r.Scan(&u.ID, &u.Name, &u.Active, &u.Quota, &u.Used, &u.Shadow)
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

// lookForUsers reads the users of some names, DBMail's own excepted.
func (s *Store) lookForUsers(b *batch, found *[]User, names ...string) {
	_ = chunked(names, 500, func(names []string) error {
		b.query(func(r *sql.Rows) error {
			u, err := scanUser(r)
			if !isInternal(u.Name) {
				*found = append(*found, u)
			}
			return err
		}, "SELECT "+userColumns+" FROM "+s.t.users+" WHERE "+s.d.fold("userid")+" IN ("+
			strings.Repeat(s.d.fold("?")+",", len(names)-1)+s.d.fold("?")+")", anySlice(names)...)
		return nil
	})
}

// pickUser gives the user of the first name that there is one of; nil for none.
func pickUser(found []User, names ...string) *User {
	for _, same := range []func(a, b string) bool{address.Same, looseMatch} {
		for _, n := range names {
			for i := range found {
				if same(found[i].Name, n) {
					return &found[i]
				}
			}
		}
	}
	return nil
}

// userByName finds a user; nil when there is none.
func (s *Store) userByName(ctx context.Context, name string) (*User, error) {
	var found []User
	b := s.batch(s.db)
	s.lookForUsers(b, &found, name)
	if err := b.run(ctx); err != nil {
		return nil, err
	}
	return pickUser(found, name), nil
}
