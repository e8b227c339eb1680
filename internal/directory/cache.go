package directory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// CacheOptions say how long answers live and how much room they have.
type CacheOptions struct {
	// PositiveTTL and NegativeTTL: how long an answer is given without asking
	// again. Each answer lives up to a tenth less, so that what was asked
	// together is not asked again together. 0: ask always.
	PositiveTTL time.Duration
	NegativeTTL time.Duration
	// MaxStale: while no server can tell, an answer younger than this is
	// given. An empty one past its time is no proof of absence any more, and is
	// given only to a Request with StaleNo.
	MaxStale time.Duration
	// MaxStaleAuthorisation: how long past its TTL an answer may be given to
	// a Request that Authorises; five minutes at most.
	MaxStaleAuthorisation time.Duration
	// Patience: how long a look-up that has a stale answer waits for the
	// server before it takes that.
	Patience time.Duration
	// Timeout of a search that callers share, whatever their own deadlines.
	Timeout time.Duration
	// MaxBytes of answers, with all that they cost in memory.
	MaxBytes int
}

// DefaultCacheOptions are for a mail system: a new address is known after half
// a minute, a night's outage of the directory stops no mail.
func DefaultCacheOptions() CacheOptions {
	return CacheOptions{
		PositiveTTL:           5 * time.Minute,
		NegativeTTL:           30 * time.Second,
		MaxStale:              12 * time.Hour,
		MaxStaleAuthorisation: maxStaleAuthorisation,
		Patience:              2 * time.Second,
		Timeout:               15 * time.Second,
		MaxBytes:              16 << 20,
	}
}

const maxStaleAuthorisation = 5 * time.Minute

// Cache is a Searcher that remembers the answers of the next one, shares
// searches that are under way, and gives what it remembers while no server
// can tell. It never keeps an error.
type Cache struct {
	next    Searcher
	options CacheOptions
	hasher  hasher
	store   *store
	flights *flights
	now     func() int64 // nanoseconds since the cache began

	// epoch counts what was dropped: an answer that was asked for in another
	// epoch may be from before the change, and is not kept.
	epoch atomic.Uint64
	// validFrom: what was asked for before counts as past its time.
	validFrom atomic.Int64
	followers atomic.Pointer[[]*follower]

	misses, shared, stale, refreshes, unkept atomic.Uint64
}

// NewCache puts a cache before next.
func NewCache(next Searcher, o CacheOptions) *Cache {
	o.MaxStaleAuthorisation = min(o.MaxStaleAuthorisation, maxStaleAuthorisation)
	began := time.Now()
	return &Cache{
		next: next, options: o, hasher: newHasher(), store: newStore(o.MaxBytes),
		flights: newFlights(o.Timeout),
		now:     func() int64 { return int64(time.Since(began)) },
	}
}

// Search answers r from memory while the answer is fresh, and else asks. r and
// what it refers to may not be changed afterwards: a search goes on for others
// when its caller has given up.
func (c *Cache) Search(ctx context.Context, r *Request) (*Answer, error) {
	hash := c.hasher.sum(r)
	if r.NoCache {
		return c.ask(ctx, hash, c.epoch.Load(), r)
	}
	now := c.now()
	i := c.store.get(hash, r)
	if i != nil && now < i.expires && i.asked >= c.validFrom.Load() {
		c.hit(ctx, i, now)
		return i.answer(now, false), nil
	}
	c.misses.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	fl := c.fly(ctx, hash, r)
	if c.mayBeStale(i, r, now) && !c.wait(ctx, fl) {
		// Decided again: the wait may have been long.
		if now = c.now(); c.mayBeStale(i, r, now) && ctx.Err() != context.Canceled {
			c.stale.Add(1)
			return i.answer(now, true), nil
		}
	}
	select {
	case <-fl.done:
		return fl.answer, fl.err
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, context.Cause(ctx))
	}
}

// wait for fl while there is an older answer to give. False: the servers
// cannot tell, or not soon enough.
func (c *Cache) wait(ctx context.Context, fl *flight) bool {
	patience := time.NewTimer(c.options.Patience)
	defer patience.Stop()
	select {
	case <-fl.done:
		return fl.err == nil || !cannotTell(fl.err)
	case <-patience.C:
	case <-ctx.Done():
	}
	return false
}

// hit marks i as used. An answer that is used often is asked again shortly
// before it expires, so that nobody waits for it.
func (c *Cache) hit(ctx context.Context, i *item, now int64) {
	sh := c.store.of(i.hash)
	if i.negative() {
		sh.negativeHits.Add(1)
	} else {
		sh.hits.Add(1)
	}
	if !i.used.Load() {
		i.used.Store(true)
		return
	}
	if i.refresh != 0 && now > i.refresh && i.refreshing.CompareAndSwap(false, true) {
		c.refreshes.Add(1)
		c.fly(ctx, i.hash, &i.request)
	}
}

func (c *Cache) fly(ctx context.Context, hash uint64, r *Request) *flight {
	epoch := c.epoch.Load()
	fl, began := c.flights.join(ctx, hash, epoch, r,
		func(ctx context.Context, r *Request) (*Answer, error) { return c.ask(ctx, hash, epoch, r) })
	if !began {
		c.shared.Add(1)
	}
	return fl
}

// ask has r answered by the next Searcher and keeps the answer.
func (c *Cache) ask(ctx context.Context, hash, epoch uint64, r *Request) (*Answer, error) {
	asked := c.now()
	send := *r
	if i := c.store.get(hash, r); i != nil && !i.negative() {
		send.known = asked-i.given < int64(c.options.MaxStale)
	}
	followers := c.followers.Load()
	hide := followers != nil && askUUID(&send)
	a, err := c.next.Search(ctx, &send)
	if err != nil {
		return nil, err
	}
	if followers != nil {
		takeUUID(a, hide)
	}
	i := newItem(hash, r, a)
	i.request.NoCache, i.request.Authorises, i.request.StaleNo = false, false, false
	i.asked, i.given = asked, c.now()
	ttl := c.options.PositiveTTL
	if i.negative() {
		ttl = c.options.NegativeTTL
	}
	if tenth := int64(ttl / 10); tenth > 0 {
		i.expires = i.given + int64(ttl) - rand.Int64N(tenth)
		if !i.negative() {
			i.refresh = i.expires - tenth
		}
	} else {
		i.expires = i.given + int64(ttl)
	}
	if c.lags(followers, i) || !c.store.put(i, func() bool { return c.epoch.Load() == epoch }) {
		c.unkept.Add(1)
	}
	return a, nil
}

// lags tells whether i may come from a server that lacks a change we know.
func (c *Cache) lags(followers *[]*follower, i *item) bool {
	if followers != nil {
		for _, f := range *followers {
			if f.lags(i.server, i.given) {
				return true
			}
		}
	}
	return false
}

// mayBeStale tells whether i, past its time, may be given to r at now while no
// server can tell.
func (c *Cache) mayBeStale(i *item, r *Request, now int64) bool {
	switch {
	case i == nil || now-i.given >= int64(c.options.MaxStale):
		return false
	case i.negative() && !r.StaleNo:
		return false
	}
	return !r.Authorises || now-i.expires < int64(c.options.MaxStaleAuthorisation)
}
