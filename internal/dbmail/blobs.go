package dbmail

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// blobSet is what is known of a group's blobs: which are stored already, by
// content, and which are to be inserted. Equal blobs inside the group are one.
type blobSet struct {
	stored map[blobKey]uint64 // by key, ids proven to have the same content
	data   map[blobKey][]byte
	order  []blobKey // distinct, in order of first use
	// odd are blobs whose key is taken by other content in this group: a
	// collision, which is stored without a look-up.
	odd map[*byte]bool
}

// compareInline bounds the stored data that is fetched to be compared; larger
// parts are compared by the server.
const compareInline = 64 << 10

func (s *Store) findBlobs(ctx context.Context, group []*job) (*blobSet, error) {
	b := &blobSet{stored: map[blobKey]uint64{}, data: map[blobKey][]byte{}, odd: map[*byte]bool{}}
	for _, j := range group {
		for i, k := range j.blobs {
			data := j.d.Message.Parts[i].Data
			if known, ok := b.data[k]; !ok {
				b.data[k] = data
				b.order = append(b.order, k)
			} else if !bytes.Equal(known, data) {
				b.odd[&data[0]] = true
			}
		}
	}
	type candidate struct {
		id  uint64
		key blobKey
	}
	var small, large []candidate
	err := chunked(b.order, 1000, func(keys []blobKey) error {
		hashes := make([]any, len(keys))
		for i, k := range keys {
			hashes[i] = k.hash
		}
		rows, err := s.db.QueryContext(ctx, "SELECT id, hash, size FROM "+s.t.mimeparts+
			" WHERE hash IN ("+placeholders(len(hashes))+") ORDER BY id", hashes...)
		return collect(rows, err, func(r *sql.Rows) error {
			var c candidate
			if err := r.Scan(&c.id, &c.key.hash, &c.key.size); err != nil {
				return err
			}
			c.key.hash = strings.TrimSpace(c.key.hash)
			if _, wanted := b.data[c.key]; !wanted {
				return nil
			}
			if c.key.size <= compareInline {
				small = append(small, c)
			} else {
				large = append(large, c)
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	// The candidate with the lowest id wins, as it would for DBMail's LIMIT 1.
	err = chunked(small, 64, func(cs []candidate) error {
		ids := make([]any, len(cs))
		keys := make(map[uint64]blobKey, len(cs))
		for i, c := range cs {
			ids[i], keys[c.id] = c.id, c.key
		}
		rows, err := s.db.QueryContext(ctx, "SELECT id, data FROM "+s.t.mimeparts+
			" WHERE id IN ("+placeholders(len(ids))+") ORDER BY id", ids...)
		return collect(rows, err, func(r *sql.Rows) error {
			var id uint64
			var data sql.RawBytes
			if err := r.Scan(&id, &data); err != nil {
				return err
			}
			k := keys[id]
			if _, have := b.stored[k]; !have && bytes.Equal(data, b.data[k]) {
				b.stored[k] = id
			}
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	for _, c := range large {
		if _, have := b.stored[c.key]; have {
			continue
		}
		same, err := s.sameBlob(ctx, c.id, b.data[c.key])
		if err != nil {
			return nil, err
		}
		if same {
			b.stored[c.key] = c.id
		}
	}
	return b, nil
}

// sameBlob compares a large part with a stored one on the server, through a
// prepared statement, which sends it as it is.
func (s *Store) sameBlob(ctx context.Context, id uint64, data []byte) (bool, error) {
	stmt, err := s.db.PrepareContext(ctx, "SELECT count(*) FROM "+s.t.mimeparts+" WHERE id = ? AND data = ?")
	if err != nil {
		return false, err
	}
	defer stmt.Close()
	var n int
	err = stmt.QueryRowContext(ctx, id, data).Scan(&n)
	return n == 1, err
}

// lockReused takes shared locks on one link of each stored row that the group
// is about to use, until COMMIT. A row without any link may have been chosen
// for deletion by dbmail-util a moment ago, whose DELETE would cascade to our
// message: such rows are not reused. (The foreign keys lock the row itself.)
func (w *writer) lockReused(b *blobSet, v *valueSet) error {
	var parts, values []uint64
	for _, id := range b.stored {
		parts = append(parts, id)
	}
	for _, id := range v.stored {
		values = append(values, id)
	}
	linkedParts, err := w.linked(w.s.t.partlists, "part_id", parts)
	if err != nil {
		return err
	}
	for k, id := range b.stored {
		if !linkedParts[id] {
			delete(b.stored, k)
		}
	}
	linkedValues, err := w.linked(w.s.t.header, "headervalue_id", values)
	if err != nil {
		return err
	}
	for k, id := range v.stored {
		if !linkedValues[id] {
			delete(v.stored, k)
		}
	}
	return nil
}

func (w *writer) linked(table, column string, ids []uint64) (map[uint64]bool, error) {
	out := make(map[uint64]bool, len(ids))
	err := chunked(ids, 200, func(ids []uint64) error {
		var q strings.Builder
		args := make([]any, len(ids))
		for i, id := range ids {
			if i > 0 {
				q.WriteString(" UNION ALL ")
			}
			fmt.Fprintf(&q, "SELECT * FROM (SELECT %s FROM %s WHERE %s = ? LIMIT 1%s) l%d", column, table, column, w.s.d.shared, i)
			args[i] = id
		}
		rows, err := w.tx.QueryContext(w.ctx, q.String(), args...)
		return collect(rows, err, func(r *sql.Rows) error {
			var id uint64
			err := r.Scan(&id)
			out[id] = true
			return err
		})
	})
	return out, err
}

// parts inserts the blobs that are not stored yet and links all of them.
func (w *writer) parts(group []*job, b *blobSet) error {
	var fresh []blobKey
	var args []any
	bytes := 0
	flush := func() error {
		if len(fresh) == 0 {
			return nil
		}
		ids, err := w.insertIDs(w.s.t.mimeparts, "hash, data, size", "id", len(fresh), 3, args)
		if err != nil {
			return err
		}
		for i, k := range fresh {
			b.stored[k] = ids[i]
		}
		fresh, args, bytes = fresh[:0], args[:0], 0
		return nil
	}
	for _, k := range b.order {
		if _, ok := b.stored[k]; ok {
			continue
		}
		data := b.data[k]
		if len(data) > w.s.d.maxBytes {
			id, err := w.largeBlob(k, data)
			if err != nil {
				return err
			}
			b.stored[k] = id
			continue
		}
		if bytes+len(data) > w.s.d.maxBytes || len(fresh) == 1000 {
			if err := flush(); err != nil {
				return err
			}
		}
		fresh = append(fresh, k)
		args = append(args, k.hash, data, len(data))
		bytes += len(data)
	}
	if err := flush(); err != nil {
		return err
	}
	var rows []any
	for g, j := range group {
		for i, p := range j.d.Message.Parts {
			id := b.stored[j.blobs[i]]
			if len(p.Data) > 0 && b.odd[&p.Data[0]] {
				var err error
				if id, err = w.largeBlob(j.blobs[i], p.Data); err != nil {
					return err
				}
			}
			rows = append(rows, w.phys[g], p.Header, p.Key, p.Depth, p.Order, id)
		}
	}
	return w.insert("INSERT", w.s.t.partlists,
		"physmessage_id, is_header, part_key, part_depth, part_order, part_id", 6, rows)
}

// largeBlob inserts one blob through a prepared statement: the driver sends
// it in pieces, unquoted, and holds one copy of it at most.
func (w *writer) largeBlob(k blobKey, data []byte) (uint64, error) {
	stmt, err := w.tx.PrepareContext(w.ctx, "INSERT INTO "+w.s.t.mimeparts+" (hash, data, size) VALUES (?, ?, ?)")
	if err != nil {
		return 0, err
	}
	defer stmt.Close()
	res, err := stmt.ExecContext(w.ctx, k.hash, data, len(data))
	if err != nil {
		return 0, err
	}
	id, err := res.LastInsertId()
	return uint64(id), err
}
