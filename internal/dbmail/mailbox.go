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
	locked     bool  // and still what it was when it was chosen
	seq        int64 // the last one given out
	next       int64 // the last one given to a copy of this transaction
}

func (m *mailbox) writable() bool { return m.permission == permissionReadWrite && !m.noSelect }

// lookForMailboxes reads the mailboxes that the copies may go to: the one that
// the address names, and INBOX.
func (w *writer) lookForMailboxes(b *batch) {
	w.boxes = map[uint64][]*mailbox{}
	owners := map[uint64]bool{}
	names := map[string]bool{strings.ToLower(inbox): true}
	w.copies(func(_ copyOf, _ *job, t Target) {
		owners[t.UserID] = true
		if t.Mailbox != "" {
			names[strings.ToLower(encodeMailboxName(t.Mailbox))] = true
		}
	})
	w.selectMailboxes(b, owners, names)
}

func (w *writer) selectMailboxes(b *batch, owners map[uint64]bool, names map[string]bool) {
	_ = chunked(sortedIDs(owners), 1000, func(owners []uint64) error {
		args := anySlice(owners)
		for name := range names {
			args = append(args, name)
		}
		b.query(func(r *sql.Rows) error {
			m := &mailbox{}
			var permission sql.NullInt64
			if err := r.Scan(&m.id, &m.owner, &m.name, &permission, &m.noSelect); err != nil {
				return err
			}
			m.permission = int(permission.Int64)
			w.boxes[m.owner] = append(w.boxes[m.owner], m)
			return nil
		}, "SELECT mailbox_idnr, owner_idnr, name, permission, no_select FROM "+w.s.t.mailboxes+
			" WHERE owner_idnr IN ("+placeholders(len(owners))+") AND "+w.s.d.fold("name")+" IN ("+placeholders(len(names))+")", args...)
		return nil
	})
}

// chooseMailboxes settles where each copy goes: to the mailbox that the
// address names if it is there and writable, else to INBOX; to none yet where
// that has to be made.
func (w *writer) chooseMailboxes() {
	w.dest = map[copyOf]*mailbox{}
	w.copies(func(at copyOf, j *job, t Target) {
		own := w.boxes[t.UserID]
		var box *mailbox
		if t.Mailbox != "" {
			box = pickMailbox(own, encodeMailboxName(t.Mailbox))
		}
		if box == nil || !box.writable() {
			box = pickMailbox(own, inbox)
		}
		switch {
		case box == nil:
		case !box.writable():
			j.out[at.target].Err = ErrNoPermission
		default:
			w.dest[at] = box
		}
	})
}

// inboxesAreThere says that no INBOX has to be made.
func (w *writer) inboxesAreThere() bool {
	all := true
	w.copies(func(at copyOf, _ *job, _ Target) { all = all && w.dest[at] != nil })
	return all
}

