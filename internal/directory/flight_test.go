package directory

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestFlightShared(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakePeople("alice")
		f.took = time.Second
		c := NewCache(f, DefaultCacheOptions())
		gives, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				r, ctx, want := byMail("alice@example.com"), t.Context(), "alice"
				r.Authorises = n%2 == 0 // no part of what is asked
				if n == 0 || n == 50 {
					ctx, want = gives, "error" // the first started the search
				}
				if n == 0 {
					r.Authorises = false
				}
				if got := summary(c.Search(ctx, r)); got != want {
					t.Errorf("caller %d: %s, want %s", n, got, want)
				}
			})
			if n == 0 {
				synctest.Wait()
			}
		}
		synctest.Wait()
		cancel()
		wg.Wait()
		if f.count() != 1 {
			t.Errorf("asked %d times", f.count())
		}
		if s := c.Stats(); s.Shared != 99 || s.Misses != 100 {
			t.Errorf("%+v", s)
		}
	})
}

// Nobody is left waiting for longer than the shared search's own deadline.
func TestFlightDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := fakePeople()
		f.hold = make(chan struct{})
		o := DefaultCacheOptions()
		c := NewCache(f, o)
		began := time.Now()
		_, err := c.Search(t.Context(), byMail("alice@example.com"))
		if !errors.Is(err, ErrUnavailable) || time.Since(began) != o.Timeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

type panics struct{}

func (panics) Search(context.Context, *Request) (*Answer, error) { panic("malformed") }

func TestFlightPanic(t *testing.T) {
	c := NewCache(panics{}, DefaultCacheOptions())
	for range 2 {
		if _, err := c.Search(t.Context(), byMail("a")); !errors.Is(err, ErrUnavailable) {
			t.Fatal(err)
		}
	}
}

func TestFlightEnded(t *testing.T) {
	f := fakePeople()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := NewCache(f, DefaultCacheOptions()).Search(ctx, byMail("a"))
	if !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.Canceled) || f.count() != 0 {
		t.Errorf("%v, asked %d times", err, f.count())
	}
}
