package directory

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// follower hears of every change below a base from the server that gets the
// searches, by a persistent syncrepl (RFC 4533, refreshAndPersist) on a
// connection of its own, and drops from the cache what the change touches. It
// reads nothing of the directory but what changes: it begins at the server's
// contextCSN, which is what OpenLDAP's cookie holds.
//
// Whenever it begins, changes may have been missed: everything known is asked
// again then, though it may still be given while no server can tell. Where the
// server cannot be followed the TTL rules.
type follower struct {
	pool  *Pool
	cache *Cache
	base  string
	log   *slog.Logger

	server  atomic.Pointer[string] // that is followed; nil: none
	changed atomic.Int64           // when the last change came, on the cache's clock
	changes atomic.Uint64
	told    string // what the log knows

	mu      sync.Mutex
	batch   []*change
	overrun bool // more came than the batch has room for
	unknown bool // something came whose effect cannot be bounded
	wake    chan struct{}

	readable map[string]bool // attributes that some changed entry had
}

const (
	followRetry    = time.Second
	followLater    = time.Minute // where the server cannot be followed
	followCheck    = 2 * time.Second
	followProbe    = 5 // checks
	followPatience = 5 * time.Second
	// maxBatch bounds how many changes are looked at one by one.
	maxBatch = 64
	// replicaLag is for how long after a change the answers of another server
	// than the followed one are not kept: it may not have the change yet.
	replicaLag = 2 * time.Second
)

// errNotFollowed: the server has no changes to tell; a reason follows.
var errNotFollowed = errors.New("the server does not tell its changes")

// run follows until the context ends.
func (f *follower) run(ctx context.Context) {
	var all sync.WaitGroup
	all.Go(func() { f.apply(ctx) })
	defer all.Wait()
	for ctx.Err() == nil {
		wait := followRetry
		if s := f.pool.active(); s != nil {
			err := f.follow(ctx, s)
			f.server.Store(nil)
			if ctx.Err() != nil {
				return
			}
			if errors.Is(err, errNotFollowed) {
				wait = followLater
				f.tell(slog.LevelWarn, "directory changes are not followed, answers live for their time", s.at.uri, err)
			} else if err != nil {
				f.tell(slog.LevelWarn, "directory changes are missed", s.at.uri, err)
			}
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}

// tell logs what was not the last thing told.
func (f *follower) tell(level slog.Level, message, server string, err error) {
	if f.told == message+server {
		return
	}
	f.told = message + server
	args := []any{"server", server, "base", f.base}
	if err != nil {
		args = append(args, "why", err.Error())
	}
	f.log.Log(context.Background(), level, message, args...)
}

// note takes a change for apply. From this moment on an answer that was asked
// for before is not kept.
func (f *follower) note(c *change) {
	f.cache.epoch.Add(1)
	f.changed.Store(f.cache.now())
	f.changes.Add(1)
	f.mu.Lock()
	switch {
	case c == nil:
		f.unknown = true
	case len(f.batch) >= maxBatch:
		f.overrun = true
	}
	// Every entry is kept by its UUID at least, 16 bytes: only what holds it
	// is dropped when there are too many to look at.
	if c != nil {
		if f.overrun {
			c = &change{uuid: c.uuid, dn: c.dn, deleted: true}
		}
		f.batch = append(f.batch, c)
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default:
	}
}

// apply drops what changes touch, many changes at a time when they come fast,
// and never takes more than a quarter of a processor for it.
func (f *follower) apply(ctx context.Context) {
	for {
		select {
		case <-f.wake:
		case <-ctx.Done():
			return
		}
		f.mu.Lock()
		batch, all := f.batch, f.unknown || f.overrun
		f.batch, f.unknown, f.overrun = nil, false, false
		f.mu.Unlock()
		began := time.Now()
		if all {
			f.cache.expire()
		}
		touches := f.touched(batch)
		f.cache.drop(touches)
		select {
		case <-time.After(min(3*time.Since(began), 50*time.Millisecond)):
		case <-ctx.Done():
			return
		}
	}
}

// lags tells whether an answer of the server may be older than a change that
// is known.
func (f *follower) lags(server string, now int64) bool {
	followed := f.server.Load()
	return followed != nil && *followed != server && f.changes.Load() > 0 &&
		now-f.changed.Load() < int64(replicaLag)
}
