package dbmail

import (
	"sync/atomic"
	"time"
)

// Metrics count what the store does. All are totals since Open.
type Metrics struct {
	Groups      atomic.Int64 // transactions that ended
	GroupErrors atomic.Int64 // those that failed for good
	GroupsSplit atomic.Int64 // groups rerun message by message
	Messages    atomic.Int64 // messages in committed groups
	Retries     atomic.Int64 // attempts after the first
	Repeats     atomic.Int64 // copies that were there from an earlier attempt
	WriteNanos  atomic.Int64 // time spent in groups
}

func newMetrics() *Metrics { return &Metrics{} }

func (m *Metrics) observe(messages int, took time.Duration, err error) {
	m.Groups.Add(1)
	m.WriteNanos.Add(int64(took))
	if err != nil {
		m.GroupErrors.Add(1)
		return
	}
	m.Messages.Add(int64(messages))
}
