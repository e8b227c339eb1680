package main

import (
	"bytes"
	"slices"
	"testing"
)

func TestKeysAreTheSameEachTime(t *testing.T) {
	if !slices.Equal(makeKeys(1000), makeKeys(1000)) {
		t.Error("two runs ask for different keys")
	}
}

func TestKeysAreWhatTheDirectoryHolds(t *testing.T) {
	known := answers()
	for _, n := range []int{1, 100, 15_000, maxKeys} {
		seen := map[string]bool{}
		found, alternate, team := 0, 0, 0
		for _, k := range makeKeys(n) {
			if seen[k.address] {
				t.Fatalf("%s comes twice", k.address)
			}
			seen[k.address] = true
			if known[k.address] != k.found {
				t.Fatalf("%s: %q is to be found, %q is there", k.address, k.found, known[k.address])
			}
			switch {
			case k.found == "":
				continue
			case k.found != k.address:
				alternate++
			case k.address[0] == 't':
				team++
			}
			found++
		}
		if len(seen) != n || found != (n+1)/2 {
			t.Errorf("%d keys, %d to be found", len(seen), found)
		}
		if n >= 100 && (team == 0 || alternate < found/5 || alternate > found/3) {
			t.Errorf("of %d keys %d are alternate addresses, %d of groups", n, alternate, team)
		}
	}
}

func TestDirectoryHasTwentyThousandEntries(t *testing.T) {
	text := ldif()
	if n := bytes.Count(text, []byte("dn: ")); n != 20_000 {
		t.Errorf("%d entries", n)
	}
	if n := bytes.Count(text, []byte("\nmember: ")); n != groups*members {
		t.Errorf("%d members", n)
	}
}
