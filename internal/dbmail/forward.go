package dbmail

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// ForwardMark names sender, external address and bytes of a forwarded message.
func ForwardMark(sender, address string, digest [sha256.Size]byte) Mark {
	h := sha256.New()
	h.Write(digest[:])
	h.Write([]byte(address))
	h.Write([]byte{0})
	h.Write([]byte(sender))
	return Mark(hex.EncodeToString(h.Sum(nil)))
}

// Forwarded says whether the smarthost has accepted this forward already,
// within Options.RepeatWindow. Without the gatepost_* tables it never knows.
func (s *Store) Forwarded(ctx context.Context, m Mark) (bool, error) {
	if !s.limits.OwnTables || s.marks.has(m) {
		return false, nil
	}
	var n int
	err := s.db.QueryRowContext(ctx, "SELECT count(*) FROM gatepost_forwards WHERE mark = ? AND accepted >= ?",
		string(m), timestamp(time.Now().Add(-s.opt.RepeatWindow))).Scan(&n)
	return n > 0, err
}

// RecordForward notes that the smarthost has accepted a forward. It returns
// when that is on disk.
func (s *Store) RecordForward(ctx context.Context, m Mark) error {
	s.marks.forget([]Mark{m})
	if !s.limits.OwnTables {
		return nil
	}
	if _, err := s.write.ExecContext(ctx, "DELETE FROM gatepost_forwards WHERE accepted < ?",
		timestamp(time.Now().Add(-2*s.opt.RepeatWindow))); err != nil {
		return err
	}
	_, err := s.write.ExecContext(ctx, "REPLACE INTO gatepost_forwards (mark, accepted) VALUES (?, ?)",
		string(m), timestamp(time.Now()))
	return err
}
