package dbmail

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// blobSet is what is known of a group's blobs: which are stored already, by
// content, and which are to be inserted. Equal blobs inside the group are one.
type blobSet struct {
	data   map[blobKey][]byte
	order  []blobKey          // distinct, in order of first use
	stored map[blobKey]uint64 // ids with the same content
	// candidates are stored blobs of the same hash and size.
	candidates []candidate
	// odd are blobs whose key is taken by other content in this group: a
	// collision, which is stored without a look-up. Named by their first octet.
	odd map[*byte]bool
}

type candidate struct {
	id  uint64
	key blobKey
}

func newBlobSet(group []*job) *blobSet {
	b := &blobSet{data: map[blobKey][]byte{}, stored: map[blobKey]uint64{}, odd: map[*byte]bool{}}
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
	return b
}

// locked is a column that tells whether any row of links uses the row v, and
// takes a shared lock on one that does, until COMMIT. A row without any link
// may have been chosen for deletion by dbmail-util a moment ago, whose DELETE
// would cascade to our message: such rows are not reused. (The foreign keys
// lock the row itself.)
func (s *Store) locked(links, column string) string {
	return "(SELECT 1 FROM " + links + " l WHERE l." + column + " = v.id LIMIT 1" + s.d.shared + ") IS NOT NULL"
}

// lookForBlobs finds and locks stored blobs of the same hash and size, in any
// order: ORDER BY makes the server sort what are mostly misses, which was three
// quarters of the statement's time.
func (s *Store) lookForBlobs(b *batch, set *blobSet) {
	_ = chunked(set.order, 1000, func(keys []blobKey) error {
		hashes := make([]any, len(keys))
		for i, k := range keys {
			hashes[i] = k.hash
		}
		b.query(func(r *sql.Rows) error {
			var c candidate
			var linked bool
			if err := r.Scan(&c.id, &c.key.hash, &c.key.size, &linked); err != nil {
				return err
			}
			c.key.hash = strings.TrimSpace(c.key.hash)
			if _, wanted := set.data[c.key]; wanted && linked {
				set.candidates = append(set.candidates, c)
			}
			return nil
		}, "SELECT v.id, v.hash, v.size, "+s.locked(s.t.partlists, "part_id")+" FROM "+s.t.mimeparts+" v WHERE v.hash IN ("+placeholders(len(hashes))+")", hashes...)
		return nil
	})
}

// compareInline bounds the stored data that is fetched to be compared; larger
// parts are compared by the server.
const compareInline = 64 << 10

// compareBlobs keeps the candidates whose content is the same. The one with
// the lowest id wins, as it would for DBMail's LIMIT 1.
func (s *Store) compareBlobs(ctx context.Context, on *sql.Conn, set *blobSet) error {
	slices.SortFunc(set.candidates, func(a, b candidate) int { return cmp.Compare(a.id, b.id) })
	keys := map[uint64]blobKey{}
	var fetch []uint64
	for _, c := range set.candidates {
		if _, have := set.stored[c.key]; have {
			continue
		}
		switch {
		case s.hot.same(c.id, set.data[c.key]):
			set.stored[c.key] = c.id
		case c.key.size <= compareInline:
			fetch = append(fetch, c.id)
			keys[c.id] = c.key
		default:
			same, err := s.sameBlob(ctx, on, c.id, set.data[c.key])
			if err != nil {
				return err
			}
			if same {
				set.stored[c.key] = c.id
			}
		}
	}
	b := s.batch(on)
	_ = chunked(fetch, 64, func(ids []uint64) error {
		b.query(func(r *sql.Rows) error {
			var id uint64
			var data sql.RawBytes
			if err := r.Scan(&id, &data); err != nil {
				return err
			}
			k := keys[id]
			if _, have := set.stored[k]; !have && bytes.Equal(data, set.data[k]) {
				set.stored[k] = id
				s.hot.learn(id, set.data[k])
			}
			return nil
		}, "SELECT id, data FROM "+s.t.mimeparts+" WHERE id IN ("+placeholders(len(ids))+") ORDER BY id", anySlice(ids)...)
		return nil
	})
	if err := b.run(ctx); err != nil {
		return err
	}
	return nil
}

