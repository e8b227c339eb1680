package dbmail

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"runtime/debug"
	"time"
)

// transact stores the group in one transaction, in the order that the package
// comment gives and in few round trips. A job that turns out to leave no copy
// at all (a repeat, a full mailbox) ends the attempt: it gets its outcome, the
// transaction is rolled back and the caller runs the rest again, so that no
// rows without a message stay behind.
func (s *Store) transact(ctx context.Context, group []*job, leave func()) (err error) {
	conn, err := s.write.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	w := &writer{s: s, ctx: ctx, conn: conn, group: group, blobs: newBlobSet(group), values: newValueSet(group)}
	defer func() { w.end(err) }()
	defer func() {
		if p := recover(); p != nil {
			s.log.Error("internal error", "why", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%w: %v", errInternal, p)
		}
	}()

	if err := w.look(); err != nil {
		return fmt.Errorf("look for what is stored: %w", err)
	}
	if err := w.content(); err != nil {
		return fmt.Errorf("write content: %w", err)
	}
	if err := w.lock(); err != nil {
		return fmt.Errorf("link content, lock users and mailboxes: %w", err)
	}
	if groupSize(group) > heavyGroup {
		leave()
	}
	if err := w.deliver(); err != nil {
		// If COMMIT was among what failed, it may have happened. The next
		// attempt sees it: it looks for earlier copies behind the same locks.
		return fmt.Errorf("write messages and commit: %w", err)
	}
	w.begun = false
	w.tell()
	for _, j := range group {
		s.marks.forget(j.stored())
		j.settle()
	}
	return nil
}

// writer is one transaction and what it has learnt on its way.
type writer struct {
	s     *Store
	ctx   context.Context
	conn  *sql.Conn
	group []*job
	begun bool

	blobs   *blobSet
	values  *valueSet
	phys    []uint64 // physmessage ids, parallel to the group
	users   map[uint64]*userRow
	roll    *roll                 // of the directory's users; nil without any
	renamed []renamed             // by this transaction
	boxes   map[uint64][]*mailbox // what was found, by owner
	dest    map[copyOf]*mailbox   // where each copy goes
}

// copyOf names a copy: the job's and the target's place.
type copyOf struct{ job, target int }

func (w *writer) batch() *batch { return w.s.batch(w.conn) }

// end gives the connection back: clean, or not at all.
func (w *writer) end(err error) {
	if w.begun {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), 5*time.Second)
		defer cancel()
		if _, e := w.conn.ExecContext(ctx, "ROLLBACK"); e != nil || mustReconnect(err) {
			_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
		}
	}
	w.conn.Close()
}

// look begins the transaction and reads what the group can reuse.
func (w *writer) look() error {
	if err := w.s.names.ensure(w.ctx, w.s, w.conn, w.group); err != nil {
		return err
	}
	b := w.batch()
	w.begun = true
	b.exec(w.s.d.begin)
	w.s.lookForBlobs(b, w.blobs)
	w.s.lookForValues(b, w.values)
	w.lookForMailboxes(b)
	if err := b.run(w.ctx); err != nil {
		return err
	}
	if err := w.s.compareBlobs(w.ctx, w.conn, w.blobs); err != nil {
		return err
	}
	w.chooseMailboxes()
	return w.dropEmpty()
}

// content writes what is new: physmessages, blobs and header values.
func (w *writer) content() error {
	b := w.batch()
	args := make([]any, 0, 3*len(w.group))
	for _, j := range w.group {
		args = append(args, j.d.Message.Size, j.d.Message.RFCSize, timestamp(j.d.Received))
	}
	b.insert("INSERT", w.s.t.physmessage, "messagesize, rfcsize, internal_date", "id", 3, args,
		func(id uint64) { w.phys = append(w.phys, id) })
	large := w.insertBlobs(b)
	w.insertValues(b)
	if err := b.run(w.ctx); err != nil {
		return err
	}
	for _, k := range large {
		id, err := w.largeBlob(k, w.blobs.data[k])
		if err != nil {
			return err
		}
		w.blobs.stored[k] = id
	}
	return nil
}

// lock links the content to the messages, and then locks the users and the
// mailboxes. What it learns decides which copies are written.
func (w *writer) lock() error {
	b := w.batch()
	if err := w.linkParts(b); err != nil {
		return err
	}
	if err := w.linkHeaders(b); err != nil {
		return err
	}
	var envelopes, references []any
	for g, j := range w.group {
		envelopes = append(envelopes, w.phys[g], j.env)
		for _, r := range j.refs {
			references = append(references, w.phys[g], r)
		}
	}
	b.insert("INSERT", w.s.t.envelope, "physmessage_id, envelope", "", 2, envelopes, nil)
	// The unique index compares without case and accents; ids that differ
	// only so are one to it.
	b.insert(w.s.d.ignore, w.s.t.referencesfield, "physmessage_id, referencesfield", "", 2, references, nil)
	w.lockUsers(b)
	shared := w.findRepeats(b)
	ready := w.inboxesAreThere()
	if ready {
		w.lockMailboxes(b)
	}
	if err := b.run(w.ctx); err != nil {
		return err
	}
	if shared {
		return errApart
	}
	w.unknownUsers()
	if err := w.pair(); err != nil {
		return err
	}
	if err := w.checkQuota(); err != nil {
		return err
	}
	if err := w.dropEmpty(); err != nil {
		return err
	}
	if !ready {
		if err := w.makeInboxes(); err != nil {
			return err
		}
		w.lockMailboxes(b)
		if err := b.run(w.ctx); err != nil {
			return err
		}
	}
	return w.checkMailboxes()
}

// deliver writes the message rows, the mailboxes' seq and the users' usage,
// and commits.
func (w *writer) deliver() error {
	b := w.batch()
	w.raiseSeq(b)
	w.insertMessages(b)
	w.chargeQuota(b)
	b.exec("COMMIT")
	return b.run(w.ctx)
}

func groupSize(group []*job) int {
	n := 0
	for _, j := range group {
		n += j.bytes
	}
	return n
}

// copies calls f for each target that still gets a copy.
func (w *writer) copies(f func(at copyOf, j *job, t Target)) {
	for g, j := range w.group {
		for t := range j.d.Targets {
			if j.out[t].Err == nil && !j.out[t].Repeat {
				f(copyOf{g, t}, j, j.d.Targets[t])
			}
		}
	}
}

// dropEmpty ends the attempt when a job has lost its last copy.
func (w *writer) dropEmpty() error {
	alive := make([]bool, len(w.group))
	w.copies(func(at copyOf, _ *job, _ Target) { alive[at.job] = true })
	var err error
	for g, j := range w.group {
		if !alive[g] {
			j.settle()
			err = errRowsGone
		}
	}
	return err
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
