//go:build !dmz

package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
	"gatepost/schema"
)

func newSchemaApply(f *schemaFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "apply --store DSN [--add-own] [--compressed]",
		Short: "Make an empty database a DBMail 3.x store",
		Long: `Makes an empty database a DBMail 3.x store. A database that has DBMail tables is
not changed, except that --add-own adds those of Gatepost's own gatepost_* tables
that are missing; how it differs from a new store is shown.

Exit status: 1 when a difference breaks or degrades something; advice alone is 0.`,
		Args: arguments(0, 0),
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			dsn, dialect, err := f.parse()
			if err != nil {
				return err
			}
			made, differences, err := applySchema(cmd.Context(), dsn, dialect, f.options())
			if err != nil {
				return err
			}
			if !f.json {
				fmt.Fprintln(cmd.OutOrStdout(), applied(made, f.own, len(differences)))
			}
			return f.printDifferences(cmd.OutOrStdout(), differences)
		}),
	}
}

// applied says in a sentence what apply has done.
func applied(made, own bool, differences int) string {
	switch {
	case made:
		return "The tables of a DBMail 3.x store were made."
	case differences == 0 && own:
		return "There is a DBMail store, which was not changed but for gatepost_* tables; it is as it should be."
	case differences == 0:
		return "There is a DBMail store, which was not changed; it is as it should be."
	case own:
		return "There is a DBMail store, which was not changed but for gatepost_* tables; " + plural(differences, "difference") + ":"
	}
	return "There is a DBMail store, which was not changed; " + plural(differences, "difference") + ":"
}

// applySchema makes a store, if there is none, and tells how it differs from
// what it should be.
func applySchema(ctx context.Context, dsn dbmail.DSN, dialect schema.Dialect, o schema.Options) (made bool, differences []schema.Difference, err error) {
	if dialect == schema.SQLite {
		if err := createFile(dsn.Path); err != nil {
			return false, nil, err
		}
	}
	db, err := openDatabase(ctx, dsn)
	if err != nil {
		return false, nil, err
	}
	defer db.Close()
	had, err := schema.HasTables(ctx, db, dialect, o)
	if err != nil {
		return false, nil, err
	}
	differences, err = schema.Apply(ctx, db, dialect, o)
	if err != nil || had {
		return false, differences, err
	}
	return true, differences, nil
}

// createFile makes an SQLite file that only its owner reads: it will hold
// other people's mail. One that is there stays as it is.
func createFile(path string) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return badConfig("make the store: %w", err)
	}
	return file.Close()
}
