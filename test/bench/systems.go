package main

import (
	"errors"
	"math"
	"slices"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/test/rig"
)

// system is something that takes deliveries.
type system struct {
	name string
	// crowd says that there is no sense in it with one session.
	crowd bool
	// run measures a cell. what names how the system worked, if it can work
	// in several ways.
	run func(c cell, p pace) (m measurement, what string, err error)
	// cpu is the processor time that was used for it so far.
	cpu func() (time.Duration, error)
	// addr is where it listens, if it does.
	addr string
}

// Names of the systems.
const (
	gatepostMariaDB = "gatepost"
	gatepostLDAP    = "gatepost-ldap" // measured in pairs with gatepost
	gatepostSQLite  = "gatepost-sqlite"
	bareMariaDB     = "bare"
	bareSQLite      = "bare-sqlite"
	best            = "-best" // after the name of a bare loop
	dovecotMaildir  = "dovecot"
)

func systemNames() []string {
	return []string{gatepostMariaDB, bareMariaDB, dovecotMaildir, gatepostSQLite, bareSQLite, gatepostLDAP}
}

// bench is a run: what all systems share.
type bench struct {
	load    *load
	pace    pace
	server  *testbed.MariaDBServer // nil when no system needs it
	slapd   *testbed.SlapdServer   // likewise
	program []string               // how lmtpd is started
	say     func(format string, args ...any)
}

// start makes a system ready, with an empty store, for cells that have size
// and recipients of c in common. A bare loop is two systems.
func (b *bench) start(t testing.TB, name string, c cell) []system {
	t.Helper()
	server := b.server
	if name == gatepostSQLite || name == bareSQLite {
		server = nil
	}
	switch name {
	case dovecotMaildir:
		d := testbed.Dovecot(t)
		return b.lmtp(name, d.LMTPAddr(), d.Pid())
	case gatepostMariaDB, gatepostSQLite:
		d, addr := startLmtpd(t, newStore(t, server), b.program[0], b.program[1:]...)
		return b.lmtp(name, addr, append(pids(server), d.Pid())...)
	case gatepostLDAP:
		dsn, _ := emptyStore(t, server)
		d, addr := b.startWithDirectory(t, dsn)
		return b.lmtp(name, addr, append(pids(server), d.Pid(), b.slapd.Pid())...)
	}
	return b.bare(t, name, newStore(t, server), c, pids(server))
}

// pids is the server's process, if there is one.
func pids(server *testbed.MariaDBServer) []int {
	if server == nil {
		return nil
	}
	return []int{server.Pid()}
}

func (b *bench) lmtp(name, addr string, leaders ...int) []system {
	return []system{{
		name: name,
		addr: addr,
		cpu:  func() (time.Duration, error) { return rig.CPUOf(leaders...) },
		run: func(c cell, p pace) (measurement, string, error) {
			m, err := b.load.run(addr, c, p)
			return m, "", err
		},
	}}
}

// bare prepares the loop and tries all groupings. A cell with N sessions never
// has more than N messages under way, so the loop that it is compared with has
// not either; best is without that bound.
func (b *bench) bare(t testing.TB, name, dsn string, c cell, leaders []int) []system {
	t.Helper()
	// 200 MB of messages, 16,000 at most.
	supply, err := b.load.newSupply(c, max(200, min(16000, 200<<20/c.Size)))
	if err != nil {
		t.Fatal(err)
	}
	loop := newBare(t, dsn, supply)
	rates := map[grouping]float64{}
	for _, g := range groupings(name) {
		m, err := loop.run(g, c.Recipients, pace{b.pace.warm / 4, max(b.pace.measure/4, time.Second/2)})
		if err != nil {
			t.Fatal(err)
		}
		b.say("%s %v: %.0f msg/s", name, g, m.Messages)
		rates[g] = m.Messages
	}
	run := func(c cell, p pace, most int) (measurement, string, error) {
		g := fastest(rates, most)
		m, err := loop.run(g, c.Recipients, p)
		return m, g.String(), err
	}
	cpu := func() (time.Duration, error) { // the loop itself counts too
		own, err1 := rig.OwnCPU()
		others, err2 := rig.CPUOf(leaders...)
		return own + others, errors.Join(err1, err2)
	}
	return []system{
		{name: name, cpu: cpu, run: func(c cell, p pace) (measurement, string, error) { return run(c, p, c.Sessions) }},
		{name: name + best, crowd: true, cpu: cpu, run: func(c cell, p pace) (measurement, string, error) { return run(c, p, math.MaxInt) }},
	}
}

// groupings are what is tried for a system.
func groupings(name string) (out []grouping) {
	for _, writers := range []int{1, 2} {
		if writers > 1 && name == bareSQLite {
			break // SQLite has one writer
		}
		for _, n := range []int{1, 4, 8, 16, 32, 64} {
			out = append(out, grouping{n, writers})
		}
	}
	return out
}

// fastest is the best grouping with so many messages under way at most.
func fastest(rates map[grouping]float64, most int) (found grouping) {
	for g, rate := range rates {
		if g.Group*g.Writers <= most && rate > rates[found] {
			found = g
		}
	}
	return found
}

// needsMariaDB says whether one of the systems does.
func needsMariaDB(names []string) bool {
	return slices.ContainsFunc(names, func(name string) bool { return name == gatepostMariaDB || name == gatepostLDAP || name == bareMariaDB })
}
