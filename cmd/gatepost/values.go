//go:build !dmz

package main

import "gatepost/internal/daemon"

// sizeFlag is a number of bytes on the command line: "10M", "0".
type sizeFlag struct {
	bytes *int64
	set   *bool
}

// Set implements pflag.Value.
func (f sizeFlag) Set(text string) error {
	var size daemon.Size
	if err := size.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	*f.bytes = int64(size)
	if f.set != nil {
		*f.set = true
	}
	return nil
}

// String implements pflag.Value.
func (f sizeFlag) String() string {
	if f.bytes == nil || *f.bytes == 0 {
		return ""
	}
	return daemon.Size(*f.bytes).String()
}

// Type implements pflag.Value.
func (f sizeFlag) Type() string { return "SIZE" }

// plural is "1 message", "2 messages".
func plural(n int, noun string) string { return pluralOf(n, noun, noun+"s") }
