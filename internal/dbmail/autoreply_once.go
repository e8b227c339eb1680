package dbmail

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"
)

// ReplyKey names an auto-reply as dbmail_replycache does.
type ReplyKey struct {
	To, From string // addresses
	Handle   string // of the body
}

// NewReplyKey makes the key of a reply with this body.
func NewReplyKey(to, from, body string) ReplyKey {
	sum := md5.Sum([]byte(body))
	return ReplyKey{to, from, hex.EncodeToString(sum[:])}
}

// ReplyInterval is how long nobody gets the same auto-reply again, as in DBMail
// (RFC 5230 4.1 too has seven days).
const ReplyInterval = 7 * 24 * time.Hour

// ClaimReply says whether this reply may be sent now, and if so notes in
// dbmail_replycache that it was: of all servers that ask, one is told yes. A
// key that the table cannot hold is never claimed.
func (s *Store) ClaimReply(ctx context.Context, k ReplyKey, at time.Time) (claimed bool, err error) {
	const column = 255 // characters
	if utf8.RuneCountInString(k.To) > column || utf8.RuneCountInString(k.From) > column {
		return false, nil
	}
	err = s.again(ctx, func() error {
		// An old row is renewed by one of those who find it old, a new one is
		// made by one: the row's lock and the unique index see to it.
		r, err := s.write.ExecContext(ctx, "UPDATE "+s.t.replycache+" SET lastseen = "+s.d.local+
			" WHERE to_addr = ? AND from_addr = ? AND handle = ? AND lastseen < "+s.d.local,
			timestamp(at), k.To, k.From, k.Handle, timestamp(at.Add(-ReplyInterval)))
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n > 0 {
			claimed = err == nil
			return err
		}
		claimed, err = s.insertFirst(ctx, "INSERT INTO "+s.t.replycache+
			" (to_addr, from_addr, handle, lastseen) VALUES (?, ?, ?, "+s.d.local+")", k.To, k.From, k.Handle, timestamp(at))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claim auto-reply: %w", err)
	}
	return claimed, nil
}

// insertFirst inserts a row, and says whether it was the first with its key.
func (s *Store) insertFirst(ctx context.Context, query string, args ...any) (bool, error) {
	_, err := s.write.ExecContext(ctx, query, args...)
	if err != nil && refusesRow(err) {
		return false, nil
	}
	return err == nil, err
}

// ReleaseReply gives a claim back, because the reply could not be sent.
func (s *Store) ReleaseReply(ctx context.Context, k ReplyKey) error {
	err := s.again(ctx, func() error {
		_, err := s.write.ExecContext(ctx, "DELETE FROM "+s.t.replycache+" WHERE to_addr = ? AND from_addr = ? AND handle = ?", k.To, k.From, k.Handle)
		return err
	})
	if err != nil {
		return fmt.Errorf("give auto-reply back: %w", err)
	}
	return nil
}

// NoticeMark names the notification that a copy in the store brings about.
func NoticeMark(user, uid uint64, address string) Mark {
	h := sha256.New()
	h.Write([]byte("notification\x00"))
	h.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, user), uid))
	h.Write([]byte(address))
	return Mark(hex.EncodeToString(h.Sum(nil)))
}

// ClaimNotice says whether this notification may be sent, and notes that it
// was, as ClaimReply does, beside the forwards. Without the gatepost_* tables
// it never knows and says yes.
func (s *Store) ClaimNotice(ctx context.Context, m Mark) (claimed bool, err error) {
	if !s.limits.OwnTables {
		return true, nil
	}
	now := time.Now()
	err = s.again(ctx, func() error {
		if err := s.dropOldForwards(ctx, now); err != nil {
			return err
		}
		claimed, err = s.insertFirst(ctx, "INSERT INTO gatepost_forwards (mark, accepted) VALUES (?, ?)", string(m), timestamp(now))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("claim notification: %w", err)
	}
	return claimed, nil
}

// ReleaseNotice gives a claim back, because the notification could not be sent.
func (s *Store) ReleaseNotice(ctx context.Context, m Mark) error {
	if !s.limits.OwnTables {
		return nil
	}
	err := s.again(ctx, func() error {
		_, err := s.write.ExecContext(ctx, "DELETE FROM gatepost_forwards WHERE mark = ?", string(m))
		return err
	})
	if err != nil {
		return fmt.Errorf("give notification back: %w", err)
	}
	return nil
}
