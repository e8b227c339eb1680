package schema

import (
	"context"
	"database/sql"
)

// Diff compares a database with the store that Apply would make, and returns
// the differences, the gravest first. It changes nothing.
func Diff(ctx context.Context, db *sql.DB, d Dialect, o Options) ([]Difference, error) {
	return nil, nil
}
