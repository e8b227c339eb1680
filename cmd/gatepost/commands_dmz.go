//go:build dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
)

// storeCommands is empty: the store is not visible from this zone.
func storeCommands() []*cobra.Command { return nil }

// addConfig adds nothing: lmtpd's configuration names the store.
func (f *deliverFlags) addConfig(*cobra.Command) {}

// configuredServer is never asked, as there is no --config.
func configuredServer(string) (daemon.Address, error) { return daemon.Address{}, errNoAddress }
