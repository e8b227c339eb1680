package dbmail

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

const inbox = "INBOX"

// Values of dbmail_mailboxes.permission.
const permissionReadWrite = 2

// mailbox is a row of dbmail_mailboxes.
type mailbox struct {
	id         uint64
	owner      uint64
	name       string
	permission int
	noSelect   bool
	seq        int64 // after the lock: the last one given out
	first      int64 // the seq of the first copy of this transaction
	copies     int64
}

func (m *mailbox) writable() bool { return m.permission == permissionReadWrite && !m.noSelect }

// findMailboxes settles where each copy goes: to the mailbox that the address
// names if it is there and writable, else to INBOX, which is made where it is
// missing.
func (w *writer) findMailboxes(group []*job) error {
	w.dest = map[copyOf]*mailbox{}
	wanted := map[uint64]map[string]bool{}
	copies(group, func(_, t int, j *job) {
		names := wanted[j.d.Targets[t].UserID]
		if names == nil {
			names = map[string]bool{inbox: true}
			wanted[j.d.Targets[t].UserID] = names
		}
		if box := j.d.Targets[t].Mailbox; box != "" {
			names[encodeMailboxName(box)] = true
		}
	})
	found, err := w.selectMailboxes(wanted)
	if err != nil {
		return err
	}
	if err := w.makeInboxes(wanted, found); err != nil {
		return err
	}
	copies(group, func(g, t int, j *job) {
		target := j.d.Targets[t]
		own := found[target.UserID]
		var box *mailbox
		if target.Mailbox != "" {
			box = pickMailbox(own, encodeMailboxName(target.Mailbox))
		}
		if box == nil || !box.writable() {
			box = pickMailbox(own, inbox)
		}
		if box == nil || !box.writable() {
			j.out[t].Err = ErrNoPermission
			return
		}
		w.dest[copyOf{g, t}] = box
		j.out[t].Mailbox = box.name
		box.copies++
	})
	return dropEmpty(group)
}

func (w *writer) selectMailboxes(wanted map[uint64]map[string]bool) (map[uint64][]*mailbox, error) {
	found := map[uint64][]*mailbox{}
	owners := make([]uint64, 0, len(wanted))
	names := map[string]bool{}
	for id, n := range wanted {
		owners = append(owners, id)
		for name := range n {
			names[name] = true
		}
	}
	slices.Sort(owners)
	err := chunked(owners, 1000, func(owners []uint64) error {
		args := anySlice(owners)
		for name := range names {
			args = append(args, strings.ToLower(name))
		}
		rows, err := w.tx.QueryContext(w.ctx,
			"SELECT mailbox_idnr, owner_idnr, name, permission, no_select FROM "+w.s.t.mailboxes+
				" WHERE owner_idnr IN ("+placeholders(len(owners))+") AND "+w.s.d.fold("name")+" IN ("+placeholders(len(names))+")", args...)
		return collect(rows, err, func(r *sql.Rows) error {
			m := &mailbox{}
			var permission sql.NullInt64
			if err := r.Scan(&m.id, &m.owner, &m.name, &permission, &m.noSelect); err != nil {
				return err
			}
			m.permission = int(permission.Int64)
			found[m.owner] = append(found[m.owner], m)
			return nil
		})
	})
	return found, err
}

