package dbmail

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"strings"
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
	done, err := s.ForwardedOf(ctx, []Mark{m})
	return done[m], err
}

// ForwardedOf gives those of many marks that Forwarded is true of.
func (s *Store) ForwardedOf(ctx context.Context, marks []Mark) (map[Mark]bool, error) {
	if !s.limits.OwnTables {
		return nil, nil
	}
	var ask []Mark
	for _, m := range marks {
		if !s.marks.has(m) {
			ask = append(ask, m)
		}
	}
	done := map[Mark]bool{}
	since := timestamp(time.Now().Add(-s.opt.RepeatWindow))
	err := chunked(ask, 200, func(ask []Mark) error {
		args := make([]any, 0, len(ask)+1)
		for _, m := range ask {
			args = append(args, string(m))
		}
		rows, err := s.db.QueryContext(ctx, "SELECT mark FROM gatepost_forwards WHERE mark IN ("+placeholders(len(ask))+") AND accepted >= ?",
			append(args, since)...)
		return collect(rows, err, func(r *sql.Rows) error {
			var m string
			err := r.Scan(&m)
			done[Mark(m)] = true
			return err
		})
	})
	return done, err
}

// RecordForward notes that the smarthost has accepted forwards. It returns
// when that is on disk.
func (s *Store) RecordForward(ctx context.Context, marks ...Mark) error {
	s.marks.forget(marks)
	if !s.limits.OwnTables || len(marks) == 0 {
		return nil
	}
	now := time.Now()
	if err := s.dropOldForwards(ctx, now); err != nil {
		s.log.Warn("old forwards not removed", "why", err) // the next one does
	}
	return chunked(marks, 200, func(marks []Mark) error {
		args := make([]any, 0, 2*len(marks))
		for _, m := range marks {
			args = append(args, string(m), timestamp(now))
		}
		return s.again(ctx, func() error {
			_, err := s.write.ExecContext(ctx, "REPLACE INTO gatepost_forwards (mark, accepted) VALUES "+
				strings.Repeat("(?, ?), ", len(marks)-1)+"(?, ?)", args...)
			return err
		})
	})
}

// dropOldForwards forgets what nobody asks for any more.
func (s *Store) dropOldForwards(ctx context.Context, now time.Time) error {
	_, err := s.write.ExecContext(ctx, "DELETE FROM gatepost_forwards WHERE accepted < ?", timestamp(now.Add(-2*s.opt.RepeatWindow)))
	return err
}

// again runs f until the server is neither busy nor away, some times.
func (s *Store) again(ctx context.Context, f func() error) error {
	for n := 0; ; n++ {
		err := f()
		if err == nil || n == 5 || ctx.Err() != nil || classify(err) != faultRetry {
			return err
		}
		pause(ctx, n)
	}
}
