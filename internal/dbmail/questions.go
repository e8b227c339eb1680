package dbmail

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// question is one look at the aliases and users that an address may mean.
type question struct {
	aliases []string // keys, in any case
	names   []string

	rows  aliasRows
	users []User
	err   error
}

const askTimeout = 30 * time.Second

// answer asks for all at once where that is the same as one by one.
func (s *Store) answer(group []*question) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("internal error", "why", p)
			for _, q := range group {
				q.err = fmt.Errorf("%w: %v", errInternal, p)
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	var together []*question
	for _, q := range group {
		if q.isASCII() {
			together = append(together, q)
		} else {
			q.err = s.look(ctx, q)
		}
	}
	if len(together) == 1 {
		together[0].err = s.look(ctx, together[0])
		return
	}
	all := &question{}
	for _, q := range together {
		all.aliases = append(all.aliases, q.aliases...)
		all.names = append(all.names, q.names...)
	}
	err := s.look(ctx, all)
	if err != nil && classify(err) == faultRetry || err == nil && share(all, together) {
		for _, q := range together {
			q.err = err
		}
		return
	}
	for _, q := range together {
		q.err = s.look(ctx, q)
	}
}

// look reads what a question asks for in one round trip.
func (s *Store) look(ctx context.Context, q *question) error {
	q.rows, q.users = nil, nil
	b := s.batch(s.db)
	s.lookForAliases(b, q.aliases, &q.rows)
	s.lookForUsers(b, &q.users, q.names...)
	return b.run(ctx)
}

// share gives each question the rows that its keys have found. It cannot tell
// where a row has other letters than ASCII: the collation may have found it
// for any key that differs in accents.
func share(all *question, group []*question) bool {
	rows, users := map[string]aliasRows{}, map[string][]User{}
	for _, r := range all.rows {
		k := foldKey(r.alias)
		if !isASCII(k) {
			return false
		}
		rows[k] = append(rows[k], r)
	}
	for _, u := range all.users {
		k := foldKey(u.Name)
		if !isASCII(k) {
			return false
		}
		users[k] = append(users[k], u)
	}
	for _, q := range group {
		q.rows, q.users = nil, nil
		for _, k := range distinct(q.aliases) {
			q.rows = append(q.rows, rows[k]...)
		}
		for _, k := range distinct(q.names) {
			q.users = append(q.users, users[k]...)
		}
	}
	return true
}

// foldKey is how the collation compares ASCII: without case, and without
// blanks at the end.
func foldKey(k string) string { return strings.ToLower(strings.TrimRight(k, " ")) }

// distinct gives folded keys, each once.
func distinct(keys []string) []string {
	out := make([]string, 0, len(keys))
	for _, k := range keys {
		k = foldKey(k)
		if !slices.Contains(out, k) {
			out = append(out, k)
		}
	}
	return out
}

func (q *question) isASCII() bool {
	for _, k := range append(q.aliases[:len(q.aliases):len(q.aliases)], q.names...) {
		if !isASCII(k) {
			return false
		}
	}
	return true
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}