// makeInboxes makes the missing INBOXes as DBMail does: read-write, seq 1,
// subscribed. Another writer may have made one since we looked; then its row
// is taken.
func (w *writer) makeInboxes() error {
	missing := map[uint64]bool{}
	w.copies(func(at copyOf, _ *job, t Target) {
		if w.dest[at] == nil {
			missing[t.UserID] = true
		}
	})
	var rows []any
	for _, owner := range sortedIDs(missing) {
		rows = append(rows, inbox, owner, permissionReadWrite, 1)
		delete(w.boxes, owner)
	}
	b := w.batch()
	b.insert(w.s.d.ignore, w.s.t.mailboxes, "name, owner_idnr, permission, seq", "", 4, rows, nil)
	w.selectMailboxes(b, missing, map[string]bool{strings.ToLower(inbox): true})
	if err := b.run(w.ctx); err != nil {
		return err
	}
	rows = rows[:0]
	for _, owner := range sortedIDs(missing) {
		box := pickMailbox(w.boxes[owner], inbox)
		if box == nil || !box.writable() {
			return fmt.Errorf("INBOX of user %d: %w", owner, errRowsGone)
		}
		rows = append(rows, owner, box.id)
	}
	b.insert(w.s.d.ignore, w.s.t.subscription, "user_id, mailbox_id", "", 2, rows, nil)
	w.copies(func(at copyOf, _ *job, t Target) {
		if w.dest[at] == nil {
			w.dest[at] = pickMailbox(w.boxes[t.UserID], inbox)
		}
	})
	return b.run(w.ctx)
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

// destinations lists the mailboxes that copies go to, by id.
func (w *writer) destinations() map[uint64]*mailbox {
	byID := map[uint64]*mailbox{}
	for _, m := range w.dest {
		byID[m.id] = m
	}
	return byID
}

func ids[T any](byID map[uint64]T) []uint64 {
	out := make([]uint64, 0, len(byID))
	for id := range byID {
		out = append(out, id)
	}
	slices.Sort(out)
	return out
}

// lockMailboxes locks the rows in ascending id and reads their seq.
func (w *writer) lockMailboxes(b *batch) {
	byID := w.destinations()
	_ = chunked(ids(byID), 1000, func(ids []uint64) error {
		b.query(func(r *sql.Rows) error {
			var id uint64
			var now mailbox
			var permission sql.NullInt64
			if err := r.Scan(&id, &now.seq, &now.name, &permission, &now.noSelect); err != nil {
				return err
			}
			m := byID[id]
			m.seq = now.seq
			m.locked = int(permission.Int64) == m.permission && now.name == m.name && now.noSelect == m.noSelect
			return nil
		}, "SELECT mailbox_idnr, seq, name, permission, no_select FROM "+w.s.t.mailboxes+
			" WHERE mailbox_idnr IN ("+placeholders(len(ids))+") ORDER BY mailbox_idnr"+w.s.d.forUpdate, anySlice(ids)...)
		return nil
	})
}

// checkMailboxes sees that the locked rows are what was chosen: a mailbox may
// have been deleted, renamed or made read-only since.
func (w *writer) checkMailboxes() error {
	for _, m := range w.dest {
		if !m.locked {
			return errRowsGone
		}
	}
	return nil
}

// raiseSeq gives each copy its seq and writes the mailboxes'.
func (w *writer) raiseSeq(b *batch) {
	raised := map[uint64]int64{}
	for _, m := range w.destinations() {
		m.next = m.seq
	}
	w.copies(func(at copyOf, _ *job, _ Target) {
		m := w.dest[at]
		m.seq++
		raised[m.id] = m.seq
	})
	_ = chunked(ids(raised), 1000, func(ids []uint64) error {
		var set strings.Builder
		args := make([]any, 0, 3*len(ids))
		for _, id := range ids {
			set.WriteString(" WHEN ? THEN ?")
			args = append(args, id, raised[id])
		}
		b.exec("UPDATE "+w.s.t.mailboxes+" SET seq = CASE mailbox_idnr"+set.String()+
			" END WHERE mailbox_idnr IN ("+placeholders(len(ids))+")", append(args, anySlice(ids)...)...)
		return nil
	})
}

// insertMessages inserts the message rows, in the order of arrival, so that
// within a mailbox message_idnr and seq rise together.
func (w *writer) insertMessages(b *batch) {
	var rows []any
	var order []*Outcome
	w.copies(func(at copyOf, j *job, t Target) {
		m := w.dest[at]
		m.next++
		rows = append(rows, m.id, w.phys[at.job], j.unique[at.target], 1, 0, m.next)
		j.out[at.target].Mailbox = m.name
		order = append(order, &j.out[at.target])
		w.users[t.UserID].charge += j.d.Message.Size
	})
	n := 0
	b.insert("INSERT", w.s.t.messages, "mailbox_idnr, physmessage_id, unique_id, recent_flag, status, seq", "message_idnr", 6, rows,
		func(id uint64) {
			order[n].UID = id
			n++
		})
}
