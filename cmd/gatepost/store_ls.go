//go:build !dmz

package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newStoreLs(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "ls USER [MAILBOX]",
		Short: "List a user's messages, of all mailboxes or one",
		Args:  arguments(1, 2),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			var mailbox string
			if len(args) == 2 {
				mailbox = args[1]
			}
			list, err := store.List(cmd.Context(), args[0], mailbox)
			if err != nil {
				return err
			}
			if len(list) == 0 && mailbox != "" {
				if err := mustHaveMailbox(cmd, store, args[0], mailbox); err != nil {
					return err
				}
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), list)
			}
			rows := [][]string{{"MESSAGE", "MAILBOX", "SIZE", "DATE", "SUBJECT"}}
			for _, m := range list {
				rows = append(rows, []string{fmt.Sprint(m.MessageIDnr), m.Mailbox, size(m.Size), m.InternalDate, m.Subject})
			}
			return printTable(cmd.OutOrStdout(), rows...)
		}),
	}
}

// mustHaveMailbox tells an empty mailbox from one that is not there.
func mustHaveMailbox(cmd *cobra.Command, store *dbmail.Store, user, mailbox string) error {
	boxes, err := store.Mailboxes(cmd.Context(), user)
	if err != nil {
		return err
	}
	for _, b := range boxes {
		if strings.EqualFold(b.Name, mailbox) {
			return nil
		}
	}
	return fmt.Errorf("mailbox %q of user %q: %w", mailbox, user, dbmail.ErrNotFound)
}
