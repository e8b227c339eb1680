package directory

// CacheStats are a cache's counters since it began, and its size now.
type CacheStats struct {
	Hits         uint64 // fresh answers that found something
	NegativeHits uint64 // fresh empty answers
	Misses       uint64 // look-ups that had to ask
	Shared       uint64 // misses that joined a search under way
	Stale        uint64 // answers past their time, given because no server could tell
	Refreshes    uint64 // searches in the background for answers about to expire
	Evictions    uint64 // answers dropped for want of room
	Unkept       uint64 // answers too big to keep, or overtaken by a change

	Entries   int // answers held
	Negatives int // of these, empty ones
	Bytes     int // of memory, as counted
	MaxBytes  int
}

// Stats reads the counters.
func (c *Cache) Stats() CacheStats {
	s := CacheStats{
		Misses: c.misses.Load(), Shared: c.shared.Load(), Stale: c.stale.Load(),
		Refreshes: c.refreshes.Load(), Unkept: c.unkept.Load(), MaxBytes: c.options.MaxBytes,
	}
	for n := range c.store.shard {
		sh := &c.store.shard[n]
		s.Hits += sh.hits.Load()
		s.NegativeHits += sh.negativeHits.Load()
		sh.mu.Lock()
		s.Evictions += sh.evictions
		s.Entries += len(sh.items)
		s.Negatives += sh.negatives
		s.Bytes += sh.bytes
		sh.mu.Unlock()
	}
	return s
}
