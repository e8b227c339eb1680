//go:build !dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newUserAdd(f *storeFlags) *cobra.Command {
	var quota int64
	var aliases []string
	c := &cobra.Command{
		Use:   "add NAME [--alias ADDR]... [--quota SIZE]",
		Short: "Add a user of the store's own, who cannot log in until a password is set",
		Args:  arguments(1, 1),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			u, err := store.AddUser(cmd.Context(), args[0], quota, aliases)
			if err != nil {
				return err
			}
			view := viewUser(u, nil)
			view.Aliases = aliases
			return f.printUser(cmd, view)
		}),
	}
	c.Flags().StringArrayVar(&aliases, "alias", nil, "`ADDR` of the user, repeatable: user@domain, @domain or user@")
	c.Flags().Var(sizeFlag{bytes: &quota}, "quota", "limit in bytes, or with K, M, G, T; 0 is none (default none)")
	return c
}
