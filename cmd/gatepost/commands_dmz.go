//go:build dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
)

// storeCommands has nothing of the store, which is not visible from this
// zone: only the directory's schema can be printed.
func storeCommands() []*cobra.Command {
	return []*cobra.Command{group("schema", "Show what a directory has to know",
		group("print", "Print a directory's schema", newSchemaPrintLDAP()))}
}

// addConfig adds nothing: lmtpd's configuration names the store.
func (f *deliverFlags) addConfig(*cobra.Command) {}

// configuredServer is never asked, as there is no --config.
func configuredServer(string) (daemon.Address, error) { return daemon.Address{}, errNoAddress }
