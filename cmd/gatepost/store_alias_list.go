//go:build !dmz

package main

import (
	"strconv"

	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newAliasList(f *storeFlags) *cobra.Command {
	return &cobra.Command{
		Use:   "list [USER]",
		Short: "List all aliases, or those of a user",
		Args:  arguments(0, 1),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			var user string
			if len(args) > 0 {
				user = args[0]
			}
			aliases, err := store.Aliases(cmd.Context(), user)
			if err != nil {
				return err
			}
			users, err := store.Users(cmd.Context())
			if err != nil {
				return err
			}
			return f.printAliases(cmd, viewAliases(aliases, users))
		}),
	}
}

// aliasView is an alias with the user's name in place of its number.
type aliasView struct {
	Alias  string `json:"alias"`
	Target string `json:"target"`
}

func viewAliases(aliases []dbmail.Alias, users []dbmail.User) []aliasView {
	names := map[string]string{}
	for _, u := range users {
		names[strconv.FormatUint(u.ID, 10)] = u.Name
	}
	views := []aliasView{}
	for _, a := range aliases {
		target := a.DeliverTo
		if name, ok := names[target]; ok {
			target = name
		}
		views = append(views, aliasView{a.Alias, target})
	}
	return views
}

func (f *storeFlags) printAliases(cmd *cobra.Command, views []aliasView) error {
	if f.json {
		return printJSON(cmd.OutOrStdout(), views)
	}
	var rows [][]string
	for _, v := range views {
		rows = append(rows, []string{v.Alias, "→", v.Target})
	}
	return printTable(cmd.OutOrStdout(), rows...)
}
