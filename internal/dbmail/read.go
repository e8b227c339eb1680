package dbmail

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"time"

	"gatepost/internal/message"
)

// Listed is a message as a listing shows it.
type Listed struct {
	MessageIDnr  uint64 `json:"message_idnr"`
	Mailbox      string `json:"mailbox"`
	Size         int64  `json:"size"` // octets as received
	InternalDate string `json:"internal_date"`
	Subject      string `json:"subject,omitempty"`
	Parts        int    `json:"parts"` // rows of the part list
}

// List gives the visible messages of a user, by mailbox and id; of one
// mailbox when it is named.
func (s *Store) List(ctx context.Context, user, box string) ([]Listed, error) {
	u, err := s.User(ctx, user)
	if err != nil {
		return nil, err
	}
	rows, err := s.db.QueryContext(ctx, "SELECT m.message_idnr, b.name, p.messagesize, p.internal_date,"+
		" (SELECT count(*) FROM "+s.t.partlists+" l WHERE l.physmessage_id = p.id),"+
		" COALESCE((SELECT max(v.headervalue) FROM "+s.t.header+" h JOIN "+s.t.headervalue+" v ON v.id = h.headervalue_id"+
		" JOIN "+s.t.headername+" n ON n.id = h.headername_id WHERE h.physmessage_id = p.id AND n.headername = 'subject'), '')"+
		" FROM "+s.t.messages+" m JOIN "+s.t.mailboxes+" b ON b.mailbox_idnr = m.mailbox_idnr"+
		" JOIN "+s.t.physmessage+" p ON p.id = m.physmessage_id"+
		" WHERE b.owner_idnr = ? AND m.status < 2 ORDER BY b.name, m.message_idnr", u.ID)
	out := []Listed{}
	err = collect(rows, err, func(r *sql.Rows) error {
		var l Listed
		var when string
		if err := r.Scan(&l.MessageIDnr, &l.Mailbox, &l.Size, &when, &l.Parts, &l.Subject); err != nil {
			return err
		}
		l.Mailbox = decodeMailboxName(l.Mailbox)
		l.InternalDate = parseTimestamp(when).Format(time.RFC3339)
		if box == "" || sameMailboxName(encodeMailboxName(l.Mailbox), encodeMailboxName(box)) {
			out = append(out, l)
		}
		return nil
	})
	return out, err
}

// Structure gives a message's part list, in the order of storage.
func (s *Store) Structure(ctx context.Context, messageIDnr uint64) (message.Stored, error) {
	phys, err := s.physmessageOf(ctx, messageIDnr)
	if err != nil {
		return message.Stored{}, err
	}
	return s.stored(ctx, s.db, phys)
}

// WriteMessage writes the exact bytes of a message, lines ended by CRLF, with
// its Return-Path line in front.
func (s *Store) WriteMessage(ctx context.Context, w io.Writer, messageIDnr uint64) error {
	stored, err := s.Structure(ctx, messageIDnr)
	if err != nil {
		return err
	}
	return message.Rebuild(w, stored)
}

func (s *Store) physmessageOf(ctx context.Context, messageIDnr uint64) (uint64, error) {
	var phys uint64
	err := s.db.QueryRowContext(ctx, "SELECT physmessage_id FROM "+s.t.messages+" WHERE message_idnr = ?", messageIDnr).Scan(&phys)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, fmt.Errorf("message %d: %w", messageIDnr, ErrNotFound)
	}
	return phys, err
}

// querier is a pool or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// stored reads what a reader has of a message.
func (s *Store) stored(ctx context.Context, q querier, phys uint64) (message.Stored, error) {
	var out message.Stored
	err := q.QueryRowContext(ctx, "SELECT messagesize, rfcsize FROM "+s.t.physmessage+" WHERE id = ?", phys).Scan(&out.Size, &out.RFCSize)
	if err != nil {
		return out, fmt.Errorf("physmessage %d: %w", phys, err)
	}
	rows, err := q.QueryContext(ctx, "SELECT l.is_header, l.part_key, l.part_depth, l.part_order, p.data FROM "+s.t.partlists+" l JOIN "+
		s.t.mimeparts+" p ON p.id = l.part_id WHERE l.physmessage_id = ? ORDER BY l.part_key, l.part_order, l.part_depth DESC", phys)
	err = collect(rows, err, func(r *sql.Rows) error {
		var p message.Part
		if err := r.Scan(&p.Header, &p.Key, &p.Depth, &p.Order, &p.Data); err != nil {
			return err
		}
		out.Parts = append(out.Parts, p)
		return nil
	})
	return out, err
}
