package dbmail

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// question is one look at the aliases and users that an address may mean.
type question struct {
	aliases []string // keys, in any case
	names   []string

	rows  aliasRows
	users []User
	err   error
	done  chan struct{}
}

// questions puts the look-ups of all sessions that wait at the same moment
// into one round trip. A lone one waits for nothing; a crowd that asked one by
// one cost more than to store their messages.
type questions struct {
	mu      sync.Mutex
	waiting []*question
	askers  int // under way
}

const (
	// maxAskers: while one round trip is under way the next gathers; a second
	// keeps a slow one from holding up everybody.
	maxAskers = 2
	// maxTogether bounds the keys of one statement.
	maxTogether = 64
	askTimeout  = 30 * time.Second
)

// ask answers q, or says why it cannot.
func (qs *questions) ask(ctx context.Context, s *Store, q *question) error {
	q.done = make(chan struct{})
	qs.mu.Lock()
	qs.waiting = append(qs.waiting, q)
	if qs.askers < maxAskers {
		qs.askers++
		go qs.serve(s)
	}
	qs.mu.Unlock()
	select {
	case <-q.done:
		return q.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serve asks until nobody waits.
func (qs *questions) serve(s *Store) {
	for {
		qs.mu.Lock()
		n := min(len(qs.waiting), maxTogether)
		if n == 0 {
			qs.waiting = nil
			qs.askers--
			qs.mu.Unlock()
			return
		}
		group := qs.waiting[:n:n]
		qs.waiting = qs.waiting[n:]
		qs.mu.Unlock()
		s.answer(group)
		for _, q := range group {
			close(q.done)
		}
	}
}

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