// sameBlob compares a large part with a stored one on the server, through a
// prepared statement, which sends it as it is.
func (s *Store) sameBlob(ctx context.Context, on *sql.Conn, id uint64, data []byte) (bool, error) {
	stmt, err := on.PrepareContext(ctx, "SELECT count(*) FROM "+s.t.mimeparts+" WHERE id = ? AND data = ?")
	if err != nil {
		return false, err
	}
	defer stmt.Close()
	var n int
	err = stmt.QueryRowContext(ctx, id, data).Scan(&n)
	return n == 1, err
}

// insertBlobs inserts the blobs that are not stored yet, and gives back those
// that are too large for a statement of many rows.
func (w *writer) insertBlobs(b *batch) (large []blobKey) {
	var fresh []blobKey
	var args []any
	for _, k := range w.blobs.order {
		if _, ok := w.blobs.stored[k]; ok {
			continue
		}
		if k.size > w.s.d.inline {
			large = append(large, k)
			continue
		}
		fresh = append(fresh, k)
		args = append(args, k.hash, w.blobs.data[k], k.size)
	}
	n := 0
	b.insert("INSERT", w.s.t.mimeparts, "hash, data, size", "id", 3, args, func(id uint64) {
		w.blobs.stored[fresh[n]] = id
		n++
	})
	return large
}

// linkParts writes the part lists.
func (w *writer) linkParts(b *batch) error {
	var rows []any
	for g, j := range w.group {
		for i, p := range j.d.Message.Parts {
			id := w.blobs.stored[j.blobs[i]]
			if len(p.Data) > 0 && w.blobs.odd[&p.Data[0]] {
				var err error
				if id, err = w.largeBlob(j.blobs[i], p.Data); err != nil {
					return err
				}
			}
			rows = append(rows, w.phys[g], p.Header, p.Key, p.Depth, p.Order, id)
		}
	}
	b.insert("INSERT", w.s.t.partlists, "physmessage_id, is_header, part_key, part_depth, part_order, part_id", "", 6, rows, nil)
	return nil
}

// largeBlob inserts one blob through a prepared statement: it is sent as it
// is, unquoted, and the driver holds one copy of it at most. The statement
// stays prepared on its connection.
func (w *writer) largeBlob(k blobKey, data []byte) (id uint64, err error) {
	if len(data) > hugeBlob {
		// The driver's copies of these are what memory is made of.
		select {
		case w.s.huge <- struct{}{}:
			defer func() { <-w.s.huge }()
		case <-w.ctx.Done():
			return 0, w.ctx.Err()
		}
	}
	err = w.conn.Raw(func(conn any) error {
		stmt, err := w.s.prepared.get(w.ctx, conn, "INSERT INTO "+w.s.t.mimeparts+" (hash, data, size) VALUES (?, ?, ?)")
		if err != nil {
			return err
		}
		res, err := stmt.ExecContext(context.WithoutCancel(w.ctx), []driver.NamedValue{
			{Ordinal: 1, Value: k.hash}, {Ordinal: 2, Value: data}, {Ordinal: 3, Value: int64(k.size)}})
		if err != nil {
			return err
		}
		last, err := res.LastInsertId()
		id = uint64(last)
		return err
	})
	if err != nil && classify(err) == faultTooBig {
		err = fmt.Errorf("%w: %w", ErrTooLarge, err)
	}
	return id, err
}

// hugeBlob is from how many bytes on blobs are sent two at a time.
const hugeBlob = 8 << 20

// statements are the statements that stay prepared, one on each connection.
type statements struct {
	mu sync.Mutex
	on map[any]driver.StmtExecContext
}

func (p *statements) get(ctx context.Context, conn any, query string) (driver.StmtExecContext, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stmt, ok := p.on[conn]; ok {
		return stmt, nil
	}
	preparer, ok := conn.(driver.ConnPrepareContext)
	if !ok {
		return nil, errors.New("driver cannot prepare statements")
	}
	stmt, err := preparer.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	exec, ok := stmt.(driver.StmtExecContext)
	if !ok {
		return nil, errors.New("driver cannot run prepared statements")
	}
	if p.on == nil || len(p.on) > 2*maxConnections {
		// Most of these connections are closed by now; on one that is not,
		// the statement is prepared once more.
		p.on = map[any]driver.StmtExecContext{}
	}
	p.on[conn] = exec
	return exec, nil
}
