//go:build !dmz

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gatepost/schema"
)

func newSchemaDiff(f *schemaFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "diff --store DSN",
		Short: "Compare a store with what schema apply would make; change nothing",
		Long: `Compares a store with what schema apply would make of an empty database, and
changes nothing. With --add-own the gatepost_* tables are compared too.

Exit status: 1 when a difference breaks or degrades something; advice alone is 0.`,
		Args: arguments(0, 0),
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			dsn, dialect, err := f.parse()
			if err != nil {
				return err
			}
			if err := mustExist(dsn); err != nil {
				return err
			}
			db, err := openDatabase(cmd.Context(), dsn)
			if err != nil {
				return err
			}
			defer db.Close()
			differences, err := schema.Diff(cmd.Context(), db, dialect, f.options())
			if err != nil {
				return err
			}
			if len(differences) == 0 && !f.json {
				fmt.Fprintln(cmd.OutOrStdout(), "No differences.")
			}
			return f.printDifferences(cmd.OutOrStdout(), differences)
		}),
	}
}
