package main

import (
	"slices"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// system is something that takes deliveries.
type system struct {
	name string
	// run measures a cell. what names how the system worked, if it can work
	// in several ways.
	run func(c cell, p pace) (m measurement, what string, err error)
}

// Names of the systems.
const (
	gatepostMariaDB = "gatepost"
	gatepostSQLite  = "gatepost-sqlite"
	bareMariaDB     = "bare"
	bareSQLite      = "bare-sqlite"
	dovecotMaildir  = "dovecot"
)

func systemNames() []string {
	return []string{gatepostMariaDB, bareMariaDB, dovecotMaildir, gatepostSQLite, bareSQLite}
}

// bench is a run: what all systems share.
type bench struct {
	load    *load
	pace    pace
	server  *testbed.MariaDBServer // nil when no system needs it
	program []string               // how lmtpd is started
	say     func(format string, args ...any)
}

// start makes a system ready, with an empty store, for cells that have size
// and recipients of c in common.
func (b *bench) start(t testing.TB, name string, c cell) system {
	t.Helper()
	switch name {
	case gatepostMariaDB:
		_, addr := startLmtpd(t, newStore(t, b.server), b.program[0], b.program[1:]...)
		return b.lmtp(name, addr)
	case gatepostSQLite:
		_, addr := startLmtpd(t, newStore(t, nil), b.program[0], b.program[1:]...)
		return b.lmtp(name, addr)
	case dovecotMaildir:
		return b.lmtp(name, testbed.Dovecot(t).LMTPAddr())
	case bareMariaDB:
		return b.bare(t, name, newStore(t, b.server), c, []int{1, 2})
	default:
		return b.bare(t, name, newStore(t, nil), c, []int{1}) // SQLite has one writer
	}
}

func (b *bench) lmtp(name, addr string) system {
	return system{name, func(c cell, p pace) (measurement, string, error) {
		m, err := b.load.run(addr, c, p)
		return m, "", err
	}}
}

// bare prepares the loop and finds the grouping that is best for these
// messages. With one session there is nothing to group: it commits each
// message by itself.
func (b *bench) bare(t testing.TB, name, dsn string, c cell, writers []int) system {
	t.Helper()
	// 200 MB of messages, 16,000 at most.
	supply, err := b.load.newSupply(c, max(200, min(16000, 200<<20/c.Size)))
	if err != nil {
		t.Fatal(err)
	}
	loop := newBare(t, dsn, supply)
	var best grouping
	var most float64
	for _, g := range groupings(writers) {
		m, err := loop.run(g, c.Recipients, pace{b.pace.warm / 4, max(b.pace.measure/4, time.Second/2)})
		if err != nil {
			t.Fatal(err)
		}
		b.say("%s %v: %.0f msg/s", name, g, m.Messages)
		if m.Messages > most {
			best, most = g, m.Messages
		}
	}
	return system{name, func(c cell, p pace) (measurement, string, error) {
		g := best
		if c.Sessions == 1 {
			g = grouping{1, 1}
		}
		m, err := loop.run(g, c.Recipients, p)
		return m, g.String(), err
	}}
}

func groupings(writers []int) (out []grouping) {
	for _, w := range writers {
		for _, n := range []int{1, 4, 16, 32, 64} {
			out = append(out, grouping{n, w})
		}
	}
	return out
}

// needsMariaDB says whether one of the systems does.
func needsMariaDB(names []string) bool {
	return slices.Contains(names, gatepostMariaDB) || slices.Contains(names, bareMariaDB)
}
