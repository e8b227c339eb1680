//go:build !dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newUserShow(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "show NAME",
		Short: "Show a user with its aliases and mailboxes",
		Args:  arguments(1, 1),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			u, err := store.User(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			view, err := f.view(cmd, store, u)
			if err != nil {
				return err
			}
			aliases, err := store.Aliases(cmd.Context(), u.Name)
			if err != nil {
				return err
			}
			for _, a := range aliases {
				view.Aliases = append(view.Aliases, a.Alias)
			}
			if view.Mailboxes, err = store.Mailboxes(cmd.Context(), u.Name); err != nil {
				return err
			}
			return f.printUser(cmd, view)
		}),
	}
}
