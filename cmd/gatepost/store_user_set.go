//go:build !dmz

package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"gatepost/internal/dbmail"
)

func newUserSet(f *storeFlags) *cobra.Command {
	var quota int64
	var quotaSet bool
	var active activeFlag
	c := &cobra.Command{
		Use:   "set NAME [--quota SIZE] [--active true|false]",
		Short: "Change a user's quota, or whether it receives mail",
		Args:  arguments(1, 1),
		RunE: f.with(func(cmd *cobra.Command, store *dbmail.Store, args []string) error {
			change := dbmail.UserChange{Active: active.value}
			if quotaSet {
				change.Quota = &quota
			}
			if change.Active == nil && change.Quota == nil {
				return usage("say what to change, with --quota or --active")
			}
			u, err := store.SetUser(cmd.Context(), args[0], change)
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
	c.Flags().Var(sizeFlag{&quota, &quotaSet}, "quota", "limit in bytes, or with K, M, G, T; 0 is none")
	c.Flags().Var(&active, "active", "an inactive user receives no mail and cannot log in")
	return c
}

// activeFlag is a boolean that must be given a value: --active alone would
// read as a question.
type activeFlag struct{ value *bool }

// Set implements pflag.Value.
func (f *activeFlag) Set(text string) error {
	v := text == "true"
	if !v && text != "false" {
		return fmt.Errorf("want true or false")
	}
	f.value = &v
	return nil
}

// String implements pflag.Value.
func (f *activeFlag) String() string {
	if f.value == nil {
		return ""
	}
	return fmt.Sprint(*f.value)
}

// Type implements pflag.Value.
func (f *activeFlag) Type() string { return "true|false" }
