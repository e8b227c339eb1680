package schema

import (
	"context"
	"database/sql"
	"fmt"
)

// readSQLite completes have with the columns and indexes of the tables in
// want. Others are left alone: asking for the columns of a virtual table
// would need its module.
func readSQLite(ctx context.Context, db querier, want, have *catalog) error {
	for _, w := range want.tables {
		t := have.table(w.name)
		if t == nil {
			continue
		}
		if err := readSQLiteColumns(ctx, db, t); err != nil {
			return fmt.Errorf("read the columns of %s: %w", t.name, err)
		}
		if err := readSQLiteIndexes(ctx, db, t); err != nil {
			return fmt.Errorf("read the indexes of %s: %w", t.name, err)
		}
	}
	return nil
}

func readSQLiteColumns(ctx context.Context, db querier, t *table) error {
	key := index{name: primary, unique: true}
	const query = `SELECT name, type, "notnull", dflt_value, pk FROM pragma_table_info(?) ORDER BY cid`
	err := each(ctx, db, query, []any{t.name}, func(r *sql.Rows) error {
		var col column
		var notNull, pk int
		var def sql.NullString
		if err := r.Scan(&col.name, &col.typ, &notNull, &def, &pk); err != nil {
			return err
		}
		col.nullable = notNull == 0
		col.fallback = fallback(def)
		t.columns = append(t.columns, col)
		if pk > 0 {
			key.columns = append(key.columns, col.name)
		}
		return nil
	})
	if len(key.columns) > 0 {
		t.indexes = append(t.indexes, key)
	}
	return err
}

// readSQLiteIndexes leaves out partial indexes, which serve none of DBMail's
// look-ups. An expression stands as a column without name.
func readSQLiteIndexes(ctx context.Context, db querier, t *table) error {
	const query = `SELECT l.name, l."unique", coalesce(i.name, '') FROM pragma_index_list(?) l, pragma_index_info(l.name) i
WHERE NOT l.partial AND l.origin <> 'pk' ORDER BY l.seq, i.seqno`
	return each(ctx, db, query, []any{t.name}, func(r *sql.Rows) error {
		var ix index
		var col string
		if err := r.Scan(&ix.name, &ix.unique, &col); err != nil {
			return err
		}
		if n := len(t.indexes); n == 0 || t.indexes[n-1].name != ix.name {
			t.indexes = append(t.indexes, ix)
		}
		last := &t.indexes[len(t.indexes)-1]
		last.columns = append(last.columns, col)
		return nil
	})
}
