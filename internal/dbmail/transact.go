package dbmail

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
)

// transact stores the group in one transaction, in the order that the package
// comment gives. A job that turns out to leave no copy at all (a repeat, a
// full mailbox) ends the attempt: it gets its outcome, the transaction is
// rolled back and the caller runs the rest again, so that no rows without a
// message stay behind.
func (s *Store) transact(ctx context.Context, group []*job) (err error) {
	blobs, err := s.findBlobs(ctx, group)
	if err != nil {
		return fmt.Errorf("find stored parts: %w", err)
	}
	values, err := s.findHeaderValues(ctx, group)
	if err != nil {
		return fmt.Errorf("find stored headers: %w", err)
	}
	if err := s.names.ensure(ctx, s, group); err != nil {
		return fmt.Errorf("add header names: %w", err)
	}

	conn, err := s.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	defer func() {
		if err != nil && mustReconnect(err) {
			_ = conn.Raw(func(any) error { return driver.ErrBadConn })
		}
		conn.Close()
	}()
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback()
		}
	}()

	w := &writer{s: s, tx: tx, ctx: ctx}
	steps := []struct {
		what string
		run  func() error
	}{
		{"lock reused rows", func() error { return w.lockReused(blobs, values) }},
		{"write physmessage", func() error { return w.physmessages(group) }},
		{"write parts", func() error { return w.parts(group, blobs) }},
		{"write headers", func() error { return w.headers(group, values) }},
		{"write envelopes", func() error { return w.envelopes(group) }},
		{"write references", func() error { return w.references(group) }},
		{"lock users", func() error { return w.lockUsers(group) }},
		{"look for earlier copies", func() error { return w.findRepeats(group) }},
		{"check quota", func() error { return w.checkQuota(group) }},
		{"find mailboxes", func() error { return w.findMailboxes(group) }},
		{"lock mailboxes", w.lockMailboxes},
		{"write messages", func() error { return w.messages(group) }},
		{"charge quota", w.chargeQuota},
	}
	for _, step := range steps {
		if err := step.run(); err != nil {
			return fmt.Errorf("%s: %w", step.what, err)
		}
	}
	if err := tx.Commit(); err != nil {
		// Whether it happened is not known. The next attempt sees it: it looks
		// for earlier copies behind the same locks.
		return fmt.Errorf("commit: %w", err)
	}
	for _, j := range group {
		s.marks.forget(j.stored())
		j.written = true
	}
	return nil
}

// writer is one transaction and what it has learnt on its way.
type writer struct {
	s   *Store
	tx  *sql.Tx
	ctx context.Context

	phys  []uint64 // physmessage ids, parallel to the group
	users map[uint64]*userRow
	dest  map[copyOf]*mailbox // where each copy goes
}

// copyOf names a copy: the job's and the target's place.
type copyOf struct{ job, target int }

// userRow is a locked row of dbmail_users.
type userRow struct {
	limit, used int64 // maxmail_size (0: none), curmail_size
	charge      int64 // what this transaction adds
}

// copies calls f for each target that still gets a copy.
func copies(group []*job, f func(job, target int, j *job)) {
	for g, j := range group {
		for t := range j.d.Targets {
			if j.out[t].Err == nil && !j.out[t].Repeat {
				f(g, t, j)
			}
		}
	}
}

// dropEmpty ends the attempt when a job has lost its last copy.
func dropEmpty(group []*job) error {
	var dropped bool
	for _, j := range group {
		alive := false
		for t := range j.out {
			alive = alive || j.out[t].Err == nil && !j.out[t].Repeat
		}
		if !alive {
			j.written, dropped = true, true
		}
	}
	if dropped {
		return errRowsGone
	}
	return nil
}

// stored lists the marks of the copies that this job has written.
func (j *job) stored() []Mark {
	var out []Mark
	for t := range j.out {
		if j.out[t].Err == nil && !j.out[t].Repeat {
			out = append(out, j.marks[t])
		}
	}
	return out
}

// insertIDs runs a multi-row INSERT and gives the new ids in row order.
func (w *writer) insertIDs(table, columns, idColumn string, rows, width int, args []any) ([]uint64, error) {
	q := "INSERT INTO " + table + " (" + columns + ") VALUES " + rowPlaceholders(rows, width)
	ids := make([]uint64, 0, rows)
	if w.s.d.returning {
		r, err := w.tx.QueryContext(w.ctx, q+" RETURNING "+idColumn, args...)
		err = collect(r, err, func(r *sql.Rows) error {
			var id uint64
			if err := r.Scan(&id); err != nil {
				return err
			}
			ids = append(ids, id)
			return nil
		})
		if err == nil && len(ids) != rows {
			err = fmt.Errorf("%s: %d ids for %d rows", table, len(ids), rows)
		}
		return ids, err
	}
	res, err := w.tx.ExecContext(w.ctx, q, args...)
	if err != nil {
		return nil, err
	}
	first, err := res.LastInsertId()
	if err != nil {
		return nil, err
	}
	step := int64(1)
	if rows > 1 {
		if err := w.tx.QueryRowContext(w.ctx, "SELECT @@auto_increment_increment").Scan(&step); err != nil {
			return nil, err
		}
	}
	for i := range rows {
		ids = append(ids, uint64(first+int64(i)*step))
	}
	return ids, nil
}

// insert runs a multi-row INSERT in pieces that the server takes. verb is
// "INSERT" or the dialect's INSERT that skips existing rows.
func (w *writer) insert(verb, table, columns string, width int, args []any) error {
	perStatement := max(1, min(1000, w.s.d.maxVars/width)) * width
	return chunked(args, perStatement, func(args []any) error {
		_, err := w.tx.ExecContext(w.ctx,
			verb+" INTO "+table+" ("+columns+") VALUES "+rowPlaceholders(len(args)/width, width), args...)
		return err
	})
}

func (w *writer) physmessages(group []*job) error {
	args := make([]any, 0, 3*len(group))
	for _, j := range group {
		args = append(args, j.d.Message.Size, j.d.Message.RFCSize, timestamp(j.d.Received))
	}
	ids, err := w.insertIDs(w.s.t.physmessage, "messagesize, rfcsize, internal_date", "id", len(group), 3, args)
	w.phys = ids
	return err
}

func (w *writer) envelopes(group []*job) error {
	args := make([]any, 0, 2*len(group))
	size := 0
	flush := func() error {
		if len(args) == 0 {
			return nil
		}
		err := w.insert("INSERT", w.s.t.envelope, "physmessage_id, envelope", 2, args)
		args, size = args[:0], 0
		return err
	}
	for g, j := range group {
		if size+len(j.env) > w.s.d.maxBytes {
			if err := flush(); err != nil {
				return err
			}
		}
		args = append(args, w.phys[g], j.env)
		size += len(j.env)
	}
	return flush()
}

func (w *writer) references(group []*job) error {
	var args []any
	for g, j := range group {
		for _, r := range j.refs {
			args = append(args, w.phys[g], r)
		}
	}
	// The unique index compares without case and accents; ids that differ
	// only so are one to it.
	return w.insert(w.s.d.ignore, w.s.t.referencesfield, "physmessage_id, referencesfield", 2, args)
}
