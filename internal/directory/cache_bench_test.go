package directory

import (
	"fmt"
	"runtime"
	"testing"
)

func BenchmarkCacheHit(b *testing.B) {
	c := NewCache(fakePeople("alice"), DefaultCacheOptions())
	ctx := b.Context()
	c.Search(ctx, byMail("alice@example.com"))
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		r := byMail("alice@example.com")
		for pb.Next() {
			if a, err := c.Search(ctx, r); err != nil || !a.Cached {
				b.Error("no hit")
			}
		}
	})
}

func BenchmarkCacheHitMany(b *testing.B) {
	c := NewCache(fakePeople(), DefaultCacheOptions())
	ctx := b.Context()
	requests := make([]*Request, 20_000)
	for n := range requests {
		requests[n] = byMail(fmt.Sprintf("%d@example.com", n))
		c.Search(ctx, requests[n])
	}
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		c.Search(ctx, requests[n%len(requests)])
	}
}

// What the cache counts is what it costs: a full one is compared with the
// heap, within a fifth, for small and for large answers.
func TestCacheCountsHonestly(t *testing.T) {
	for _, values := range []int{0, 1, 3, 50} {
		f := fakePeople()
		o := DefaultCacheOptions()
		o.MaxBytes = 16 << 20
		before := heap()
		c := NewCache(&generated{values}, o)
		for n := 0; c.Stats().Evictions < 1000; n++ {
			c.Search(t.Context(), byMail(fmt.Sprintf("somebody.%d@some-department.example.com", n)))
		}
		took, counted := heap()-before, c.Stats().Bytes
		t.Logf("%d values: counted %d, took %d, %d entries", values, counted, took, c.Stats().Entries)
		if took > counted*12/10 || took < counted*6/10 {
			t.Errorf("%d values: counted %d, took %d", values, counted, took)
		}
		runtime.KeepAlive(f)
		runtime.KeepAlive(c)
	}
}

func heap() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
