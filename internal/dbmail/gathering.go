package dbmail

import (
	"context"
	"sync"
)

// gathering puts what all sessions ask at the same moment into one round trip.
// A lone one waits for nothing; a crowd that asked one by one cost more than
// to store its messages.
type gathering[Q any] struct {
	mu      sync.Mutex
	waiting []asked[Q]
	askers  int // under way
}

type asked[Q any] struct {
	question Q
	done     chan struct{}
}

const (
	// maxAskers: while one round trip is under way the next gathers; a second
	// keeps a slow one from holding up everybody.
	maxAskers = 2
	// maxTogether bounds the questions of one round trip.
	maxTogether = 64
)

// ask has q answered, by answer and together with others. The answer is in q,
// and is not to be read after an error, which is that of the context.
func (g *gathering[Q]) ask(ctx context.Context, q Q, answer func([]Q)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	done := make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, asked[Q]{q, done})
	if g.askers < maxAskers {
		g.askers++
		go g.serve(answer)
	}
	g.mu.Unlock()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// serve asks until nobody waits.
func (g *gathering[Q]) serve(answer func([]Q)) {
	for {
		g.mu.Lock()
		n := min(len(g.waiting), maxTogether)
		if n == 0 {
			g.waiting = nil
			g.askers--
			g.mu.Unlock()
			return
		}
		group := g.waiting[:n:n]
		g.waiting = g.waiting[n:]
		g.mu.Unlock()
		questions := make([]Q, n)
		for i, a := range group {
			questions[i] = a.question
		}
		answer(questions)
		for _, a := range group {
			close(a.done)
		}
	}
}
