package main

import (
	"bytes"
	"crypto/rand"
	"crypto/sha1"
	"database/sql"
	"encoding/hex"
	"fmt"
	"time"

	"gatepost/internal/message"
)

// row is a message as the bare loop stores it: everything is computed before
// the clock starts, but the ids that the database gives out.
type row struct {
	size, rfcSize int64
	received      string
	parts         []partRow
	values        []valueRow
	envelope      string
	references    []string
	to            []int // users
}

// partRow is a row of dbmail_partlists and its blob.
type partRow struct {
	message.Part
	hash   string
	shared *uint64 // id of a blob that is in the store already; nil: a new one
}

// valueRow is a row of dbmail_header and its value.
type valueRow struct {
	message.CachedHeader
	hash   string
	shared *uint64
}

// supply is the bare loop's messages. It is used in a circle: the loop looks
// nothing up, so it does not matter that a blob is there already.
type supply struct {
	rows   []*row
	parts  map[string]*uint64 // blobs and values that several messages have
	values map[string]*uint64
}

// newSupply splits n messages like those that are sent over LMTP.
func (l *load) newSupply(c cell, n int) (*supply, error) {
	s := &supply{parts: map[string]*uint64{}, values: map[string]*uint64{}}
	source := l.newSender(c)
	for len(s.rows) < n {
		if len(s.rows)%100 == 0 {
			// As many different senders and subjects as many sessions have.
			source = l.newSender(c)
		}
		t, to := source.next()
		r, err := newRow(t, to)
		if err != nil {
			return nil, err
		}
		s.rows = append(s.rows, r)
	}
	s.share()
	return s, nil
}

func newRow(t *template, to []int) (*row, error) {
	raw, err := message.ReadRaw(bytes.NewReader(bytes.Join([][]byte{t.head, t.body, t.foot}, nil)), 0, int64(t.size()))
	if err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	m := message.Split(raw, message.Options{Sender: t.sender, Received: now})
	r := &row{size: m.Size, rfcSize: m.RFCSize, received: now.Format(time.DateTime), envelope: m.Envelope, references: m.References, to: to}
	for _, p := range m.Parts {
		r.parts = append(r.parts, partRow{Part: p, hash: digest(p.Data)})
	}
	for _, h := range m.Headers {
		r.values = append(r.values, valueRow{CachedHeader: h, hash: digest([]byte(h.Value))})
	}
	return r, nil
}

func digest(b []byte) string {
	h := sha1.Sum(b)
	return hex.EncodeToString(h[:])
}

// uniqueID stands for dbmail_messages.unique_id.
func uniqueID() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// share finds the blobs and header values that more than one message has. A
// store has them after a short while, and links them only.
func (s *supply) share() {
	parts, values := map[string]int{}, map[string]int{}
	for _, r := range s.rows {
		for _, p := range r.parts {
			parts[p.hash]++
		}
		for _, v := range r.values {
			values[v.hash]++
		}
	}
	for _, r := range s.rows {
		for i := range r.parts {
			r.parts[i].shared = shared(s.parts, parts, r.parts[i].hash)
		}
		for i := range r.values {
			r.values[i].shared = shared(s.values, values, r.values[i].hash)
		}
	}
}

func shared(ids map[string]*uint64, seen map[string]int, hash string) *uint64 {
	if seen[hash] < 2 {
		return nil
	}
	if ids[hash] == nil {
		ids[hash] = new(uint64)
	}
	return ids[hash]
}

// store writes what is shared and remembers the ids.
func (s *supply) store(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	insert := func(id *uint64, query string, args ...any) error {
		if id == nil || *id != 0 {
			return nil
		}
		return tx.QueryRow("INSERT INTO "+query+" RETURNING id", args...).Scan(id)
	}
	for _, id := range s.parts {
		*id = 0
	}
	for _, id := range s.values {
		*id = 0
	}
	for _, r := range s.rows {
		for _, p := range r.parts {
			if err := insert(p.shared, "dbmail_mimeparts (hash, data, size) VALUES (?, ?, ?)", p.hash, p.Data, len(p.Data)); err != nil {
				return fmt.Errorf("store shared parts: %w", err)
			}
		}
		for _, v := range r.values {
			if err := insert(v.shared, "dbmail_headervalue (hash, headervalue, sortfield, datefield) VALUES (?, ?, ?, ?)",
				v.hash, v.Value, v.SortField, nullable(v.Date)); err != nil {
				return fmt.Errorf("store shared headers: %w", err)
			}
		}
	}
	return tx.Commit()
}

func nullable(s string) any {
	if s == "" {
		return nil
	}
	return s
}
