package directory

import (
	"context"
	"log/slog"
	"slices"
	"sync"
)

// Directory is the Searcher that programs use: a cache over proof of absence
// over a pool of servers.
type Directory struct {
	pool  *Pool
	cache *Cache
	doubt *Doubt
	log   *slog.Logger

	ctx       context.Context // of the followers
	cancel    context.CancelFunc
	all       sync.WaitGroup
	mu        sync.Mutex
	followers []*follower
}

// DirectoryStats are the counters of all layers.
type DirectoryStats struct {
	Cache CacheStats
	Doubt DoubtStats
	Pool  Stats
	// Followed is the server whose changes each base is followed on; empty
	// while none is. Changes counts those that came.
	Followed map[string]string
	Changes  uint64
}

// New stacks the layers on the pool, which it takes over. Without a logger it
// is silent.
func New(pool *Pool, c CacheOptions, d DoubtOptions, log *slog.Logger) *Directory {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	doubt := NewDoubt(pool, d, log)
	stack := &Directory{pool: pool, doubt: doubt, cache: NewCache(doubt, c), log: log}
	stack.ctx, stack.cancel = context.WithCancel(context.Background())
	return stack
}

// Follow has changes below base empty the cache of what they touch, as soon as
// the server tells them. Where it does not, the log says so once and answers
// live for their time.
func (d *Directory) Follow(base string) {
	f := &follower{pool: d.pool, cache: d.cache, base: base, log: d.log, wake: make(chan struct{}, 1)}
	d.mu.Lock()
	if slices.ContainsFunc(d.followers, func(f *follower) bool { return foldDN(f.base) == foldDN(base) }) {
		d.mu.Unlock()
		return
	}
	d.followers = append(slices.Clone(d.followers), f)
	all := d.followers
	d.cache.followers.Store(&all)
	d.mu.Unlock()
	d.cache.expire() // what is held has no entryUUID
	d.all.Go(func() { f.run(d.ctx) })
}

// Search is a Searcher's.
func (d *Directory) Search(ctx context.Context, r *Request) (*Answer, error) {
	return d.cache.Search(ctx, r)
}

// Flush forgets everything: the answers, and what the directory used to hold.
// It returns how many answers there were.
func (d *Directory) Flush() int {
	d.doubt.Forget()
	return d.cache.Flush()
}

// FlushTable drops the answers of one table.
func (d *Directory) FlushTable(table string) int { return d.cache.FlushTable(table) }

// FlushDN drops the answers that the entry, or one below it, has a part in.
func (d *Directory) FlushDN(dn string) int { return d.cache.FlushDN(dn) }

// Stats reads the counters of all layers.
func (d *Directory) Stats() DirectoryStats {
	s := DirectoryStats{Cache: d.cache.Stats(), Doubt: d.doubt.Stats(), Pool: d.pool.Stats(), Followed: map[string]string{}}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, f := range d.followers {
		s.Changes += f.changes.Load()
		s.Followed[f.base] = ""
		if server := f.server.Load(); server != nil {
			s.Followed[f.base] = *server
		}
	}
	return s
}

// Ready waits until a server can be asked, or it is known that none can.
func (d *Directory) Ready(ctx context.Context) error { return d.pool.Ready(ctx) }

// Close ends the connections; searches under way fail.
func (d *Directory) Close() {
	d.cancel()
	d.all.Wait()
	d.pool.Close()
}
