package dbmail

import (
	"database/sql"
	"errors"
	"slices"
	"strings"
)

// userRow is a locked row of dbmail_users.
type userRow struct {
	name        string // userid; read only where identities are held against it
	limit, used int64  // maxmail_size (0: none), curmail_size
	charge      int64  // what this transaction adds
}

// lockUsers locks the rows of all users that get a copy, in ascending id.
// From here on no other delivery to them can commit before this one ends.
func (w *writer) lockUsers(b *batch) {
	w.users = map[uint64]*userRow{}
	wanted := map[uint64]bool{}
	identities := false
	w.copies(func(_ copyOf, _ *job, t Target) {
		wanted[t.UserID] = true
		identities = identities || t.Identity != nil
	})
	if identities {
		w.roll = newRoll(w.s.limits)
		w.lockNamed(b, sortedIDs(wanted))
		w.s.lookForNotes(b, w.roll, sortedIDs(wanted))
		return
	}
	_ = chunked(sortedIDs(wanted), 1000, func(ids []uint64) error {
		b.query(func(r *sql.Rows) error {
			var id uint64
			u := &userRow{}
			err := r.Scan(&id, &u.limit, &u.used)
			w.users[id] = u
			return err
		}, "SELECT user_idnr, maxmail_size, curmail_size FROM "+w.s.t.users+
			" WHERE user_idnr IN ("+placeholders(len(ids))+") ORDER BY user_idnr"+w.s.d.forUpdate, anySlice(ids)...)
		return nil
	})
}

// errVanished is a user who was there at RCPT and is not now. Two servers may
// disagree for a moment, so it proves nothing: the client comes again, and
// RCPT tells.
var errVanished = errors.New("the user is not there any more")

// unknownUsers finds the users that were deleted since RCPT.
func (w *writer) unknownUsers() {
	w.copies(func(at copyOf, j *job, t Target) {
		if w.users[t.UserID] == nil && t.Identity == nil {
			j.out[at.target].Err = errVanished
		}
	})
}

// checkQuota finds the copies that do not fit. Exactly full is allowed. Where
// the room for one message depends on whether another of the group is stored,
// they are written one after the other: a refusal must not rest on a message
// that may yet fail.
func (w *writer) checkQuota() error {
	pending := map[uint64]int64{}
	apart := false
	w.copies(func(at copyOf, j *job, t Target) {
		u, size := w.users[t.UserID], j.d.Message.Size
		limit := u.limit
		if t.Identity != nil {
			limit = t.Identity.Quota
		}
		switch {
		case limit == 0 || u.used+pending[t.UserID]+size <= limit:
			pending[t.UserID] += size
		case u.used+size > limit:
			j.out[at.target].Err = ErrOverQuota
		default:
			apart = true
		}
	})
	if apart {
		return errApart
	}
	return nil
}

// chargeQuota adds what is stored to each user's usage.
func (w *writer) chargeQuota(b *batch) {
	charged := map[uint64]bool{}
	for id, u := range w.users {
		if u.charge != 0 {
			charged[id] = true
		}
	}
	_ = chunked(sortedIDs(charged), 1000, func(ids []uint64) error {
		var set strings.Builder
		args := make([]any, 0, 3*len(ids))
		for _, id := range ids {
			set.WriteString(" WHEN ? THEN ?")
			args = append(args, id, w.users[id].charge)
		}
		b.exec("UPDATE "+w.s.t.users+" SET curmail_size = curmail_size + CASE user_idnr"+
			set.String()+" END WHERE user_idnr IN ("+placeholders(len(ids))+")", append(args, anySlice(ids)...)...)
		return nil
	})
}

func sortedIDs(set map[uint64]bool) []uint64 {
	ids := make([]uint64, 0, len(set))
	for id := range set {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}
