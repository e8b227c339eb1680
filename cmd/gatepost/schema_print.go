//go:build !dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/schema"
)

func newSchemaPrint(f *schemaFlags) *cobra.Command {
	var dialect string
	c := &cobra.Command{
		Use:   "print [--dialect mysql|sqlite]",
		Short: "Print the SQL that schema apply would run on an empty database, or a directory's schema",
		Args:  arguments(0, 0),
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			d := schema.Dialect(dialect)
			switch d {
			case "":
				if f.dsn == "" {
					return usage("say which SQL, with --dialect mysql or --dialect sqlite")
				}
				var err error
				if _, d, err = f.parse(); err != nil {
					return err
				}
			case schema.MySQL, schema.SQLite:
				if err := f.check(d); err != nil {
					return err
				}
			default:
				return usage("--dialect %q is not known; want mysql or sqlite", dialect)
			}
			return schema.Print(cmd.OutOrStdout(), d, f.options())
		}),
	}
	c.Flags().StringVar(&dialect, "dialect", "", "mysql (MariaDB too) or sqlite (default that of --store)")
	c.AddCommand(newSchemaPrintLDAP())
	return c
}
