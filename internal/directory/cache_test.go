package directory

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCacheLives(t *testing.T) {
	// Each line: what happens before, how much later it is, what is asked, the answer.
	type step struct {
		change func(*fakeDirectory)
		later  time.Duration
		ask    *Request
		want   string
	}
	alice, ghost := byMail("alice@example.com"), byMail("ghost@example.com")
	relay := byMail("alice@example.com")
	relay.Authorises = true
	asked := byMail("alice@example.com")
	asked.NoCache = true
	oldNo, oldRight := byMail("ghost@example.com"), byMail("ghost@example.com")
	oldNo.StaleNo = true
	oldRight.StaleNo, oldRight.Authorises = true, true
	down := func(err error) func(*fakeDirectory) { return func(f *fakeDirectory) { f.err = err } }
	up := down(nil)
	gone := func(f *fakeDirectory) { clear(f.found) }
	tests := map[string][]step{
		"a positive answer lives for its time": {
			{nil, 0, alice, "alice"},
			{gone, 4 * time.Minute, alice, "alice cached"},
			{nil, time.Minute, alice, "nothing"},
		},
		"an empty answer lives for its time": {
			{nil, 0, ghost, "nothing"},
			{nil, 20 * time.Second, ghost, "nothing cached"},
			{nil, 10 * time.Second, ghost, "nothing"},
		},
		"known addresses outlive the servers": {
			{nil, 0, alice, "alice"},
			{down(ErrUnavailable), 6 * time.Minute, alice, "alice cached stale"},
			{nil, 11 * time.Hour, alice, "alice cached stale"},
			{up, 0, alice, "alice"},
			{down(ErrUnavailable), 13 * time.Hour, alice, "error"},
		},
		"an empty answer past its time is no proof": {
			{nil, 0, ghost, "nothing"},
			{down(ErrUnavailable), 31 * time.Second, ghost, "error"},
		},
		"an old empty answer is for who does not take it for proof": {
			{nil, 0, ghost, "nothing"},
			{down(ErrUnavailable), 31 * time.Second, oldNo, "nothing cached stale"},
			{nil, 0, ghost, "error"},
			{nil, 13 * time.Hour, oldNo, "error"},
		},
		"what authorises is stale for five minutes": {
			{nil, 0, relay, "alice"},
			{down(ErrUnavailable), 9*time.Minute + 29*time.Second, relay, "alice cached stale"},
			{nil, 32 * time.Second, relay, "error"},
			{nil, 0, alice, "alice cached stale"},
		},
		"doubt is no answer": {
			{nil, 0, alice, "alice"},
			{down(ErrDoubt), 6 * time.Minute, alice, "alice cached stale"},
			{nil, 0, ghost, "error"},
		},
		"an answer that grew past its limit is not the old one": {
			{nil, 0, alice, "alice"},
			{down(&ResultError{Code: 4}),
				6 * time.Minute, alice, "error"},
		},
		"an old empty answer authorises for five minutes too": {
			{nil, 0, ghost, "nothing"},
			{down(ErrUnavailable), 4 * time.Minute, oldRight, "nothing cached stale"},
			{nil, 2 * time.Minute, oldRight, "error"},
		},
		"errors are not kept": {
			{down(ErrUnavailable), 0, alice, "error"},
			{up, 0, alice, "alice"},
		},
		"asked by hand, the servers are asked, and it is kept": {
			{nil, 0, alice, "alice"},
			{gone, 0, asked, "nothing"},
			{nil, 0, alice, "nothing cached"},
			{down(ErrUnavailable), 0, asked, "error"},
		},
	}
	for name, steps := range tests {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := fakePeople("alice")
				c := NewCache(f, DefaultCacheOptions())
				for n, s := range steps {
					if s.change != nil {
						f.set(func() { s.change(f) })
					}
					time.Sleep(s.later)
					if got := summary(c.Search(t.Context(), s.ask)); got != s.want {
						t.Fatalf("step %d: %s, want %s", n+1, got, s.want)
					}
				}
			})
		})
	}
}

