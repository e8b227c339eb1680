package dbmail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// identityQuestion is some identities that are to be held against the store.
type identityQuestion struct {
	ids   []*Identity
	users []User
	errs  []error
}

// manyIdentities are asked for by themselves: a long list must not hold up
// those who ask for one.
const manyIdentities = 200

// Identify holds identities of the directory against the rows of the store.
// users and errs are parallel to ids. A user that has no row yet, which its
// first delivery makes, has used nothing. ErrPairing says that number, login
// and entry do not belong together to the store, in a sentence for the log;
// any other error that it cannot tell. Neither is a definite answer.
//
// What it finds is checked again behind the user's lock when a message is
// delivered.
func (s *Store) Identify(ctx context.Context, ids []*Identity) (users []User, errs []error) {
	q := &identityQuestion{ids: ids}
	if len(ids) > manyIdentities {
		ctx, cancel := context.WithTimeout(ctx, askTimeout)
		defer cancel()
		s.identify(ctx, q)
		return q.users, q.errs
	}
	if err := s.identities.ask(ctx, q, s.identifyAll); err != nil {
		q = &identityQuestion{ids: ids}
		q.fail(err)
	}
	return q.users, q.errs
}

// identifyAll answers what several sessions ask.
func (s *Store) identifyAll(group []*identityQuestion) {
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("internal error", "why", p)
			for _, q := range group {
				q.fail(fmt.Errorf("%w: %v", errInternal, p))
			}
		}
	}()
	ctx, cancel := context.WithTimeout(context.Background(), askTimeout)
	defer cancel()
	all := &identityQuestion{}
	for _, q := range group {
		all.ids = append(all.ids, q.ids...)
	}
	s.identify(ctx, all)
	for _, q := range group {
		n := len(q.ids)
		q.users, q.errs = all.users[:n:n], all.errs[:n:n]
		all.users, all.errs = all.users[n:], all.errs[n:]
	}
}

// fail says that nothing can be told.
func (q *identityQuestion) fail(err error) {
	q.users, q.errs = make([]User, len(q.ids)), make([]error, len(q.ids))
	for i := range q.errs {
		q.errs[i] = fmt.Errorf("hold identities against the store: %w", err)
	}
}

// identify answers a question: one round trip, and a second one if it holds
// users that are new, renamed or not noted yet.
func (s *Store) identify(ctx context.Context, q *identityQuestion) {
	q.users, q.errs = make([]User, len(q.ids)), make([]error, len(q.ids))
	r := newRoll(s.limits)
	used := map[uint64]int64{}
	numbers := map[uint64]bool{}
	for _, i := range q.ids {
		if i != nil && i.check() == nil {
			numbers[i.ID] = true
		}
	}
	b := s.batch(s.db)
	s.lookForNumbers(b, r, used, sortedIDs(numbers))
	if err := b.run(ctx); err != nil {
		q.fail(err)
		return
	}
	var unsure []*Identity
	for k, i := range q.ids {
		if i == nil {
			q.errs[k] = errors.New("no identity")
			continue
		}
		q.users[k] = User{ID: i.ID, Name: i.Login, Active: true, Quota: i.Quota, Used: used[i.ID], Shadow: true, Identity: i}
		var more bool
		if _, more, q.errs[k] = r.judge(i); more {
			unsure = append(unsure, i)
		}
	}
	if len(unsure) == 0 {
		return
	}
	s.lookForClaims(b, r, unsure)
	if err := b.run(ctx); err != nil {
		q.fail(err)
		return
	}
	r.widen(unsure)
	for k, i := range q.ids {
		if i != nil && q.errs[k] == nil {
			var c change
			if c, _, q.errs[k] = r.judge(i); c.rename {
				q.users[k].Renames = r.names[i.ID]
			}
		}
	}
}

func newRoll(l Limits) *roll {
	return &roll{own: l.OwnUsers, utf8mb3: l.UTF8MB3, names: map[uint64]string{}, notes: map[uint64]note{}, holders: map[string][]uint64{}, noted: map[string]uint64{}}
}

