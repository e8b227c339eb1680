package dbmail

import (
	"database/sql"
	"errors"
	"time"
)

// errOtherUser is a target that names one user and carries another's identity.
var errOtherUser = errors.New("the identity is not the user's")

// renamed is a user whose row has followed its entry in the directory.
type renamed struct {
	id       uint64
	from, to string
}

// tell logs what COMMIT has made of the directory's users.
func (w *writer) tell() {
	for _, r := range w.renamed {
		w.s.log.Info("user renamed, as its entry in the directory", "user_idnr", r.id, "from", r.from, "to", r.to)
	}
}

// lockNamed locks the rows of users, in ascending id, and reads their names.
func (w *writer) lockNamed(b *batch, ids []uint64) {
	_ = chunked(ids, 1000, func(ids []uint64) error {
		b.query(func(r *sql.Rows) error {
			var id uint64
			u := &userRow{}
			err := r.Scan(&id, &u.limit, &u.used, &u.name)
			w.users[id] = u
			w.roll.names[id] = u.name
			return err
		}, "SELECT user_idnr, maxmail_size, curmail_size, userid FROM "+w.s.t.users+
			" WHERE user_idnr IN ("+placeholders(len(ids))+") ORDER BY user_idnr"+w.s.d.forUpdate, anySlice(ids)...)
		return nil
	})
}

// pair holds the identities of the targets against the locked rows once more.
// Rows that are missing are made, as DBMail makes those of LDAP users; an entry
// that was renamed renames its row; and who each user is gets noted. A target
// whose identity does not fit loses its copy, the others keep theirs.
//
// A row of gatepost_users is only written behind the lock of its user's row.
func (w *writer) pair() error {
	if w.roll == nil {
		return nil
	}
	var unsure []*Identity
	w.identities(func(o *Outcome, i *Identity) {
		var more bool
		if _, more, o.Err = w.roll.judge(i); more {
			unsure = append(unsure, i)
		}
	})
	if len(unsure) == 0 {
		return nil
	}
	b := w.batch()
	w.s.lookForClaims(b, w.roll, unsure)
	if err := b.run(w.ctx); err != nil {
		return err
	}
	w.roll.widen(unsure)
	changed := map[uint64]bool{}
	w.identities(func(o *Outcome, i *Identity) {
		var c change
		c, _, o.Err = w.roll.judge(i)
		if c.make && len(w.boxes[i.ID]) > 0 {
			// A store without DBMail's references keeps them when a user is
			// deleted; they are not the new one's.
			o.Err = pairing("uidNumber %d has no user in the store, but an INBOX that somebody has left behind; remove that user's mailboxes, or give %q another number",
				i.ID, i.Login)
		}
		if o.Err == nil && c != (change{}) {
			w.write(b, i, c)
			w.roll.add(i, c)
			changed[i.ID] = true
		}
	})
	if len(changed) == 0 {
		return nil
	}
	// What another writer has done at the same moment shows now.
	ids := sortedIDs(changed)
	for _, id := range ids {
		delete(w.roll.names, id)
		delete(w.roll.notes, id)
	}
	w.lockNamed(b, ids)
	w.s.lookForNotes(b, w.roll, ids)
	if err := b.run(w.ctx); err != nil {
		return err
	}
	w.identities(func(o *Outcome, i *Identity) {
		if !changed[i.ID] {
			return
		}
		var c change
		if c, _, o.Err = w.roll.judge(i); o.Err == nil && c != (change{}) {
			o.Err = pairing("uidNumber %d, login %q: the row could not be made so; somebody changes it at this moment, or the store takes that login for another one's",
				i.ID, i.Login)
		}
	})
	return nil
}

// identities calls f for each identity of the targets that still get a copy,
// up to the first of a target that fails.
func (w *writer) identities(f func(o *Outcome, i *Identity)) {
	w.copies(func(at copyOf, j *job, t Target) {
		o := &j.out[at.target]
		if t.Identity == nil {
			return
		}
		for k := -1; k < len(t.Also) && o.Err == nil; k++ {
			i := t.Identity
			if k >= 0 {
				i = t.Also[k]
			}
			if i.ID != t.UserID {
				o.Err = errOtherUser
				return
			}
			f(o, i)
		}
	})
}

// write adds the statements of a change. None of them touches what another
// writer may have put there since the roll was read.
func (w *writer) write(b *batch, i *Identity, c change) {
	own, uuid, n := w.s.t.ownUsers, i.uuid(), w.roll.notes[i.ID]
	if c.make {
		b.exec(w.s.d.ignore+" INTO "+w.s.t.users+" (user_idnr, userid, passwd, client_idnr, maxmail_size, curmail_size, encryption_type, active)"+
			" VALUES (?, ?, '"+shadowPassword+"', "+shadowClient+", 0, 0, 'md5', 1)", i.ID, i.Login)
		if n.uuid != "" { // of a user who is gone
			b.exec("DELETE FROM "+own+" WHERE user_idnr = ? AND entry_uuid = ?", i.ID, n.uuid)
		}
	}
	if c.rename {
		b.exec("UPDATE "+w.s.t.users+" SET userid = ? WHERE user_idnr = ?", i.Login, i.ID)
		b.exec("UPDATE "+own+" SET login = ? WHERE user_idnr = ? AND entry_uuid = ?", i.Login, i.ID, uuid)
		w.renamed = append(w.renamed, renamed{i.ID, w.roll.names[i.ID], i.Login})
	}
	if c.note {
		if m, ok := w.roll.noted[uuid]; ok && m != i.ID { // of a user who is gone
			b.exec("DELETE FROM "+own+" WHERE user_idnr = ? AND entry_uuid = ?"+
				" AND NOT EXISTS (SELECT 1 FROM "+w.s.t.users+" WHERE user_idnr = ?)", m, uuid, m)
		}
		b.exec(w.s.d.ignore+" INTO "+own+" (user_idnr, entry_uuid, login, noted) VALUES (?, ?, ?, ?)",
			i.ID, uuid, i.Login, timestamp(time.Now()))
	}
}
