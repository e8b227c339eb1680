//go:build dmz

package main

import (
	"github.com/spf13/cobra"

	"gatepost/internal/directory"
)

const storeHelp = ""

// directoryStore is nothing: the store is not visible from this zone.
type directoryStore struct{}

func (*directoryStore) add(*cobra.Command) {}

func (*directoryStore) given() bool { return false }

func (*directoryStore) directoryFile() (string, error) { return "", nil }

func (*directoryStore) ask(*cobra.Command, *directory.Config, *directoryView) error { return nil }
