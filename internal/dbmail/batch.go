package dbmail

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// runner is a connection, a pool or a transaction.
type runner interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// batch is a list of statements that go to the server together and are run
// there one after the other, up to the first that fails. On MySQL that is one
// round trip, where each statement by itself would cost one: the transaction
// holds its locks for the shorter. On SQLite, which is in this process, they
// are simply run in turn.
type batch struct {
	d     dialect
	on    runner
	items []statement
}

type statement struct {
	query string
	args  []any
	bytes int
	scan  func(*sql.Rows) error // for each row; nil for a statement without rows
}

func (s *Store) batch(on runner) *batch { return &batch{d: s.d, on: on} }

// exec adds a statement that gives no rows.
func (b *batch) exec(query string, args ...any) { b.query(nil, query, args...) }

// query adds a statement; scan is called for each of its rows.
func (b *batch) query(scan func(*sql.Rows) error, query string, args ...any) {
	b.items = append(b.items, statement{query, args, size(args), scan})
}

// size estimates what arguments take on the wire.
func size(args []any) int {
	n := 0
	for _, a := range args {
		switch v := a.(type) {
		case []byte:
			n += len(v)
		case string:
			n += len(v)
		}
		n += 8
	}
	return n
}

// insert adds the multi-row INSERTs that args need, in pieces that the server
// takes. verb is "INSERT" or the dialect's INSERT that skips existing rows.
// With an id column, got receives the new ids, in the order of the rows.
func (b *batch) insert(verb, table, columns, idColumn string, width int, args []any, got func(id uint64)) {
	const maxRows = 1000
	for len(args) > 0 {
		rows, bytes := 0, 0
		for rows < maxRows && rows*width < min(len(args), b.d.maxVars-width) {
			n := size(args[rows*width : (rows+1)*width])
			if rows > 0 && bytes+n > b.d.maxBytes {
				break
			}
			bytes += n
			rows++
		}
		b.insertOne(verb+" INTO "+table+" ("+columns+") VALUES "+rowPlaceholders(rows, width), idColumn, rows, args[:rows*width], got)
		args = args[rows*width:]
	}
}

func (b *batch) insertOne(query, idColumn string, rows int, args []any, got func(id uint64)) {
	switch {
	case got == nil:
		b.exec(query, args...)
	case b.d.returning:
		b.query(func(r *sql.Rows) error {
			var id uint64
			if err := r.Scan(&id); err != nil {
				return err
			}
			got(id)
			return nil
		}, query+" RETURNING "+idColumn, args...)
	default:
		b.exec(query, args...)
		b.query(func(r *sql.Rows) error {
			var first, step uint64
			if err := r.Scan(&first, &step); err != nil {
				return err
			}
			for i := range uint64(rows) {
				got(first + i*step)
			}
			return nil
		}, "SELECT LAST_INSERT_ID(), @@auto_increment_increment")
	}
}

// run sends the statements and empties the batch.
//
// On MySQL the context is looked at here, not while the server works: to watch
// it there, the driver wakes another goroutine for each statement, which costs
// as much as the statement. A server that hangs is cut off by the connection's
// own time-outs.
func (b *batch) run(ctx context.Context) error {
	items := b.items
	b.items = nil
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.d.multi {
		ctx = context.WithoutCancel(ctx)
	}
	for len(items) > 0 {
		n, bytes := 0, 0
		for n < len(items) && (n == 0 || b.d.multi && bytes+items[n].bytes <= b.d.maxBytes) {
			bytes += items[n].bytes
			n++
		}
		if err := send(ctx, b.on, items[:n]); err != nil {
			return err
		}
		items = items[n:]
	}
	return nil
}

// send runs statements in one round trip.
func send(ctx context.Context, on runner, items []statement) error {
	var query strings.Builder
	var args []any
	results := false
	for i, it := range items {
		if i > 0 {
			query.WriteString("; ")
		}
		query.WriteString(it.query)
		args = append(args, it.args...)
		results = results || it.scan != nil
	}
	if !results {
		_, err := on.ExecContext(ctx, query.String(), args...)
		return err
	}
	rows, err := on.QueryContext(ctx, query.String(), args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	// The driver passes over statements without rows, and stops at an error
	// wherever it is.
	for i, first := 0, true; i < len(items); i++ {
		if items[i].scan == nil {
			continue
		}
		if !first && !rows.NextResultSet() {
			if err := rows.Err(); err != nil {
				return err
			}
			return fmt.Errorf("statement %d of %d gave no result", i+1, len(items))
		}
		first = false
		for rows.Next() {
			if err := items[i].scan(rows); err != nil {
				return err
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
	}
	for rows.NextResultSet() {
	}
	return rows.Err()
}
