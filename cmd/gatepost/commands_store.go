//go:build !dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/lmtpd"
)

// storeCommands are those that need the store.
func storeCommands() []*cobra.Command {
	return []*cobra.Command{newSchema(), newStore(), newLmtpd(), newDemo()}
}

// addConfig adds --config, which tells the server's address.
func (f *deliverFlags) addConfig(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "lmtpd.toml `FILE` that tells the server's address")
	c.MarkFlagsMutuallyExclusive("lmtp", "config")
}

// configuredServer is the first address of a configuration that can be
// connected to.
func configuredServer(file string) (daemon.Address, error) {
	c, problems := lmtpd.LoadConfig(file)
	if err := problems.Err(); err != nil {
		return daemon.Address{}, badConfig("%w", err)
	}
	for _, text := range c.Addresses(nil) {
		if a, err := daemon.ParseAddress(text); err == nil && a.Network != "systemd" && a.Port != "0" {
			return a, nil
		}
	}
	return daemon.Address{}, badConfig("%s: %w", file, errNoAddress)
}