func TestCacheIdentity(t *testing.T) {
	base := Request{Base: "dc=example", Filter: "(mail=a)", Attributes: []string{"mail", "cn"}, Table: "t"}
	h := newHasher()
	for name, change := range map[string]func(*Request){
		"base":          func(r *Request) { r.Base = "dc=other" },
		"scope":         func(r *Request) { r.Scope = ScopeBase },
		"filter":        func(r *Request) { r.Filter = "(mail=b)" },
		"attributes":    func(r *Request) { r.Attributes = []string{"mail"} },
		"order":         func(r *Request) { r.Attributes = []string{"cn", "mail"} },
		"size limit":    func(r *Request) { r.SizeLimit = 1 },
		"deref":         func(r *Request) { r.Deref = 3 },
		"table":         func(r *Request) { r.Table = "u" },
		"base from key": func(r *Request) { r.BaseFromKey = true },
	} {
		other := base
		change(&other)
		if sameSearch(&base, &other) || h.sum(&base) == h.sum(&other) {
			t.Errorf("%s makes no difference", name)
		}
	}
	for name, change := range map[string]func(*Request){
		"authorises": func(r *Request) { r.Authorises = true },
		"no cache":   func(r *Request) { r.NoCache = true },
		"known":      func(r *Request) { r.known = true },
	} {
		other := base
		change(&other)
		if !sameSearch(&base, &other) || h.sum(&base) != h.sum(&other) {
			t.Errorf("%s makes a difference", name)
		}
	}
}

// A collision of hashes gives each its own answer.
func TestCacheCollision(t *testing.T) {
	s := newStore(1 << 20)
	a, b := byMail("a"), byMail("b")
	s.put(newItem(7, a, &Answer{Entries: []*Entry{person("a", "a")}}), always)
	if s.get(7, b) != nil {
		t.Fatal("b found a's answer")
	}
	s.put(newItem(7, b, &Answer{}), always)
	if s.get(7, a) != nil || s.get(7, b) == nil {
		t.Fatal("the slot does not hold the later answer")
	}
}

func always() bool { return true }

func TestCachePatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakePeople("alice")
		c := NewCache(f, DefaultCacheOptions())
		alice := byMail("alice@example.com")
		c.Search(t.Context(), alice)
		time.Sleep(6 * time.Minute)
		f.set(func() { f.hold = make(chan struct{}) }) // the server hangs

		began := time.Now()
		if got := summary(c.Search(t.Context(), alice)); got != "alice cached stale" {
			t.Errorf("hanging server: %s", got)
		}
		if d := time.Since(began); d != DefaultCacheOptions().Patience {
			t.Errorf("waited %v", d)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if got := summary(c.Search(ctx, alice)); got != "alice cached stale" {
			t.Errorf("deadline of the caller: %s", got)
		}
		if got := summary(c.Search(ctx, byMail("bob@example.com"))); got != "error" {
			t.Errorf("unknown, hanging server: %s", got)
		}
		f.set(func() { close(f.hold); f.hold = nil })
		synctest.Wait() // the shared search came home after all
		if got := summary(c.Search(t.Context(), alice)); got != "alice cached" {
			t.Errorf("after it came back: %s", got)
		}
	})
}

// Answers in use are asked again before they expire; nobody waits, and an
// error then changes nothing.
func TestCacheRefresh(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakePeople("alice")
		c := NewCache(f, DefaultCacheOptions())
		alice := byMail("alice@example.com")
		for range 3600 {
			if got := summary(c.Search(t.Context(), alice)); got != "alice" && got != "alice cached" {
				t.Fatal(got)
			}
			time.Sleep(time.Second)
		}
		s := c.Stats()
		if s.Misses != 1 || s.Refreshes < 10 || s.Refreshes > 16 {
			t.Errorf("an hour of look-ups: %+v", s)
		}
	})
}

