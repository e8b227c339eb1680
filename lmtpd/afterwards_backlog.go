package lmtpd

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Why something in a backlog is lost.
var (
	errBacklogFull = errors.New("too many wait already")
	errStopped     = errors.New("the server stops")
)

// backlog is a bounded queue that a few goroutines empty, which end when
// nothing waits. What cannot be done now is tried again, some times.
type backlog[T any] struct {
	limit    int             // of the sizes of all items that it holds
	workers  int             // at the same time
	together int             // items of one call of work
	pauses   []time.Duration // before the second attempt, the third…
	size     func(T) int
	work     func(ctx context.Context, items []T) error // an error: try these again
	lost     func(item T, why error)                    // it is given up; called with the lock held

	mu       sync.Mutex
	held     map[*held[T]]bool // all: waiting, resting, in work
	total    int               // their sizes
	waiting  []*held[T]
	running  int
	draining bool          // nothing more is taken, and nothing rests
	empty    chan struct{} // closed when the last one is gone; nil: nobody waits for it
	ctx      context.Context
	cancel   context.CancelFunc
}

// held is an item and how often it was tried.
type held[T any] struct {
	item  T
	tries int
	timer *time.Timer // it rests
}

// add takes an item, or tells lost why not.
func (b *backlog[T]) add(item T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch n := b.size(item); {
	case b.draining:
		b.lost(item, errStopped)
	case len(b.held) > 0 && b.total+n > b.limit:
		b.lost(item, errBacklogFull)
	default:
		if b.held == nil {
			b.held = map[*held[T]]bool{}
			b.ctx, b.cancel = context.WithCancel(context.Background())
		}
		h := &held[T]{item: item}
		b.held[h] = true
		b.total += n
		b.enqueue(h)
	}
}

// enqueue is called with the lock held.
func (b *backlog[T]) enqueue(h *held[T]) {
	h.timer = nil
	b.waiting = append(b.waiting, h)
	if b.running < b.workers {
		b.running++
		go b.run()
	}
}

// run works until nothing waits.
func (b *backlog[T]) run() {
	for {
		b.mu.Lock()
		n := min(len(b.waiting), b.together)
		if n == 0 {
			b.waiting = nil
			b.running--
			b.mu.Unlock()
			return
		}
		group := b.waiting[:n:n]
		b.waiting = b.waiting[n:]
		b.mu.Unlock()
		items := make([]T, n)
		for i, h := range group {
			items[i] = h.item
		}
		err := b.attempt(items)
		for _, h := range group {
			b.settle(h, err)
		}
	}
}

func (b *backlog[T]) attempt(items []T) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("internal error: %v", p)
		}
	}()
	return b.work(b.ctx, items)
}

// settle lets an item go, or rest until it is tried again.
func (b *backlog[T]) settle(h *held[T], err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.held[h] {
		return // the server did not wait for it
	}
	h.tries++
	switch {
	case err != nil && !b.draining && h.tries <= len(b.pauses):
		h.timer = time.AfterFunc(b.pauses[h.tries-1], func() {
			b.mu.Lock()
			defer b.mu.Unlock()
			if b.held[h] && h.timer != nil {
				b.enqueue(h)
			}
		})
		return
	case err != nil:
		b.lost(h.item, err)
	}
	b.release(h)
}

// release is called with the lock held.
func (b *backlog[T]) release(h *held[T]) {
	delete(b.held, h)
	b.total -= b.size(h.item)
	if len(b.held) == 0 && b.empty != nil {
		close(b.empty)
		b.empty = nil
	}
}

// drain takes nothing more, tries what rests once more, and returns when all
// is done. When ctx ends first, what is left is lost.
func (b *backlog[T]) drain(ctx context.Context) {
	b.mu.Lock()
	b.draining = true
	if len(b.held) == 0 {
		b.mu.Unlock()
		return
	}
	for h := range b.held {
		if h.timer != nil {
			h.timer.Stop()
			b.enqueue(h)
		}
	}
	empty := make(chan struct{})
	b.empty = empty
	b.mu.Unlock()
	select {
	case <-empty:
		return
	case <-ctx.Done():
	}
	b.cancel()
	b.mu.Lock()
	defer b.mu.Unlock()
	for h := range b.held {
		b.lost(h.item, errStopped)
		b.release(h)
	}
	b.waiting = nil
}
