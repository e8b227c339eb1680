package dbmail

import (
	"database/sql"
	"strings"
	"sync"
	"time"
)

// findRepeats looks for copies that an earlier attempt of the same delivery
// has committed: its answer was lost, or something later failed and the
// client was told 4xx. It runs behind the users' locks, so that an attempt
// whose COMMIT is still under way is waited for and then seen.
//
// It also says whether the same delivery is in the group twice, because two
// sessions carry it at once: they are to be written one after the other, so
// that the second finds the first.
func (w *writer) findRepeats(b *batch) (twice bool) {
	at := map[Mark][]*Outcome{}
	var heads []string // of unique_id, or the whole of it
	w.copies(func(c copyOf, j *job, _ Target) {
		m := j.marks[c.target]
		if at[m] == nil {
			switch {
			case !w.s.marks.has(m):
				heads = append(heads, string(m))
			case j.attempts > 1:
				// The copies from before do not count; the one that an
				// attempt of this very delivery may have committed does.
				heads = append(heads, j.unique[c.target])
			}
		} else {
			twice = true
		}
		at[m] = append(at[m], &j.out[c.target])
	})
	since := timestamp(time.Now().Add(-w.s.opt.RepeatWindow))
	_ = chunked(heads, 200, func(heads []string) error {
		var where strings.Builder
		args := []any{since}
		for i, head := range heads {
			if i > 0 {
				where.WriteString(" OR ")
			}
			// Hex digits sort before "g", in every collation.
			where.WriteString("(m.unique_id >= ? AND m.unique_id < ?)")
			args = append(args, head, head+"g")
		}
		b.query(func(r *sql.Rows) error {
			var unique string
			found := Outcome{Repeat: true}
			if err := r.Scan(&unique, &found.UID, &found.Mailbox); err != nil {
				return err
			}
			for _, o := range at[Mark(unique[:min(markDigits, len(unique))])] {
				*o = found
				w.s.metrics.Repeats.Add(1)
			}
			return nil
		}, "SELECT m.unique_id, m.message_idnr, b.name FROM "+w.s.t.messages+" m JOIN "+
			w.s.t.physmessage+" p ON p.id = m.physmessage_id JOIN "+w.s.t.mailboxes+" b ON b.mailbox_idnr = m.mailbox_idnr"+
			" WHERE p.internal_date >= ? AND ("+where.String()+")", args...)
		return nil
	})
	return twice
}

// Answered says that the client has read a 2xx for these deliveries: what it
// sends from now on is another message, even if it is the same to the byte.
// It is kept in memory only; after a restart such a message counts as a repeat
// until the window has passed.
func (s *Store) Answered(marks []Mark) { s.marks.add(marks, s.opt.RepeatWindow) }

// answered is the set of marks whose 2xx is known to have been read.
type answered struct {
	mu    sync.Mutex
	until map[Mark]time.Time
	sweep time.Time
}

const maxAnswered = 1 << 20 // some 100 MB at the very most

func (a *answered) add(marks []Mark, window time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := time.Now()
	if a.until == nil || len(a.until) >= maxAnswered {
		a.until = map[Mark]time.Time{}
	}
	if now.After(a.sweep) {
		for m, until := range a.until {
			if now.After(until) {
				delete(a.until, m)
			}
		}
		a.sweep = now.Add(time.Hour)
	}
	for _, m := range marks {
		a.until[m] = now.Add(window)
	}
}

func (a *answered) has(m Mark) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	_, ok := a.until[m]
	return ok
}

// forget takes marks out again when a new copy was stored, whose answer is
// not known to have been read.
func (a *answered) forget(marks []Mark) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, m := range marks {
		delete(a.until, m)
	}
}
