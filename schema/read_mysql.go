package schema

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
)

// readMySQL completes c with columns, indexes and foreign keys, as far as
// the connected user may see them.
func readMySQL(ctx context.Context, db querier, c *catalog) error {
	if err := readMySQLColumns(ctx, db, c); err != nil {
		return fmt.Errorf("read the columns: %w", err)
	}
	if err := readMySQLIndexes(ctx, db, c); err != nil {
		return fmt.Errorf("read the indexes: %w", err)
	}
	if err := readMySQLKeys(ctx, db, c); err != nil {
		return fmt.Errorf("read the foreign keys: %w", err)
	}
	return nil
}

func readMySQLColumns(ctx context.Context, db querier, c *catalog) error {
	const query = `SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, IS_NULLABLE = 'YES', COLUMN_DEFAULT,
  EXTRA LIKE '%auto_increment%', COALESCE(CHARACTER_SET_NAME, ''), COALESCE(COLLATION_NAME, '')
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
ORDER BY TABLE_NAME, ORDINAL_POSITION`
	return each(ctx, db, query, nil, func(r *sql.Rows) error {
		var in string
		var col column
		var def sql.NullString
		err := r.Scan(&in, &col.name, &col.typ, &col.nullable, &def, &col.auto, &col.charset, &col.collation)
		if err != nil {
			return err
		}
		col.fallback = fallback(def)
		if t := c.table(in); t != nil {
			t.columns = append(t.columns, col)
		} else if v := c.view(in); v != nil {
			v.columns = append(v.columns, col.name)
		}
		return nil
	})
}

// readMySQLIndexes leaves out full-text and spatial indexes, which serve none
// of DBMail's look-ups. An expression (MySQL 8) stands as a column without
// name. How many characters of a column an index holds is not looked at.
func readMySQLIndexes(ctx context.Context, db querier, c *catalog) error {
	const query = `SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE = 0, COALESCE(COLUMN_NAME, '')
FROM information_schema.STATISTICS
WHERE TABLE_SCHEMA = DATABASE() AND INDEX_TYPE IN ('BTREE', 'HASH')
ORDER BY TABLE_NAME, INDEX_NAME, SEQ_IN_INDEX`
	return each(ctx, db, query, nil, func(r *sql.Rows) error {
		var in, col string
		var ix index
		if err := r.Scan(&in, &ix.name, &ix.unique, &col); err != nil {
			return err
		}
		t := c.table(in)
		if t == nil {
			return nil
		}
		i := slices.IndexFunc(t.indexes, func(x index) bool { return x.name == ix.name })
		if i < 0 {
			t.indexes = append(t.indexes, ix)
			i = len(t.indexes) - 1
		}
		t.indexes[i].columns = append(t.indexes[i].columns, col)
		return nil
	})
}

func readMySQLKeys(ctx context.Context, db querier, c *catalog) error {
	const query = `SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME,
  k.REFERENCED_COLUMN_NAME, r.DELETE_RULE, r.UPDATE_RULE
FROM information_schema.KEY_COLUMN_USAGE k
JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
  AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.TABLE_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL`
	return each(ctx, db, query, nil, func(r *sql.Rows) error {
		var in string
		var k foreignKey
		err := r.Scan(&in, &k.name, &k.column, &k.parent, &k.parentCol, &k.onDelete, &k.onUpdate)
		if err != nil {
			return err
		}
		if t := c.table(in); t != nil {
			t.keys = append(t.keys, k)
		}
		return nil
	})
}
