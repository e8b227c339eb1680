//go:build !dmz

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newUserList(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all users but DBMail's internal ones",
		Args:  arguments(0, 0),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, _ []string) error {
			users, err := store.Users(cmd.Context())
			if err != nil {
				return err
			}
			entries, err := store.Entries(cmd.Context())
			if err != nil {
				return err
			}
			views := []userView{}
			rows := [][]string{{"ID", "USER", "STATUS", "QUOTA", "USED", "DIRECTORY"}}
			for _, u := range users {
				v := viewUser(u, entries)
				views = append(views, v)
				rows = append(rows, []string{fmt.Sprint(v.ID), v.Name, v.active(), v.quota(), size(v.Used), v.entry()})
			}
			if f.json {
				return printJSON(cmd.OutOrStdout(), views)
			}
			return printTable(cmd.OutOrStdout(), rows...)
		}),
	}
}
