package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"gatepost/cmd/gatepost/postconf"
)

func newLdapmapImport() *cobra.Command {
	var socket string
	var json bool
	c := &cobra.Command{
		Use:   "import [main.cf]",
		Short: "Show what to change so that Postfix asks ldapmap instead of ldap: tables",
		Long: `Reads Postfix's configuration with postconf(1), main.cf and master.cf, and finds
every ldap: and proxy:ldap: table in it. Prints the ldapmap.toml for them and
the lines of main.cf that change, in two forms:

  socketmap:…:NAME                            the table's class tries the keys
  unionmap:{inline:{…},socketmap:…:NAME}      Postfix tries them, class exact

The first costs one round trip a look-up, the second is for places that no
class knows. Also says which tables have to stay, and why. Nothing is changed.

Exit status: 0 good, 1 ldapmap refuses one of the tables, 78 no configuration
of Postfix can be read.`,
		Args: arguments(0, 1),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			dir, err := postfixDir(args)
			if err != nil {
				return err
			}
			program, err := findPostfix("postconf")
			if err != nil {
				return err
			}
			plan, err := newImportPlan(cmd.Context(), program, dir, socket)
			if err != nil {
				return badConfig("%w", err)
			}
			if json {
				err = printJSON(cmd.OutOrStdout(), plan)
			} else {
				err = plan.print(cmd.OutOrStdout())
			}
			if err == nil && plan.refused() {
				return failed(exitCheck)
			}
			return err
		}),
	}
	c.Flags().StringVar(&socket, "socket", "unix:gatepost/ldapmap", "where Postfix finds gatepost-ldapmap, an `ADDR` of socketmap_table(5); a path without /\nat its beginning is below Postfix's queue directory, in a chroot too")
	c.Flags().BoolVar(&json, "json", false, "print JSON")
	return c
}

// postfixDir is the directory of the main.cf that is named, or of Postfix's
// own if none is.
func postfixDir(args []string) (string, error) {
	if len(args) == 0 {
		return "", nil
	}
	info, err := os.Stat(args[0])
	switch {
	case err != nil:
		return "", badConfig("%w", err)
	case info.IsDir():
		return args[0], nil
	case filepath.Base(args[0]) != "main.cf":
		return "", usage("%s: postconf reads main.cf and master.cf of one directory; name main.cf or the directory", args[0])
	}
	return filepath.Dir(args[0]), nil
}

// placeName is how a place is called in what we print.
func placeName(p *postconf.Place) string {
	name := p.Parameter
	if p.Service != "" {
		name = fmt.Sprintf("%s in %s of master.cf", name, p.Service)
	}
	if p.Check != "" {
		name += ", " + p.Check
	}
	return name
}
