package schema

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
)

// querier is what reading needs of *sql.DB, *sql.Conn and *sql.Tx.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// each calls scan for every row of a query.
func each(ctx context.Context, db querier, query string, args []any, scan func(*sql.Rows) error) error {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return err
	}
	defer rows.Close() // closed by the last Next on the way without errors
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// readNames reads the names of a database's tables and views.
func readNames(ctx context.Context, db querier, d Dialect) (*catalog, error) {
	if d == SQLite {
		return readSQLiteNames(ctx, db)
	}
	return readMySQLNames(ctx, db)
}

// read reads all that Diff compares, of the tables in want.
func read(ctx context.Context, db querier, d Dialect, want *catalog) (*catalog, error) {
	have, err := readNames(ctx, db, d)
	if err != nil {
		return nil, err
	}
	if d == SQLite {
		return have, readSQLite(ctx, db, want, have)
	}
	return have, readMySQL(ctx, db, have)
}

// fallback turns what a catalogue reports as a column's default into the
// bare value: MariaDB and SQLite report the expression with its quotes and
// NULL as a word, MySQL the value itself.
func fallback(reported sql.NullString) *string {
	v := reported.String
	if !reported.Valid || strings.EqualFold(v, "NULL") {
		return nil
	}
	if len(v) >= 2 && v[0] == '\'' && v[len(v)-1] == '\'' {
		v = strings.ReplaceAll(v[1:len(v)-1], "''", "'")
	}
	return &v
}

// errNoDatabase is what a MySQL connection without a default database gets.
var errNoDatabase = errors.New("the connection names no database")

// readMySQLNames reads the names, engines and row formats.
func readMySQLNames(ctx context.Context, db querier) (*catalog, error) {
	c := &catalog{}
	err := each(ctx, db, "SELECT DATABASE(), @@lower_case_table_names", nil, func(r *sql.Rows) error {
		var name sql.NullString
		var folding int
		if err := r.Scan(&name, &folding); err != nil {
			return err
		}
		if !name.Valid {
			return errNoDatabase
		}
		c.fold = folding != 0
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the database's name: %w", err)
	}
	const query = `SELECT TABLE_NAME, TABLE_TYPE, COALESCE(ENGINE, ''), UPPER(COALESCE(ROW_FORMAT, ''))
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()`
	err = each(ctx, db, query, nil, func(r *sql.Rows) error {
		var t table
		var kind string
		if err := r.Scan(&t.name, &kind, &t.engine, &t.rowFormat); err != nil {
			return err
		}
		if kind == "VIEW" {
			c.views = append(c.views, view{name: t.name})
		} else {
			c.tables = append(c.tables, &t)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	return c, nil
}

// readSQLiteNames reads the names of tables, views and triggers.
func readSQLiteNames(ctx context.Context, db querier) (*catalog, error) {
	c := &catalog{fold: true}
	const query = `SELECT type, name, tbl_name FROM sqlite_master WHERE type IN ('table', 'view', 'trigger')`
	err := each(ctx, db, query, nil, func(r *sql.Rows) error {
		var kind, name, on string
		if err := r.Scan(&kind, &name, &on); err != nil {
			return err
		}
		switch kind {
		case "table":
			c.tables = append(c.tables, &table{name: name})
		case "view":
			c.views = append(c.views, view{name: name})
		case "trigger":
			c.triggers = append(c.triggers, trigger{name: name, table: on})
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the tables: %w", err)
	}
	return c, nil
}
