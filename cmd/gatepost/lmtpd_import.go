//go:build !dmz

package main

import (
	"path/filepath"

	"github.com/spf13/cobra"

	"gatepost/cmd/gatepost/dbmailconf"
)

// newLmtpd are the commands about gatepost-lmtpd.
func newLmtpd() *cobra.Command {
	return group("lmtpd", "Move a DBMail's delivery to gatepost-lmtpd", newLmtpdImport())
}

func newLmtpdImport() *cobra.Command {
	var out string
	var force, json bool
	c := &cobra.Command{
		Use:   "import [dbmail.conf]",
		Short: "Make lmtpd.toml and directory.toml of a DBMail's configuration",
		Long: `Reads dbmail.conf (default: /etc/dbmail.conf) as DBMail does and makes the
lmtpd.toml for the same store and, with authdriver ldap, the directory.toml.
Lists what gatepost-lmtpd does otherwise, and which keys have no counterpart.

Without --out the files are printed and nothing is written. Passwords go into
files of their own, db.password and directory.password, with mode 0600; they
are never printed. What is there already is not overwritten without --force.

Exit status: 0 good, 1 a file cannot be written, 78 dbmail.conf is wrong or
names a store that Gatepost does not have (PostgreSQL, Oracle).`,
		Args: arguments(0, 1),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			path := "/etc/dbmail.conf"
			if len(args) > 0 {
				path = args[0]
			}
			conf, problems := dbmailconf.Read(path)
			if err := problems.Err(); err != nil {
				return badConfig("%w", err)
			}
			dir := "/etc/gatepost"
			if out != "" {
				var err error
				if dir, err = filepath.Abs(out); err != nil {
					return err
				}
			}
			plan, err := newLmtpdImportPlan(conf, dir)
			if err != nil {
				return badConfig("%w", err)
			}
			if out != "" {
				if err := plan.write(force); err != nil {
					return err
				}
			}
			if json {
				return printJSON(cmd.OutOrStdout(), plan)
			}
			return plan.print(cmd.OutOrStdout())
		}),
	}
	c.Flags().StringVar(&out, "out", "", "write the files into `DIR`, which is made if need be")
	c.Flags().BoolVar(&force, "force", false, "overwrite files that are there")
	c.Flags().BoolVar(&json, "json", false, "print JSON")
	return c
}
