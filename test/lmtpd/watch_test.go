package lmtpd_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// watch looks at a mailbox again and again, each time in one consistent
// snapshot, and notes what a client that was there before would miss.
type watch struct {
	site *site
	box  uint64

	known   map[uint64]int64 // message_idnr to seq, as seen last
	seq     int64            // of the mailbox
	highest uint64           // message_idnr of any message
	ours    int              // messages of ours that have appeared
	changes int              // looks that showed something new
	faults  []string
}

func (w *watch) run(ctx context.Context) {
	for ctx.Err() == nil {
		w.look(ctx)
	}
}

func (w *watch) fault(format string, args ...any) {
	if len(w.faults) < 10 {
		w.faults = append(w.faults, fmt.Sprintf("mailbox %d: ", w.box)+fmt.Sprintf(format, args...))
	}
}

// seen is a row of dbmail_messages.
type seen struct {
	id   uint64
	seq  int64
	ours bool
}

func (w *watch) look(ctx context.Context) {
	seq, rows, err := w.snapshot(ctx)
	if err != nil {
		if ctx.Err() == nil {
			w.fault("look: %v", err)
		}
		return
	}
	if seq < w.seq {
		w.fault("its seq fell from %d to %d", w.seq, seq)
	}
	now := make(map[uint64]int64, len(rows))
	bySeq := map[int64]uint64{}
	highest := w.highest
	changed := false
	for _, r := range rows {
		now[r.id] = r.seq
		highest = max(highest, r.id)
		if r.seq > seq {
			w.fault("message %d has seq %d, the mailbox only %d", r.id, r.seq, seq)
		}
		if other, ok := bySeq[r.seq]; ok && r.seq > 0 { // DBMail begins with 0
			w.fault("messages %d and %d both have seq %d", other, r.id, r.seq)
		}
		bySeq[r.seq] = r.id
		if before, ok := w.known[r.id]; ok {
			if r.ours && r.seq != before {
				w.fault("seq of message %d went from %d to %d", r.id, before, r.seq)
			}
			continue
		}
		changed = true
		if !r.ours {
			continue // DBMail has no order: its id is given out before others', and seen after
		}
		w.ours++
		if r.id <= w.highest {
			w.fault("message %d appeared when %d was there already", r.id, w.highest)
		}
		// No message had a seq above the mailbox's, so this holds for all of them.
		if r.seq <= w.seq {
			w.fault("message %d appeared with seq %d when the mailbox was at %d already", r.id, r.seq, w.seq)
		}
	}
	for id := range w.known {
		if _, ok := now[id]; !ok {
			w.fault("message %d is gone", id)
		}
	}
	if changed {
		w.changes++
	}
	w.known, w.seq, w.highest = now, seq, highest
}

// snapshot reads the mailbox's seq and its messages as of one moment.
func (w *watch) snapshot(ctx context.Context) (int64, []seen, error) {
	tx, err := w.site.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelRepeatableRead, ReadOnly: true})
	if err != nil {
		return 0, nil, err
	}
	defer tx.Rollback() // it only reads
	var seq int64
	// The first read makes the snapshot that the second uses.
	if err := tx.QueryRowContext(ctx, "SELECT seq FROM dbmail_mailboxes WHERE mailbox_idnr = ?", w.box).Scan(&seq); err != nil {
		return 0, nil, err
	}
	rows, err := tx.QueryContext(ctx, "SELECT message_idnr, seq, unique_id FROM dbmail_messages WHERE mailbox_idnr = ? AND status < 2 ORDER BY message_idnr", w.box)
	if err != nil {
		return 0, nil, err
	}
	defer rows.Close()
	var out []seen
	for rows.Next() {
		var r seen
		var unique string
		if err := rows.Scan(&r.id, &r.seq, &unique); err != nil {
			return 0, nil, err
		}
		r.ours = !strings.HasPrefix(unique, foreignMark)
		out = append(out, r)
	}
	return seq, out, rows.Err()
}
