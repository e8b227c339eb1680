package ldapmap

import (
	"context"

	"gatepost/internal/directory"
)

// together is how many searches of one look-up are under way at a time.
const together = 8

// ahead makes the searches of steps before it is their turn, so that a group
// of a hundred members does not cost a hundred round trips. At most a few are
// made for nothing when a limit ends the look-up.
type ahead struct {
	ctx     context.Context
	cancel  context.CancelFunc
	walk    *walk
	steps   []*step       // in their order
	results []chan result // of the steps that have begun
	taken   int
}

// result of a step.
type result struct {
	answer *directory.Answer
	err    error
}

func (w *walk) readAhead(ctx context.Context, items []item) *ahead {
	a := &ahead{ctx: ctx, cancel: func() {}, walk: w}
	for _, it := range items {
		if it.step != nil {
			a.steps = append(a.steps, it.step)
		}
	}
	if len(a.steps) > 1 {
		a.ctx, a.cancel = context.WithCancel(ctx)
		if w.slots == nil {
			w.slots = make(chan struct{}, together)
		}
	}
	return a
}

// take returns the answer of the next step.
func (a *ahead) take() (*directory.Answer, error) {
	if len(a.steps) == 1 {
		return a.walk.ask(a.ctx, a.steps[0])
	}
	for len(a.results) < min(a.taken+together, len(a.steps)) {
		a.begin(a.steps[len(a.results)])
	}
	got := <-a.results[a.taken]
	a.results[a.taken] = nil
	a.taken++
	return got.answer, got.err
}

func (a *ahead) begin(s *step) {
	done := make(chan result, 1)
	a.results = append(a.results, done)
	go func() {
		select {
		case a.walk.slots <- struct{}{}:
			answer, err := a.walk.ask(a.ctx, s)
			<-a.walk.slots
			done <- result{answer, err}
		case <-a.ctx.Done():
			done <- result{nil, a.ctx.Err()}
		}
	}()
}
