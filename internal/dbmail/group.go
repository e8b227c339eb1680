package dbmail

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"
)

// grouper collects what waits at the same moment into one transaction. A
// writer that becomes free takes what is there, and waits a moment for messages
// that are known to be on their way (see Store.Expect): a lone message waits
// for nothing and a crowd shares its commit.
type grouper struct {
	queue   chan *job
	held    *job         // taken from the queue, but too large for the group before
	coming  atomic.Int64 // messages that are being received
	writers sync.WaitGroup
	apart   sync.WaitGroup // messages that are written by themselves
	places  chan struct{}  // of those, how many at a time

	mu     sync.RWMutex // held shared while a job is handed over
	closed bool
}

// groupBytes bounds the memory and the time of one transaction; a message
// that is larger goes by itself.
const groupBytes = 4 << 20

func (g *grouper) start(s *Store) {
	g.queue = make(chan *job, 4*s.opt.GroupLimit)
	g.places = make(chan struct{}, 4)
	for range s.opt.Writers {
		g.writers.Add(1)
		go func() {
			defer g.writers.Done()
			s.writeGroups()
		}()
	}
}

func (g *grouper) stop() {
	g.mu.Lock()
	if g.closed || g.queue == nil {
		g.mu.Unlock()
		return
	}
	g.closed = true
	close(g.queue)
	g.mu.Unlock()
	g.writers.Wait()
	g.apart.Wait()
}

func (g *grouper) submit(j *job) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.closed {
		j.fail(ErrClosed)
		return
	}
	g.queue <- j
	if j.d.Arrived != nil {
		j.d.Arrived()
	}
}

// writeGroups is one writer: it ends when the queue is closed and empty.
func (s *Store) writeGroups() {
	for {
		leave := s.turn.take()
		group := s.groups.next(s.opt.GroupLimit)
		if group == nil {
			leave()
			return
		}
		// A group that takes long waits for somebody's row, or is large: the
		// next one goes on beside it.
		t := time.AfterFunc(turnTime, leave)
		s.writeGroup(group, leave)
		t.Stop()
		leave()
	}
}

// next waits for a message and takes what has come with it; nil at the end.
// Only the writer whose turn it is calls it.
func (g *grouper) next(limit int) []*job {
	first := g.held
	g.held = nil
	if first == nil {
		var ok bool
		if first, ok = <-g.queue; !ok {
			return nil
		}
	}
	group, bytes := []*job{first}, first.bytes
	var late <-chan time.Time
	for len(group) < limit && bytes < groupBytes {
		var j *job
		var ok bool
		select {
		case j, ok = <-g.queue:
		default:
			if g.coming.Load() == 0 {
				return group
			}
			if late == nil {
				t := time.NewTimer(gatherTime)
				defer t.Stop()
				late = t.C
			}
			select {
			case j, ok = <-g.queue:
			case <-late:
				return group
			}
		}
		if !ok {
			return group
		}
		if bytes+j.bytes > groupBytes {
			g.held = j // too large for this group
			return group
		}
		group = append(group, j)
		bytes += j.bytes
	}
	return group
}

// gatherTime is how long a group waits for messages that are being received
// at that moment: a fraction of what a COMMIT costs. Clients that got their
// replies together send their next messages together; without the wait the
// first of them would be a group by itself, and the others the next one.
const gatherTime = time.Millisecond

// Expect says that a message is being received. done is to be called when it
// was handed to Deliver, or will not be.
func (s *Store) Expect() (done func()) {
	s.groups.coming.Add(1)
	return sync.OnceFunc(func() { s.groups.coming.Add(-1) })
}

// turn is whose turn it is among the writers. One group at a time is what
// makes groups: while it is written, the next one gathers. More at the same
// time were measured to be slower: smaller groups, and the same disk.
type turn chan struct{}

const (
	turnTime = 100 * time.Millisecond
	// A group of so many bytes keeps the disk busy at its COMMIT for longer
	// than the next one needs to gather.
	heavyGroup = 1 << 20
)

// take waits for the turn; leave passes it on, and may be called again.
func (t turn) take() (leave func()) {
	t <- struct{}{}
	return sync.OnceFunc(func() { <-t })
}

// writeGroup stores a group, passing the turn on when it is only the disk that
// is waited for; and where the group as a whole will not go, each
// message apart, so that one bad message never fails its neighbours.
func (s *Store) writeGroup(group []*job, leave func()) {
	start := time.Now()
	until := group[0].until
	for _, j := range group {
		if j.until.Before(until) {
			until = j.until
		}
	}
	ctx, cancel := context.WithDeadline(context.Background(), until)
	defer cancel()
	err := s.attempt(ctx, group, leave)
	if err != nil && len(group) == 1 && !group[0].written {
		// Nothing of the message itself is in question, only its cached
		// texts: they are too long or of a charset that a column refuses.
		if f := classify(err); f == faultData || f == faultTooBig && !errors.Is(err, ErrTooLarge) {
			s.log.Warn("the store refuses header values of a message; cached in ASCII, shortened", "why", err)
			group[0].toASCII(s)
			err = s.attempt(ctx, group, leave)
		}
	}
	if err != nil && len(group) > 1 && classify(err) != faultRetry {
		s.metrics.GroupsSplit.Add(1)
		s.writeApart(group)
		return
	}
	for _, j := range group {
		if !j.written {
			j.fail(err)
		}
	}
	s.metrics.observe(len(group), time.Since(start), err)
}

// writeApart writes each message of a group by itself, some at a time, beside
// the writers: one of them may wait for a row that somebody holds for long,
// and nobody else is to wait with it.
func (s *Store) writeApart(group []*job) {
	for _, j := range group {
		if j.written {
			continue
		}
		s.groups.apart.Go(func() {
			s.groups.places <- struct{}{}
			defer func() { <-s.groups.places }()
			s.writeGroup([]*job{j}, func() {})
		})
	}
}

// attempt runs the transaction until it is committed, until it fails for a
// reason that another run would not cure, or until the deadline.
func (s *Store) attempt(ctx context.Context, group []*job, leave func()) error {
	var last error
	for n := 0; ; n++ {
		live := group[:0:0]
		for _, j := range group {
			if !j.written {
				j.attempts++
				clear(j.out) // what a failed attempt has found may not hold any more
				live = append(live, j)
			}
		}
		if len(live) == 0 {
			return nil
		}
		err := s.transact(ctx, live, leave)
		if err == nil || classify(err) != faultRetry {
			return err
		}
		if ctx.Err() != nil {
			if last == nil {
				last = err
			}
			return last
		}
		// Somebody holds a row that one of these messages needs, or refuses
		// it: the others must not wait for that one.
		if len(live) > 1 && (isLockWait(err) || n >= 8 && refusesRow(err)) {
			return fmt.Errorf("%w: %w", errNotTogether, err)
		}
		if refusesRow(err) {
			// A header name that we remember may have been cleaned away.
			if e := s.names.load(ctx, s, s.db); e != nil {
				s.log.Warn("header names not read", "why", e)
			}
		}
		last = err
		s.metrics.Retries.Add(1)
		if n > 0 {
			s.log.Warn("store attempt failed, trying again", "attempt", n+1, "messages", len(live), "why", err)
		}
		if !errors.Is(err, errRowsGone) {
			pause(ctx, n)
		}
	}
}

// pause waits a random while that grows with the attempts: 0–10 ms at first,
// a second at most.
func pause(ctx context.Context, n int) {
	limit := min(10*time.Millisecond<<min(n, 10), time.Second)
	t := time.NewTimer(rand.N(limit))
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}
