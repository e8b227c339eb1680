package lmtpd

import (
	"errors"
	"sync/atomic"
)

var errNoRoom = errors.New("messages in memory exceed the limit")

// budget bounds the octets of all messages that are in memory at once.
type budget struct {
	limit atomic.Int64
	used  atomic.Int64
}

// take asks for n more octets for a message that has own already. One that
// is alone is let in however small the limit is.
func (b *budget) take(n, own int64) error {
	if used := b.used.Add(n); used > b.limit.Load() && used != own+n {
		b.used.Add(-n)
		return errNoRoom
	}
	return nil
}

func (b *budget) give(n int64) { b.used.Add(-n) }
