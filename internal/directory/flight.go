package directory

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// flights lets identical concurrent searches share one. The shared search
// belongs to nobody: a caller that gives up leaves it running for the others,
// within the deadline of its own.
type flights struct {
	timeout time.Duration

	mu      sync.Mutex
	current map[uint64]*flight
}

type flight struct {
	request Request
	epoch   uint64
	done    chan struct{} // closed once answer or err is set
	answer  *Answer
	err     error
}

func newFlights(timeout time.Duration) *flights {
	return &flights{timeout: timeout, current: make(map[uint64]*flight)}
}

// join returns the running search for r, or starts it with ask in a goroutine
// of its own. hash is r's. A search that began in another epoch, before
// something was flushed, is not joined: its answer may be from before.
func (f *flights) join(ctx context.Context, hash, epoch uint64, r *Request,
	ask func(context.Context, *Request) (*Answer, error)) (*flight, bool) {

	f.mu.Lock()
	if fl := f.current[hash]; fl != nil && fl.epoch == epoch && sameSearch(&fl.request, r) {
		f.mu.Unlock()
		return fl, false
	}
	fl := &flight{request: *r, epoch: epoch, done: make(chan struct{})}
	f.current[hash] = fl // an older one of this hash goes on, only not to be joined
	f.mu.Unlock()

	go func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), f.timeout)
		defer cancel()
		defer func() {
			if p := recover(); p != nil {
				// One search must not end the daemon: it runs in no connection's guard.
				fl.answer, fl.err = nil, fmt.Errorf("%w: panic: %v\n%s", ErrUnavailable, p, debug.Stack())
			}
			f.mu.Lock()
			if f.current[hash] == fl {
				delete(f.current, hash)
			}
			f.mu.Unlock()
			close(fl.done)
		}()
		fl.answer, fl.err = ask(ctx, &fl.request)
	}()
	return fl, true
}
