//go:build !dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newUserAdopt(f *storeFlags) *cobra.Command {
	var id uint64
	var uuid string
	c := &cobra.Command{
		Use:   "adopt NAME [--uuid UUID] [--id NUMBER]",
		Short: "Say which entry of the directory a user belongs to from now on",
		Long: `Says that the mailboxes of the user NAME (a login or a number) belong to the entry of
the directory whose entryUUID is UUID. What was noted before is forgotten. Without
--uuid the next delivery notes the entry that has the user's login and number then.
With --id the user gets another number as well, which is uidNumber in the directory.

An entry that is noted for another user is refused: one entry has one mailbox.

  the person's entry was made anew                   adopt lena
  the same, with another login                       adopt lena --uuid UUID
  the same, with another uidNumber                   adopt lena --id 20001
  login and number are somebody else's now           do not adopt: rename lena lena.old --id 99001`,
		Args: arguments(1, 1),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			u, err := store.AdoptUser(cmd.Context(), args[0], uuid, id)
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
	c.Flags().StringVar(&uuid, "uuid", "", "`UUID` of the entry (default whoever comes next)")
	c.Flags().Uint64Var(&id, "id", 0, "the user's new `NUMBER` (default the one that it has)")
	return c
}