func TestCacheFlush(t *testing.T) {
	f := fakePeople("alice", "bob")
	c := NewCache(f, DefaultCacheOptions())
	other := byMail("alice@example.com")
	other.Table = "other"
	fill := func() {
		for _, r := range []*Request{byMail("alice@example.com"), byMail("bob@example.com"), byMail("ghost@example.com"), other} {
			c.Search(t.Context(), r)
		}
		if n := c.Stats().Entries; n != 4 {
			t.Fatalf("%d entries", n)
		}
	}
	for _, tt := range []struct {
		name string
		f    func() int
		n    int
	}{
		{"all", c.Flush, 4},
		{"table", func() int { return c.FlushTable("other") }, 1},
		{"no table", func() int { return c.FlushTable("none") }, 0},
		{"DN", func() int { return c.FlushDN("UID=bob, ou=People,dc=example,dc=com") }, 2}, // and ghost
		{"subtree", func() int { return c.FlushDN("ou=people,dc=example,dc=com") }, 4},
		{"other DN", func() int { return c.FlushDN("uid=b,ou=people,dc=example,dc=com") }, 1},
	} {
		fill()
		if n := tt.f(); n != tt.n {
			t.Errorf("%s: %d dropped, want %d", tt.name, n, tt.n)
		}
		if n := c.Stats().Entries; n != 4-tt.n {
			t.Errorf("%s: %d left", tt.name, n)
		}
	}
}

// An answer that was asked for before a flush is not kept, nor joined.
func TestCacheFlushOvertakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakePeople("alice")
		f.took = time.Second
		c := NewCache(f, DefaultCacheOptions())
		got := make(chan string, 2)
		ask := func() { got <- summary(c.Search(t.Context(), byMail("alice@example.com"))) }
		go ask()
		synctest.Wait()
		c.Flush()
		go ask()
		synctest.Wait()
		if f.count() != 2 {
			t.Fatal("the second look-up joined a search from before the flush")
		}
		<-got
		<-got
		if s := c.Stats(); s.Unkept != 1 || s.Entries != 1 {
			t.Errorf("%+v", s)
		}
	})
}

func TestCacheBound(t *testing.T) {
	f := fakePeople()
	o := DefaultCacheOptions()
	o.MaxBytes = 1 << 20
	c := NewCache(f, o)
	hot := byMail("hot@example.com")
	f.found[hot.Filter] = []*Entry{person("hot", "hot@example.com")}
	for n := range 30_000 {
		c.Search(t.Context(), byMail(fmt.Sprintf("%d-%d@example.com", n, rand.Int64())))
		if n%100 == 0 { // seldom enough that LRU would have dropped it
			c.Search(t.Context(), hot)
		}
		if s := c.Stats(); n%50 == 0 && s.Bytes > o.MaxBytes {
			t.Fatalf("%d bytes", s.Bytes)
		}
	}
	s := c.Stats()
	if s.Evictions == 0 || s.Entries < 1000 || s.Bytes < o.MaxBytes*9/10 {
		t.Errorf("%+v", s)
	}
	if n := len(f.asked); n != 30_001 {
		t.Errorf("an address in use was asked %d times: unknown ones pushed it out", n-30_000)
	}
	big := byMail("big")
	f.found[big.Filter] = []*Entry{person("big", strings.Repeat("x", o.MaxBytes/shards))}
	if got := summary(c.Search(t.Context(), big)); got != "big" || c.Stats().Unkept != 1 {
		t.Errorf("an answer too big to keep: %s, %+v", got, c.Stats())
	}
	c.Flush()
	if s := c.Stats(); s.Bytes != 0 || s.Entries != 0 || s.Negatives != 0 {
		t.Errorf("after a flush: %+v", s)
	}
}

// The answer that was asked later stays, in whatever order they come.
func TestCacheOrder(t *testing.T) {
	s := newStore(1 << 20)
	r := byMail("a")
	late, early := newItem(1, r, &Answer{}), newItem(1, r, &Answer{Entries: []*Entry{person("a", "a")}})
	late.asked, early.asked = 2, 1
	s.put(late, always)
	s.put(early, always)
	if s.get(1, r) != late {
		t.Error("an older answer replaced a newer one")
	}
}
