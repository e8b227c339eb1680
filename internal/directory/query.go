package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// maxSends is on how many connections one search is asked at most: the
// first, one more because that is silent, one more because one was lost.
const maxSends = 3

// Search asks the first server that works. A server that is silent costs a
// moment, then the next one or another connection is asked too, and the first
// answer counts. A search whose connection was lost is asked again.
//
// An error is ErrUnavailable when no server could be asked or none answered in
// time, ErrNoBase, or ErrRefused (a *ResultError when it is the server's
// result); or the filter cannot be sent; or the context was cancelled.
func (p *Pool) Search(ctx context.Context, r *Request) (*Answer, error) {
	a, err := p.search(ctx, r, nil)
	if err != nil {
		return nil, err
	}
	return a, nil
}

// search is Search without the servers to avoid. With a server's result that
// is an error it also returns the entries that came.
func (p *Pool) search(ctx context.Context, r *Request, avoid []*server) (*Answer, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(ctx, p.settings.Timeout)
	defer cancel()
	deadline, _ := ctx.Deadline()
	op, err := encodeSearch(r, seconds(deadline.Sub(begun)))
	if err != nil {
		return nil, err
	}
	q := &query{pool: p, op: op, limit: r.SizeLimit, done: make(chan *call, maxSends), avoid: avoid}
	defer q.finish()
	k, err := q.run(ctx)
	if err == nil && ctx.Err() != nil {
		err = ended(ctx)
	}
	if err != nil {
		return nil, err
	}
	server := k.conn.server.at.uri
	switch k.result.code {
	case ldap.LDAPResultSuccess:
		return &Answer{Entries: k.entries, Server: server, Took: time.Since(begun)}, nil
	case ldap.LDAPResultNoSuchObject:
		if r.BaseFromKey {
			return &Answer{Server: server, Took: time.Since(begun)}, nil
		}
		return nil, fmt.Errorf("%w: %s: %q", ErrNoBase, server, r.Base)
	}
	return &Answer{Entries: k.entries, Server: server}, refusal(k.result, server)
}

// seconds rounds up, as a limit of 0 would be none.
func seconds(d time.Duration) int { return max(1, int((d+time.Second-1)/time.Second)) }

// query is one search on its way to an answer.
type query struct {
	pool  *Pool
	op    []byte
	limit int
	done  chan *call
	out   []*call // sent and not yet told
	sends int
	avoid []*server // that have said they are busy
	last  error     // why the last call gave no answer
}

// run returns the first call that brings an answer, whatever the result code.
func (q *query) run(ctx context.Context) (*call, error) {
	if ctx.Err() != nil {
		return nil, ended(ctx)
	}
	quiet := q.pool.settings.pace.quiet
	tick := time.NewTimer(quiet)
	defer tick.Stop()
	wanted, patient := true, true
	var wait chan struct{} // for a connection to send on
	defer func() { q.pool.leave(wait) }()
	for {
		if wanted && wait == nil {
			var err error
			wait, err = q.send(patient)
			if err != nil && len(q.out) == 0 {
				return nil, q.why(err)
			}
			wanted = wait != nil
		}
		select {
		case k := <-q.done:
			q.take(k)
			if q.final(k) {
				return k, k.err
			}
			wanted = q.sends < maxSends
			if !wanted && len(q.out) == 0 {
				return nil, q.why(ErrUnavailable)
			}
		case <-wait:
			wait = nil
		case <-tick.C:
			tick.Reset(quiet)
			if patient {
				patient = false
				q.pool.leave(wait)
				wait = nil
			}
			wanted = wanted || q.silent()
		case <-ctx.Done():
			return nil, ended(ctx)
		}
	}
}

// ended is the error of a search whose context has ended.
func ended(ctx context.Context) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("search: %w", ctx.Err())
	}
	return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
}

// send asks on one more connection. It returns a channel to wait on first, or
// an error when no server can be asked.
func (q *query) send(patient bool) (chan struct{}, error) {
	for {
		c, wait, err := q.pool.pick(q.avoid, patient)
		if c == nil {
			return wait, err
		}
		k, err := c.start(q.op, q.limit, q.done)
		if err != nil {
			// It is ending just now, or its server does not read.
			c.suspect.Store(true)
			q.pool.release(c)
			q.last = err
			continue
		}
		q.out = append(q.out, k)
		q.sends++
		q.pool.count(q.sends, q.last)
		return nil, nil
	}
}

// count counts searches that are asked more than once.
func (p *Pool) count(sends int, last error) {
	if sends == 1 {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if last != nil {
		p.retried++
	} else {
		p.hedged++
	}
}

// take removes a call that has been told.
func (q *query) take(k *call) {
	q.out = slices.DeleteFunc(q.out, func(other *call) bool { return other == k })
	q.pool.release(k.conn)
}

// final says whether a call ends the search, and otherwise notes why not.
func (q *query) final(k *call) bool {
	var lost *lostError
	if errors.As(k.err, &lost) {
		q.last = k.err
		return false
	}
	if k.err != nil {
		return true
	}
	switch k.result.code {
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		q.avoid = append(q.avoid, k.conn.server)
		fallthrough
	case ldap.LDAPResultOperationsError: // the connection ends with it
		q.last = refusal(k.result, k.conn.server.at.uri)
		return false
	}
	return true
}

// why makes the error of a search without an answer.
func (q *query) why(err error) error {
	switch {
	case q.last == nil:
		return err
	case errors.Is(q.last, ErrRefused):
		return q.last
	}
	return fmt.Errorf("%w: %w", err, q.last)
}

// silent examines connections that do not answer. It says whether to ask on
// another, because what was asked has no sound connection left.
func (q *query) silent() bool {
	sound := false
	for _, k := range q.out {
		if k.conn.silence(k) >= q.pool.settings.pace.quiet {
			q.pool.mu.Lock()
			q.pool.examine(k.conn)
			q.pool.mu.Unlock()
		}
		sound = sound || !k.conn.suspect.Load()
	}
	return !sound && q.sends < maxSends
}

// finish gives up what is still under way.
func (q *query) finish() {
	for _, k := range q.out {
		k.conn.giveUp(k)
		q.pool.release(k.conn)
	}
}
