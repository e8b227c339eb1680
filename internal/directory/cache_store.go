package directory

import (
	"sync"
	"sync/atomic"
)

// shards is a power of two: enough that the processors of a mail gateway
// seldom meet, few enough that a shard holds the answer of a big list.
const shards = 8

// store holds answers, bounded in bytes. Each shard evicts by SIEVE
// (Zhang et al., NSDI 2024): a queue in order of arrival and a hand that walks
// from old to new and drops the first answer that nobody used since it last
// came by. A hit only sets a mark, nothing moves; and the thousands of unknown
// addresses of a dictionary attack, each asked once, push each other out and
// not the addresses that mail arrives for, which LRU would not promise.
// It is our own because it is a page of code, while the libraries at hand
// count entries or estimate bytes, and none can drop by content.
type store struct {
	perShard int // bytes
	shard    [shards]shard
}

type shard struct {
	mu           sync.Mutex
	items        map[uint64]*item
	newest       *item
	oldest       *item
	hand         *item
	bytes        int
	negatives    int
	evictions    uint64
	hits         atomic.Uint64 // counted here to keep processors apart
	negativeHits atomic.Uint64
	_            [64]byte
}

func newStore(maxBytes int) *store {
	s := &store{perShard: maxBytes / shards}
	for n := range s.shard {
		s.shard[n].items = make(map[uint64]*item)
	}
	return s
}

func (s *store) of(hash uint64) *shard { return &s.shard[hash>>32%shards] }

// get returns the answer to r, fresh or not, or nil.
func (s *store) get(hash uint64, r *Request) *item {
	sh := s.of(hash)
	sh.mu.Lock()
	i := sh.items[hash]
	sh.mu.Unlock()
	if i == nil || !sameSearch(&i.request, r) {
		return nil
	}
	return i
}

// put stores i instead of what its hash held, unless that was asked later. An
// answer that takes more than half a shard is not kept. valid is asked under
// the lock that a sweep needs, so that what a sweep is to drop does not slip
// in behind it.
func (s *store) put(i *item, valid func() bool) (kept bool) {
	sh := s.of(i.hash)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	if !valid() {
		return false
	}
	if old := sh.items[i.hash]; old != nil {
		if old.asked > i.asked {
			return true
		}
		i.used.Store(old.used.Load())
		sh.drop(old)
	}
	if i.cost > s.perShard/2 {
		return false
	}
	for sh.bytes+i.cost > s.perShard && sh.evict() {
	}
	sh.items[i.hash] = i
	i.older = sh.newest
	if sh.newest != nil {
		sh.newest.newer = i
	} else {
		sh.oldest = i
	}
	sh.newest = i
	sh.bytes += i.cost
	if i.negative() {
		sh.negatives++
	}
	return true
}

// sweep drops every answer that match wants gone and returns how many.
func (s *store) sweep(match func(*item) bool) int {
	n := 0
	for k := range s.shard {
		sh := &s.shard[k]
		sh.mu.Lock()
		for i := sh.oldest; i != nil; {
			next := i.newer
			if match(i) {
				sh.drop(i)
				n++
			}
			i = next
		}
		sh.mu.Unlock()
	}
	return n
}

// evict drops one answer; false when there is none.
func (sh *shard) evict() bool {
	i := sh.hand
	if i == nil {
		i = sh.oldest
	}
	if i == nil {
		return false
	}
	for i.used.Swap(false) {
		if i = i.newer; i == nil {
			i = sh.oldest
		}
	}
	sh.hand = i // drop moves it on
	sh.drop(i)
	sh.evictions++
	return true
}

// drop takes i out; the shard is locked.
func (sh *shard) drop(i *item) {
	if sh.hand == i {
		sh.hand = i.newer
	}
	if i.newer != nil {
		i.newer.older = i.older
	} else {
		sh.newest = i.older
	}
	if i.older != nil {
		i.older.newer = i.newer
	} else {
		sh.oldest = i.newer
	}
	i.newer, i.older = nil, nil
	delete(sh.items, i.hash)
	sh.bytes -= i.cost
	if i.negative() {
		sh.negatives--
	}
}