// lookForNumbers reads the rows of some user numbers.
func (s *Store) lookForNumbers(b *batch, r *roll, used map[uint64]int64, ids []uint64) {
	_ = chunked(ids, 1000, func(ids []uint64) error {
		b.query(func(rows *sql.Rows) error {
			var id uint64
			var name string
			var size int64
			err := rows.Scan(&id, &name, &size)
			r.names[id], used[id] = name, size
			return err
		}, "SELECT user_idnr, userid, curmail_size FROM "+s.t.users+" WHERE user_idnr IN ("+placeholders(len(ids))+")", anySlice(ids)...)
		return nil
	})
	s.lookForNotes(b, r, ids)
}

// lookForNotes reads what is noted of some users.
func (s *Store) lookForNotes(b *batch, r *roll, ids []uint64) {
	if !r.own {
		return
	}
	_ = chunked(ids, 1000, func(ids []uint64) error {
		b.query(func(rows *sql.Rows) error {
			var id uint64
			var n note
			err := rows.Scan(&id, &n.uuid, &n.login)
			r.notes[id] = n
			return err
		}, "SELECT user_idnr, entry_uuid, login FROM "+s.t.ownUsers+" WHERE user_idnr IN ("+placeholders(len(ids))+")", anySlice(ids)...)
		return nil
	})
}

// lookForClaims reads the rows that have the login or the UUID of identities.
func (s *Store) lookForClaims(b *batch, r *roll, ids []*Identity) {
	_ = chunked(ids, 500, func(ids []*Identity) error {
		var logins, uuids []any
		for _, i := range ids {
			logins = append(logins, i.Login)
			if i.UUID != "" {
				uuids = append(uuids, i.uuid())
			}
		}
		b.query(func(rows *sql.Rows) error {
			var id uint64
			var name string
			err := rows.Scan(&id, &name)
			r.names[id] = name
			return err
		}, "SELECT user_idnr, userid FROM "+s.t.users+" WHERE "+s.d.fold("userid")+" IN ("+
			s.d.fold("?")+strings.Repeat(","+s.d.fold("?"), len(logins)-1)+")", logins...)
		if !r.own || len(uuids) == 0 {
			return nil
		}
		b.query(func(rows *sql.Rows) error {
			var id uint64
			var uuid string
			var name sql.NullString
			err := rows.Scan(&id, &uuid, &name)
			r.noted[uuid] = id
			if name.Valid {
				r.names[id] = name.String
			}
			return err
		}, "SELECT g.user_idnr, g.entry_uuid, u.userid FROM "+s.t.ownUsers+" g LEFT JOIN "+s.t.users+
			" u ON u.user_idnr = g.user_idnr WHERE g.entry_uuid IN ("+placeholders(len(uuids))+")", uuids...)
		return nil
	})
}

// widen finds out whose logins the rows hold. The collation of MySQL ignores
// accents as well: a row that differs from a login in these alone has it, since
// the store takes no second one.
func (r *roll) widen(ids []*Identity) {
	r.wide = true
	var loose []uint64
	for id, name := range r.names {
		if k := foldKey(name); isASCII(k) {
			r.holders[k] = append(r.holders[k], id)
		} else {
			loose = append(loose, id)
		}
	}
	accented := map[string]bool{}
	for _, i := range ids {
		if !isASCII(i.Login) {
			accented[foldKey(i.Login)] = true
		}
	}
	for _, i := range ids {
		k := foldKey(i.Login)
		for _, id := range loose {
			if looseMatch(r.names[id], k) {
				r.holders[k] = append(r.holders[k], id)
			}
		}
	}
	for k := range accented {
		for id, name := range r.names {
			if isASCII(name) && looseMatch(name, k) {
				r.holders[k] = append(r.holders[k], id)
			}
		}
	}
}
