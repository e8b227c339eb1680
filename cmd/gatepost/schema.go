//go:build !dmz

package main

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/schema"
)

// schemaFlags are those of all schema commands.
type schemaFlags struct {
	dsn, prefix           string
	compressed, own, json bool
}

func newSchema() *cobra.Command {
	f := &schemaFlags{}
	c := group("schema", "Make the tables of a store, or compare them with what they should be",
		newSchemaApply(f), newSchemaDiff(f), newSchemaPrint(f))
	p := c.PersistentFlags()
	p.StringVar(&f.dsn, "store", "", "`DSN` of the store: sqlite:/path/store.db or mysql://user@host/database?password_file=/path")
	p.StringVar(&f.prefix, "prefix", schema.DefaultPrefix, "what DBMail's table names begin with; - is none")
	p.BoolVar(&f.compressed, "compressed", false, "dbmail_mimeparts in ROW_FORMAT=COMPRESSED: smaller and several times slower (MySQL)")
	p.BoolVar(&f.own, "add-own", false, "with Gatepost's own gatepost_* tables")
	p.BoolVar(&f.json, "json", false, "print differences as JSON")
	return c
}

func (f *schemaFlags) options() schema.Options {
	o := schema.Options{Prefix: f.prefix, Compressed: f.compressed, Own: f.own}
	if f.prefix == "" {
		o.Prefix = schema.NoPrefix
	}
	return o
}

// parse reads the DSN and judges the options.
func (f *schemaFlags) parse() (dbmail.DSN, schema.Dialect, error) {
	if f.dsn == "" {
		return dbmail.DSN{}, "", usage("say which store, with --store DSN")
	}
	dsn, err := dbmail.ParseDSN(f.dsn)
	if err != nil {
		return dsn, "", usage("%v", err)
	}
	dialect := schema.MySQL
	if dsn.Driver == "sqlite" {
		dialect = schema.SQLite
	}
	return dsn, dialect, f.check(dialect)
}

// check finds options that do not fit before anything is opened or made.
func (f *schemaFlags) check(dialect schema.Dialect) error {
	if err := schema.Print(io.Discard, dialect, f.options()); err != nil {
		return usage("%v", err)
	}
	return nil
}

// openDatabase connects to a database that may not be a store yet.
func openDatabase(ctx context.Context, dsn dbmail.DSN) (*sql.DB, error) {
	var password string
	if dsn.PasswordFile != "" {
		var err error
		if password, err = daemon.ReadSecret(dsn.PasswordFile); err != nil {
			return nil, badConfig("password of the store: %w", err)
		}
	}
	db, err := dbmail.OpenDB(ctx, dsn, password)
	if err != nil {
		return nil, openFailure(err)
	}
	return db, nil
}

// mustExist refuses an SQLite file that is not there, which opening would make.
func mustExist(dsn dbmail.DSN) error {
	if dsn.Driver != "sqlite" {
		return nil
	}
	if _, err := os.Stat(dsn.Path); err != nil {
		return badConfig("%w; make the store with: gatepost schema apply --store sqlite:%s", err, dsn.Path)
	}
	return nil
}

// printDifferences shows what was found and gives exit status 1 when any of
// it matters.
func (f *schemaFlags) printDifferences(w io.Writer, differences []schema.Difference) error {
	if f.json {
		if differences == nil {
			differences = []schema.Difference{}
		}
		if err := printJSON(w, differences); err != nil {
			return err
		}
	}
	matters := false
	for _, d := range differences {
		matters = matters || d.Severity > schema.Advice
		if !f.json {
			fmt.Fprintln(w, clean(d.String()))
		}
	}
	if matters {
		return failed(exitCheck)
	}
	return nil
}
