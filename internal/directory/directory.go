package directory

import (
	"context"
	"log/slog"
)

// Directory is the Searcher that programs use: a cache over proof of absence
// over a pool of servers.
type Directory struct {
	pool  *Pool
	cache *Cache
	doubt *Doubt
}

// Stats of all layers.
type DirectoryStats struct {
	Cache CacheStats
	Doubt DoubtStats
	Pool  Stats
}

// New stacks the layers on the pool, which it takes over. Without a logger it
// is silent.
func New(pool *Pool, c CacheOptions, d DoubtOptions, log *slog.Logger) *Directory {
	doubt := NewDoubt(pool, d, log)
	return &Directory{pool: pool, doubt: doubt, cache: NewCache(doubt, c)}
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
	return DirectoryStats{Cache: d.cache.Stats(), Doubt: d.doubt.Stats(), Pool: d.pool.Stats()}
}

// Ready waits until a server can be asked, or it is known that none can.
func (d *Directory) Ready(ctx context.Context) error { return d.pool.Ready(ctx) }

// Close ends the connections; searches under way fail.
func (d *Directory) Close() { d.pool.Close() }
