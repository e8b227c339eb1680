package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// runner is what *sql.Conn and *sql.Tx have in common.
type runner interface {
	querier
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// Apply makes an empty database a DBMail 3.x store and returns what Diff then
// finds, which is nothing on a sound server.
//
// On a database that has any table or view of a DBMail store, complete or
// not, it changes nothing and returns the differences; only with o.Own it
// adds those of Gatepost's own tables that are missing.
//
// A new SQLite store gets a write-ahead log, with which readers and the writer
// do not wait for each other; the file remembers it. On SQLite all else is one
// transaction. MySQL commits each table by itself: when
// Apply fails in the middle, the error names the statement, the next Diff or
// Apply says what is missing, and the tables (Tables names them) are dropped
// by hand before another try.
func Apply(ctx context.Context, db *sql.DB, d Dialect, o Options) ([]Difference, error) {
	if err := apply(ctx, db, d, o); err != nil {
		return nil, err
	}
	return Diff(ctx, db, d, o)
}

func apply(ctx context.Context, db *sql.DB, d Dialect, o Options) error {
	want, err := wanted(d, o)
	if err != nil {
		return err
	}
	if d == SQLite {
		have, err := readNames(ctx, db, d)
		if err != nil {
			return err
		}
		if !want.anyOf(have) {
			// No transaction may be open for this.
			if _, err := db.ExecContext(ctx, "PRAGMA journal_mode=WAL"); err != nil {
				return fmt.Errorf("switch to a write-ahead log: %w", err)
			}
		}
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return fmt.Errorf("begin: %w", err)
		}
		if err := build(ctx, tx, d, o, want); err != nil {
			if undo := tx.Rollback(); undo != nil && !errors.Is(undo, sql.ErrTxDone) {
				err = errors.Join(err, fmt.Errorf("roll back: %w", undo))
			}
			return err
		}
		if err := tx.Commit(); err != nil {
			return fmt.Errorf("commit: %w", err)
		}
		return nil
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return fmt.Errorf("connect: %w", err)
	}
	return errors.Join(build(ctx, conn, d, o, want), conn.Close())
}

// build runs the statements that the database still needs.
func build(ctx context.Context, db runner, d Dialect, o Options, want *catalog) error {
	have, err := readNames(ctx, db, d)
	if err != nil {
		return err
	}
	var todo []string
	if !want.anyOf(have) {
		todo = sections(d)
	}
	if err := run(ctx, db, d, o, have, todo); err != nil {
		return err
	}
	if o.Own {
		return run(ctx, db, d, o, have, []string{ownSection})
	}
	return nil
}

// run executes the statements of sections, except for those about tables
// that the database has.
func run(ctx context.Context, db runner, d Dialect, o Options, have *catalog, sections []string) error {
	all, err := statements(d, o, sections...)
	if err != nil {
		return err
	}
	for _, s := range all {
		first, _, _ := strings.Cut(s.sql, "\n")
		if s.sql == "" || have.about(first) {
			continue
		}
		if _, err := db.ExecContext(ctx, s.sql); err != nil {
			return fmt.Errorf("run %q: %w", strings.TrimSuffix(first, " ("), err)
		}
	}
	return nil
}

// about tells whether a CREATE TABLE or CREATE INDEX names a table of c.
func (c *catalog) about(first string) bool {
	if m := lineTable.FindStringSubmatch(first); m != nil {
		return c.table(m[1]) != nil
	}
	if m := lineIndex.FindStringSubmatch(first); m != nil {
		return c.table(m[3]) != nil
	}
	return false
}
