package dbmail

import (
	"database/sql"
	"slices"
	"strings"
)

// lockUsers locks the rows of all users that get a copy, in ascending id.
// From here on no other delivery to them can commit before this one ends.
func (w *writer) lockUsers(group []*job) error {
	w.users = map[uint64]*userRow{}
	copies(group, func(_, t int, j *job) { w.users[j.d.Targets[t].UserID] = nil })
	ids := make([]uint64, 0, len(w.users))
	for id := range w.users {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	err := chunked(ids, 1000, func(ids []uint64) error {
		rows, err := w.tx.QueryContext(w.ctx, "SELECT user_idnr, maxmail_size, curmail_size FROM "+w.s.t.users+
			" WHERE user_idnr IN ("+placeholders(len(ids))+") ORDER BY user_idnr"+w.s.d.forUpdate, anySlice(ids)...)
		return collect(rows, err, func(r *sql.Rows) error {
			var id uint64
			u := &userRow{}
			err := r.Scan(&id, &u.limit, &u.used)
			w.users[id] = u
			return err
		})
	})
	if err != nil {
		return err
	}
	copies(group, func(_, t int, j *job) {
		if w.users[j.d.Targets[t].UserID] == nil {
			j.out[t].Err = ErrUnknown // deleted since RCPT
		}
	})
	return dropEmpty(group)
}

// checkQuota finds the copies that do not fit. Exactly full is allowed. Where
// the room for one message depends on whether another of the group is stored,
// they are written one after the other: a refusal must not rest on a message
// that may yet fail.
func (w *writer) checkQuota(group []*job) error {
	pending := map[uint64]int64{}
	apart := false
	copies(group, func(_, t int, j *job) {
		id := j.d.Targets[t].UserID
		u, size := w.users[id], j.d.Message.Size
		switch {
		case u.limit == 0 || u.used+pending[id]+size <= u.limit:
			pending[id] += size
		case u.used+size > u.limit:
			j.out[t].Err = ErrOverQuota
		default:
			apart = true
		}
	})
	if apart {
		return errApart
	}
	return dropEmpty(group)
}

// chargeQuota adds what was stored to each user's usage.
func (w *writer) chargeQuota() error {
	ids := make([]uint64, 0, len(w.users))
	for id, u := range w.users {
		if u != nil && u.charge != 0 {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return chunked(ids, 1000, func(ids []uint64) error {
		var set strings.Builder
		args := make([]any, 0, 3*len(ids))
		for _, id := range ids {
			set.WriteString(" WHEN ? THEN ?")
			args = append(args, id, w.users[id].charge)
		}
		_, err := w.tx.ExecContext(w.ctx, "UPDATE "+w.s.t.users+" SET curmail_size = curmail_size + CASE user_idnr"+
			set.String()+" END WHERE user_idnr IN ("+placeholders(len(ids))+")", append(args, anySlice(ids)...)...)
		return err
	})
}
