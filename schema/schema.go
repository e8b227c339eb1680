// Package schema makes and compares the tables of a DBMail 3.x store.
//
// The SQL is in mysql/ and sqlite/ as embedded files. Print writes it, Apply
// runs it on an empty database, and Diff compares it with what a database
// has: the same files say what to make and what to expect, so that the two
// cannot drift apart.
//
// A database that has DBMail tables is never changed. The only exception are
// the gatepost_* tables of Options.Own, which stand beside DBMail's, refer to
// none of them and are dropped to take Gatepost out again.
package schema

import (
	"context"
	"database/sql"
	"fmt"
	"regexp"
	"strings"
)

// Dialect is the kind of database.
type Dialect string

// The dialects. MySQL stands for MariaDB too.
const (
	MySQL  Dialect = "mysql"
	SQLite Dialect = "sqlite"
)

// DefaultPrefix is what DBMail's table names begin with unless its
// configuration says otherwise.
const DefaultPrefix = "dbmail_"

// NoPrefix as Options.Prefix asks for table names without any prefix.
const NoPrefix = "-"

// maxPrefix keeps the longest name, the foreign key
// PREFIXauto_notifications_fk_PREFIXusers, within MySQL's 64 characters.
const maxPrefix = 18

// Options say which tables are meant.
type Options struct {
	// Prefix begins the name of every DBMail table: at most 18 of
	// A-Z a-z 0-9 _, not beginning with gatepost_. Empty means
	// DefaultPrefix; for no prefix at all give NoPrefix.
	Prefix string

	// Compressed stores dbmail_mimeparts with ROW_FORMAT=COMPRESSED, as
	// DBMail's own upgrade does, instead of DYNAMIC, which takes several
	// times as much mail per second. MySQL only.
	Compressed bool

	// Own adds Gatepost's own tables, named gatepost_* whatever the prefix.
	Own bool
}

var prefixSyntax = regexp.MustCompile(`^[A-Za-z0-9_]*$`)

// prefix returns the characters that table names begin with.
func (o Options) prefix() (string, error) {
	switch p := o.Prefix; {
	case p == "":
		return DefaultPrefix, nil
	case p == NoPrefix:
		return "", nil
	case !prefixSyntax.MatchString(p):
		return "", fmt.Errorf("table prefix %q: only letters, digits and _ can be used", p)
	case strings.HasPrefix(strings.ToLower(p), ownPrefix):
		return "", fmt.Errorf("table prefix %q: names that begin with %s are for Gatepost's own tables", p, ownPrefix)
	case len(p) > maxPrefix:
		return "", fmt.Errorf("table prefix %q: longer than %d characters", p, maxPrefix)
	default:
		return p, nil
	}
}

// Tables names the tables of a store in an order in which they can be made,
// Gatepost's own (if o.Own) last. Views are not among them. It is nil for
// options that Apply would refuse.
func Tables(d Dialect, o Options) []string {
	want, err := wanted(d, o)
	if err != nil {
		return nil
	}
	var names []string
	for _, t := range want.tables {
		names = append(names, t.name)
	}
	return names
}

// HasTables tells whether the database has any table or view of a DBMail
// store with this prefix. Gatepost's own tables do not count.
func HasTables(ctx context.Context, db *sql.DB, d Dialect, o Options) (bool, error) {
	want, err := wanted(d, o)
	if err != nil {
		return false, err
	}
	have, err := readNames(ctx, db, d)
	if err != nil {
		return false, err
	}
	return want.anyOf(have), nil
}
