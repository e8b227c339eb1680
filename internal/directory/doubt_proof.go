package directory

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// prover proves of one server that it is able to find what one group searches.
// A proof is good for the empty answers that came before it was begun. Those
// that come while one is under way share the next.
type prover struct {
	doubt  *Doubt
	group  *group
	server string

	mu      sync.Mutex
	running bool
	next    *proof
	sample  Request // the last empty search
	all     bool    // one of them used to find something: ask for all that is known

	// These belong to run.
	told  bool      // the log knows of the doubt
	since time.Time // the first of the proofs that have succeeded one after another
	last  time.Time // the last of them
	whole time.Time // the last one that asked for all that is known
}

// proof is a proof under way; the fields are set when done is closed.
type proof struct {
	done  chan struct{}
	since time.Time // from when on the server has been able to find
	err   error
}

// wholeEvery is between proofs that ask for all that is known. Those between
// ask for one entry, as long as none has failed.
const wholeEvery = time.Second

// maxPause is between proofs that are taken for one after another.
const maxPause = 10 * time.Second

func (d *Doubt) prover(g *group, server string) *prover {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.provers[server]
	if p == nil {
		p = &prover{doubt: d, group: g, server: server}
		g.provers[server] = p
	}
	return p
}

// join waits for a proof that begins after the call, for an empty answer to
// sample, and returns from when on the server has been able to find.
func (p *prover) join(ctx context.Context, sample Request, known bool) (time.Time, error) {
	p.mu.Lock()
	p.sample, p.all = sample, p.all || known
	if p.next == nil {
		p.next = &proof{done: make(chan struct{})}
	}
	mine := p.next
	if !p.running {
		p.running = true
		go p.run()
	}
	p.mu.Unlock()
	select {
	case <-mine.done:
		return mine.since, mine.err
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

func (p *prover) run() {
	for {
		p.mu.Lock()
		now, sample, all := p.next, p.sample, p.all
		p.next, p.all = nil, false
		if now == nil {
			p.running = false
			p.mu.Unlock()
			return
		}
		p.mu.Unlock()
		p.doubt.proofs.Add(1)
		begun := time.Now()
		steady := !p.since.IsZero() && begun.Sub(p.last) <= maxPause
		if all = all || !steady || begun.Sub(p.whole) > wholeEvery; all {
			p.whole = begun
		}
		now.err = p.prove(&sample, all)
		p.tell(now.err)
		if now.err != nil || !steady {
			p.since = time.Time{}
		}
		if now.err == nil {
			if p.last = time.Now(); p.since.IsZero() {
				p.since = p.last
			}
		}
		now.since = p.since
		close(now.done)
	}
}

// tell logs when doubt begins and ends.
func (p *prover) tell(err error) {
	doubt := errors.Is(err, ErrDoubt)
	if doubt == p.told || err != nil && !doubt {
		return
	}
	p.told = doubt
	if doubt {
		p.doubt.log.Error("directory in doubt", "server", p.server, "table", p.group.table, "why", err.Error())
	} else {
		p.doubt.log.Info("directory believed again", "server", p.server, "table", p.group.table)
	}
}

// prove returns nil when the server is able to find what the group searches;
// ErrDoubt when it is not, and else why that cannot be told.
func (p *prover) prove(sample *Request, all bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), p.doubt.options.Timeout)
	defer cancel()
	// At the same time, but most often there is only the last one to ask.
	var errs [3]error
	var others sync.WaitGroup
	if p.doubt.options.Sentinel != "" {
		others.Go(func() { errs[0] = p.sentinel(ctx, sample) })
	}
	if p.doubt.csnDue(p.server) {
		others.Go(func() { errs[1] = p.doubt.complete(ctx, p.server, sample.Base) })
	}
	errs[2] = p.vouch(ctx, sample, all)
	others.Wait()
	var unknown error
	for _, err := range errs {
		switch {
		case errors.Is(err, ErrDoubt):
			return err
		case err != nil:
			unknown = err
		}
	}
	if unknown != nil {
		return fmt.Errorf("prove that %s is able to find: %w", p.server, unknown)
	}
	return nil
}

func inDoubt(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrDoubt}, args...)...)
}

func isNoBase(err error) bool { return errors.Is(err, ErrNoBase) }

// sentinel asks for the configured entry.
func (p *prover) sentinel(ctx context.Context, sample *Request) error {
	o := &p.doubt.options
	r := &Request{Base: o.Sentinel, Scope: ScopeBase, Filter: anyEntry, Attributes: []string{noAttributes}}
	if o.Sentinel[0] == '(' {
		r.Base, r.Scope, r.Filter, r.SizeLimit = o.SentinelBase, ScopeSub, o.Sentinel, 1
		if r.Base == "" {
			if sample.BaseFromKey {
				return nil // there is no base to look below
			}
			r.Base = sample.Base
		}
	}
	a, err := p.doubt.next.SearchOn(ctx, p.server, r)
	switch {
	case isNoBase(err), err == nil && len(a.Entries) == 0:
		return inDoubt("the sentinel %s is not found", o.Sentinel)
	case isSizeLimit(err):
		return nil
	}
	return err
}

// vouch asks for what the group found a while ago. An entry may have been
// deleted since, or changed; not most of them at the same time.
func (p *prover) vouch(ctx context.Context, sample *Request, all bool) error {
	g, o := p.group, &p.doubt.options
	recents := g.current()
	if !all && len(recents) > 0 {
		at := rand.IntN(len(recents))
		_, lost, err := g.recall(ctx, p.doubt.next, p.server, recents[at:at+1])
		if err != nil || len(lost) == 0 {
			return err
		}
	}
	found, lost, err := g.recall(ctx, p.doubt.next, p.server, recents)
	if err != nil {
		return err
	}
	var gone []*recent
	changed := 0
	for _, one := range lost {
		deleted, err := p.isGone(ctx, one)
		if err != nil {
			return err
		}
		if deleted {
			gone = append(gone, one)
		} else {
			g.forget(one)
			changed++
		}
	}
	settled := g.mark(found, gone, o.Settle)
	total := len(found) + len(gone)
	switch most := len(gone) > max(1, total/4); {
	case !settled && (most || len(found) == 0 && len(gone) > 1):
		return inDoubt("of %d entries that were found a while ago, %d are gone", total, len(gone))
	case len(found) == 0 && (changed == 0 || len(gone) > 0):
		// Nothing that is known proves it: look for something else. If there
		// is nothing, the one entry that a table had may be deleted, in time;
		// of several it is not believed, however long.
		if err := p.survey(ctx, sample, len(gone) == 0 || len(gone) == 1 && settled); err != nil {
			return err
		}
	}
	for _, one := range gone {
		g.forget(one)
		if p.doubt.burst(g.table, p.doubt.hasher.sum(&one.request), true) {
			return inDoubt("too many answers of table %q turned to nothing", g.table)
		}
	}
	return nil
}

// isGone tells whether an entry that is not found any more was deleted (or was
// never loaded). It is an error if it is there and the server cannot evaluate
// the group's filter on it; otherwise it has been changed, as is its right.
func (p *prover) isGone(ctx context.Context, one *recent) (bool, error) {
	a, err := p.doubt.next.SearchOn(ctx, p.server, &Request{
		Base: one.name, Scope: ScopeBase, Filter: evaluable(p.group.names), Attributes: []string{noAttributes},
	})
	switch {
	case isNoBase(err):
		return true, nil
	case err != nil:
		return false, err
	case len(a.Entries) == 0:
		return false, inDoubt("%s is there, but may not be searched by %v any more", one.name, p.group.names)
	}
	return false, nil
}