// makeInboxes makes the missing INBOXes as DBMail does: read-write, seq 1,
// subscribed. Another writer may make one at the same moment, unless it holds
// the user's row as we do; then its row is taken.
func (w *writer) makeInboxes(wanted map[uint64]map[string]bool, found map[uint64][]*mailbox) error {
	var missing []uint64
	for owner := range wanted {
		if pickMailbox(found[owner], inbox) == nil {
			missing = append(missing, owner)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	slices.Sort(missing)
	var rows []any
	again := map[uint64]map[string]bool{}
	for _, owner := range missing {
		rows = append(rows, inbox, owner, permissionReadWrite, 1)
		again[owner] = map[string]bool{inbox: true}
	}
	if err := w.insert(w.s.d.ignore, w.s.t.mailboxes, "name, owner_idnr, permission, seq", 4, rows); err != nil {
		return err
	}
	made, err := w.selectMailboxes(again)
	if err != nil {
		return err
	}
	rows = rows[:0]
	for _, owner := range missing {
		box := pickMailbox(made[owner], inbox)
		if box == nil {
			return fmt.Errorf("INBOX of user %d: %w", owner, errRowsGone)
		}
		found[owner] = append(found[owner], box)
		rows = append(rows, owner, box.id)
	}
	return w.insert(w.s.d.ignore, w.s.t.subscription, "user_id, mailbox_id", 2, rows)
}

// pickMailbox finds a name among a user's mailboxes: as spelled, else without
// regard to case (but for runs of modified UTF-7, where case is content).
func pickMailbox(own []*mailbox, name string) *mailbox {
	var folded *mailbox
	for _, m := range own {
		if m.name == name {
			return m
		}
		if sameMailboxName(m.name, name) && (folded == nil || m.id < folded.id) {
			folded = m
		}
	}
	return folded
}

// lockMailboxes locks the rows in ascending id and gives each copy its seq.
func (w *writer) lockMailboxes() error {
	byID := map[uint64]*mailbox{}
	for _, m := range w.dest {
		byID[m.id] = m
	}
	ids := make([]uint64, 0, len(byID))
	for id := range byID {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return chunked(ids, 1000, func(ids []uint64) error {
		n := 0
		rows, err := w.tx.QueryContext(w.ctx, "SELECT mailbox_idnr, seq, permission FROM "+w.s.t.mailboxes+
			" WHERE mailbox_idnr IN ("+placeholders(len(ids))+") ORDER BY mailbox_idnr"+w.s.d.forUpdate, anySlice(ids)...)
		err = collect(rows, err, func(r *sql.Rows) error {
			var id uint64
			var seq int64
			var permission sql.NullInt64
			if err := r.Scan(&id, &seq, &permission); err != nil {
				return err
			}
			m := byID[id]
			if int(permission.Int64) == m.permission {
				m.seq, m.first = seq+m.copies, seq+1
				n++
			}
			return nil
		})
		if err != nil {
			return err
		}
		if n < len(ids) {
			return errRowsGone // deleted or made read-only since it was found
		}
		var set strings.Builder
		args := make([]any, 0, 3*len(ids))
		for _, id := range ids {
			set.WriteString(" WHEN ? THEN ?")
			args = append(args, id, byID[id].seq)
		}
		_, err = w.tx.ExecContext(w.ctx, "UPDATE "+w.s.t.mailboxes+" SET seq = CASE mailbox_idnr"+set.String()+
			" END WHERE mailbox_idnr IN ("+placeholders(len(ids))+")", append(args, anySlice(ids)...)...)
		return err
	})
}

// messages inserts the message rows, in the order of arrival, so that within
// a mailbox message_idnr and seq rise together.
func (w *writer) messages(group []*job) error {
	var rows []any
	var order []copyOf
	copies(group, func(g, t int, j *job) {
		m := w.dest[copyOf{g, t}]
		rows = append(rows, m.id, w.phys[g], j.marks[t].uniqueID(), 1, 0, m.first)
		m.first++
		order = append(order, copyOf{g, t})
		w.users[j.d.Targets[t].UserID].charge += j.d.Message.Size
	})
	const width = 6
	return chunked(order, 1000, func(part []copyOf) error {
		ids, err := w.insertIDs(w.s.t.messages, "mailbox_idnr, physmessage_id, unique_id, recent_flag, status, seq",
			"message_idnr", len(part), width, rows[:width*len(part)])
		rows = rows[width*len(part):]
		if err != nil {
			return err
		}
		for i, c := range part {
			group[c.job].out[c.target].UID = ids[i]
		}
		return nil
	})
}
