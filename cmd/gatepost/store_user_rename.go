//go:build !dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newUserRename(f *storeFlags) *cobra.Command {
	var id uint64
	c := &cobra.Command{
		Use:   "rename OLD NEW [--id NUMBER]",
		Short: "Give a user the login or the number that the directory has for it now",
		Long: `Gives the user OLD (a login or a number) the login NEW. The mailboxes stay with it,
and so do its aliases and the entry of the directory that was noted. With --id it
gets another number as well, which is uidNumber in the directory; NEW may be OLD then.

A login or number that another user has is refused: two mailboxes are never made
one. Free it first, by giving that user another one.

  the person was renamed            rename lena lena.new
  the person's uidNumber changed    rename lena lena --id 20001
  the login is somebody else's now  rename lena lena.old
  the number is somebody else's now rename lena lena --id 99001

A message whose delivery to this user is repeated after its number was changed, because
the answer was lost, arrives twice.`,
		Args: arguments(2, 2),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			u, err := store.RenameUser(cmd.Context(), args[0], args[1], id)
			if err != nil {
				return err
			}
			view, err := f.view(cmd, store, u)
			if err != nil {
				return err
			}
			return f.printUser(cmd, view)
		}),
	}
	c.Flags().Uint64Var(&id, "id", 0, "the user's new `NUMBER` (default the one that it has)")
	return c
}
