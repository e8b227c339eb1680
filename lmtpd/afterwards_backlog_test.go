package lmtpd

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// tally is what became of the items of a backlog.
type tally struct {
	mu    sync.Mutex
	calls [][]int
	lost  map[int]error
}

func newTally(b *backlog[int], work func([]int) error) *tally {
	t := &tally{lost: map[int]error{}}
	b.size = func(int) int { return 1 }
	b.work = func(_ context.Context, items []int) error {
		t.mu.Lock()
		t.calls = append(t.calls, append([]int(nil), items...))
		t.mu.Unlock()
		return work(items)
	}
	b.lost = func(i int, why error) {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.lost[i] != nil {
			panic("lost twice")
		}
		t.lost[i] = why
	}
	return t
}

func TestBacklogBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		gate := make(chan struct{})
		b := &backlog[int]{limit: 10, workers: 2, together: 4}
		var most, now int
		var mu sync.Mutex
		got := newTally(b, func([]int) error {
			mu.Lock()
			now++
			most = max(most, now)
			mu.Unlock()
			<-gate
			mu.Lock()
			now--
			mu.Unlock()
			return nil
		})
		for i := range 13 {
			b.add(i)
			synctest.Wait()
		}
		if len(got.lost) != 3 || !errors.Is(got.lost[12], errBacklogFull) {
			t.Errorf("lost %v", got.lost)
		}
		close(gate)
		b.drain(t.Context())
		n := 0
		for _, c := range got.calls {
			if n += len(c); len(c) > 4 {
				t.Errorf("%d items together", len(c))
			}
		}
		if n != 10 || most != 2 {
			t.Errorf("%d items worked on, %d workers", n, most)
		}
		b.add(99)
		if !errors.Is(got.lost[99], errStopped) {
			t.Errorf("after the end: %v", got.lost[99])
		}
	})
}

func TestBacklogTriesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		bad := errors.New("not now")
		b := &backlog[int]{limit: 10, workers: 1, together: 1, pauses: []time.Duration{time.Second, time.Minute}}
		var at []time.Duration
		got := newTally(b, func(items []int) error {
			if items[0] == 2 {
				panic("oh")
			}
			at = append(at, time.Since(start))
			return bad
		})
		b.add(1)
		synctest.Wait()
		time.Sleep(time.Hour)
		synctest.Wait()
		if len(at) != 3 || at[1] != time.Second || at[2] != time.Minute+time.Second || !errors.Is(got.lost[1], bad) {
			t.Errorf("attempts at %v, lost %v", at, got.lost)
		}
		b.add(2)
		time.Sleep(time.Hour)
		synctest.Wait()
		if got.lost[2] == nil {
			t.Error("a panic is no end")
		}
		if b.total != 0 || len(b.held) != 0 {
			t.Errorf("it still holds %d", b.total)
		}
	})
}

func TestBacklogDrain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &backlog[int]{limit: 10, workers: 1, together: 1, pauses: []time.Duration{time.Hour}}
		fail := errors.New("not now")
		ok := false
		got := newTally(b, func(items []int) error {
			switch {
			case items[0] == 3:
				time.Sleep(time.Minute)
			case !ok:
				return fail
			}
			return nil
		})
		b.add(1)
		b.add(2)
		synctest.Wait() // both rest
		ok = true
		b.drain(t.Context())
		if len(got.calls) != 4 || len(got.lost) != 0 {
			t.Errorf("calls %v, lost %v", got.calls, got.lost)
		}

		// The end comes first.
		b = &backlog[int]{limit: 10, workers: 1, together: 1}
		got = newTally(b, func([]int) error { time.Sleep(time.Minute); return fail })
		for i := range 3 {
			b.add(i)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
		defer cancel()
		b.drain(ctx)
		time.Sleep(time.Hour) // the one that was in work ends too
		synctest.Wait()
		if len(got.lost) != 3 || !errors.Is(got.lost[0], fail) || !errors.Is(got.lost[1], errStopped) || !errors.Is(got.lost[2], errStopped) {
			t.Errorf("lost %v", got.lost)
		}
	})
}
