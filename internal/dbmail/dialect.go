package dbmail

import (
	"database/sql"
	"strings"
)

// dialect is all that MySQL and SQLite differ in.
type dialect struct {
	// returning says that INSERT … RETURNING works (MariaDB from 10.5, SQLite).
	// Without it the ids of a multi-row INSERT are computed: InnoDB gives
	// out consecutive ones, auto_increment_increment apart.
	returning bool
	multi     bool // several statements may go to the server at once
	begin     string
	forUpdate string // row locks; SQLite has one writer and needs none
	shared    string
	ignore    string // INSERT that skips rows which exist already
	// fold makes an expression that compares as DBMail's collation does,
	// without case.
	fold func(expression string) string
	// local makes a moment that is UTC one by the server's clock, as NOW() is
	// to DBMail.
	local    string
	maxVars  int // placeholders in one statement
	inline   int // bytes of a blob that goes into a statement of many rows
	maxBytes int // bytes of arguments in one statement
}

func mysqlDialect(returning bool, maxPacket int) dialect {
	return dialect{
		returning: returning,
		multi:     true,
		begin:     "START TRANSACTION",
		forUpdate: " FOR UPDATE",
		shared:    " LOCK IN SHARE MODE",
		ignore:    "INSERT IGNORE",
		// The columns are of a _ci collation, so "=" is what DBMail's
		// lower(a)=lower(b) is, and an index serves it.
		fold:    func(expression string) string { return expression },
		local:   "CONVERT_TZ(?, '+00:00', @@global.time_zone)",
		maxVars: 12000,
		// Quoting and parsing a larger one costs more than a round trip.
		inline: 24 << 10,
		// Quoting may double what is sent.
		maxBytes: min(1<<20, maxPacket/4),
	}
}

func sqliteDialect() dialect {
	return dialect{
		returning: true,
		begin:     "BEGIN IMMEDIATE",
		ignore:    "INSERT OR IGNORE",
		fold:      func(expression string) string { return "lower(" + expression + ")" },
		local:     "?",
		maxVars:   12000,
		inline:    1 << 20,
		maxBytes:  4 << 20,
	}
}

// sameText is the condition that a column equals an argument, without case.
func (d dialect) sameText(column string) string { return d.fold(column) + " = " + d.fold("?") }

// placeholders gives "?,?,?" for n values.
func placeholders(n int) string {
	if n <= 0 {
		return ""
	}
	return strings.Repeat("?,", n-1) + "?"
}

// rowPlaceholders gives "(?,?),(?,?)" for rows of width columns.
func rowPlaceholders(rows, columns int) string {
	one := "(" + placeholders(columns) + ")"
	return strings.Repeat(one+",", rows-1) + one
}

// anySlice turns typed arguments into those that database/sql takes.
func anySlice[T any](in []T) []any {
	out := make([]any, len(in))
	for i, v := range in {
		out[i] = v
	}
	return out
}

// chunked calls f with pieces of at most n elements.
func chunked[T any](in []T, n int, f func([]T) error) error {
	for len(in) > 0 {
		k := min(n, len(in))
		if err := f(in[:k]); err != nil {
			return err
		}
		in = in[k:]
	}
	return nil
}

// collect reads all rows with scan and closes them.
func collect(rows *sql.Rows, err error, scan func(*sql.Rows) error) error {
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}
