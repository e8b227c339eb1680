//go:build !dmz

package main

import (
	"bufio"
	"strconv"

	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newStoreCat(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "cat MESSAGE_IDNR",
		Short: "Write the exact bytes of a message to standard output",
		Long: `Writes the exact bytes of a message, lines ended by CRLF, as IMAP would give them:
with the Return-Path line of its delivery in front.`,
		Args: arguments(1, 1),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			id, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return usage("%q is no message_idnr; want a number, as store ls shows it", args[0])
			}
			out := bufio.NewWriter(cmd.OutOrStdout())
			if err := store.WriteMessage(cmd.Context(), out, id); err != nil {
				return err
			}
			return out.Flush()
		}),
	}
}
