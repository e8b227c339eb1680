package ldapmap

import (
	"context"
	"sync"
	"time"
)

// requestContext is a context with a deadline that costs a timer and a channel
// only when somebody waits for it: an answer from the cache does not.
type requestContext struct {
	parent   context.Context
	deadline time.Time

	mu     sync.Mutex
	real   context.Context // made by the first Done
	cancel context.CancelFunc
	ended  bool
}

// Deadline implements context.Context.
func (c *requestContext) Deadline() (time.Time, bool) { return c.deadline, true }

// Done implements context.Context.
func (c *requestContext) Done() <-chan struct{} { return c.make().Done() }

func (c *requestContext) make() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.real == nil {
		c.real, c.cancel = context.WithDeadline(c.parent, c.deadline)
		if c.ended {
			c.cancel()
		}
	}
	return c.real
}

// Err implements context.Context.
func (c *requestContext) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.real != nil:
		return c.real.Err()
	case c.ended:
		return context.Canceled
	case !time.Now().Before(c.deadline):
		return context.DeadlineExceeded
	}
	return c.parent.Err()
}

// Value implements context.Context. Once there is a real context it answers:
// it is how the context package finds it, and attaches children to it without
// a goroutine for each.
func (c *requestContext) Value(key any) any {
	c.mu.Lock()
	real := c.real
	c.mu.Unlock()
	if real != nil {
		return real.Value(key)
	}
	return c.parent.Value(key)
}

// end releases what Done has made. Who still holds the context sees it
// cancelled.
func (c *requestContext) end() {
	c.mu.Lock()
	c.ended = true
	cancel := c.cancel
	c.mu.Unlock()
	if cancel != nil {
		cancel()
	}
}
