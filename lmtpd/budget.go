package lmtpd

import (
	"errors"
	"sync/atomic"
)

var errNoRoom = errors.New("messages in memory exceed the limit")

// budget bounds the octets of all messages that are in memory at once.
type budget struct {
	limit int64
	used  atomic.Int64
}

func (b *budget) take(n int64) error {
	// A single message is let in however small the limit is.
	if b.used.Add(n) > b.limit && b.used.Load() != n {
		b.used.Add(-n)
		return errNoRoom
	}
	return nil
}

func (b *budget) give(n int64) { b.used.Add(-n) }
