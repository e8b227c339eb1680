//go:build !dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newAliasAdd(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "add ALIAS TARGET",
		Short: "Make an address lead to a user, another alias or an address elsewhere",
		Long: `Makes the address ALIAS (user@domain, @domain for all of a domain, user@ for all
domains) lead to TARGET: a user, another alias, or an address elsewhere. An alias
with several targets is added several times.`,
		Args: arguments(2, 2),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			if _, err := store.AddAlias(cmd.Context(), args[0], args[1]); err != nil {
				return err
			}
			return f.printAliases(cmd, []aliasView{{args[0], args[1]}})
		}),
	}
}
