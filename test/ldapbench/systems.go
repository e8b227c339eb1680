package main

import (
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/test/rig"
)

// Names of the systems.
const (
	byLDAP   = "ldap"
	byProxy  = "proxy"
	gatepost = "gatepost"
	byUnion  = "gatepost-union"
	byMemory = "memory"
)

func systemNames() []string { return []string{byLDAP, byProxy, gatepost, byUnion, byMemory} }

// site is a system that has been started: a Postfix that uses the table in one
// way, and the server behind it, if there is one.
type site struct {
	system  string
	postfix *testbed.PostfixServer
	// exact is the table for postmap, which asks for the key that it is
	// given; relay is the one for relay_recipient_maps.
	exact, relay string
	daemon       *rig.Process // nil: Postfix asks slapd itself
	bench        *bench
}

// bench is what all systems share.
type bench struct {
	slapd   *testbed.SlapdServer
	tables  string   // directory
	program []string // how ldapmap is started
	say     func(format string, args ...any)
}

// start starts a system afresh: nothing is remembered, nothing is connected.
func (b *bench) start(t testing.TB, system string) *site {
	t.Helper()
	s := &site{system: system, bench: b}
	file := func(table string) string { return "ldap:" + filepath.Join(b.tables, table+".cf") }
	var socket string
	switch system {
	case byLDAP:
		s.exact, s.relay = file(exactTable), file(exactTable)
	case byProxy:
		s.exact, s.relay = "proxy:"+file(exactTable), "proxy:"+file(exactTable)
	case gatepost:
		s.daemon, socket = startLDAPMap(t, b.tables, b.program)
		s.exact, s.relay = socketmap(socket, exactTable), socketmap(socket, relayTable)
	case byUnion:
		s.daemon, socket = startLDAPMap(t, b.tables, b.program)
		s.exact = union(socketmap(socket, exactTable))
		s.relay = s.exact
	default:
		s.daemon, socket = startThoughtless(t)
		s.exact = socketmap(socket, exactTable)
		s.relay = s.exact
	}
	s.postfix = testbed.Postfix(t, testbed.PostfixOptions{Main: map[string]string{
		"relay_domains":        "example.com",
		"relay_recipient_maps": s.relay,
		// The probers' first recipient is of no table.
		"default_transport": "discard:",
		// An aborted transaction would stop each session for a second.
		"in_flow_delay": "0",
		// So would recipients that there are not.
		"smtpd_error_sleep_time":   "0",
		"smtpd_soft_error_limit":   "1000000",
		"smtpd_hard_error_limit":   "1000000",
		"smtpd_junk_command_limit": "1000000",
		"default_process_limit":    "300",
	}})
	return s
}

// spent is processor time that was used so far.
type spent struct{ slapd, daemon, postfix time.Duration }

// cpu reads the processor time of the system: slapd's, that of our server, if
// there is one, and Postfix's.
func (s *site) cpu() (used spent, err error) {
	if used.slapd, err = rig.CPUOf(s.bench.slapd.Pid()); err != nil {
		return used, err
	}
	if s.daemon != nil {
		if used.daemon, err = rig.CPUOf(s.daemon.Pid()); err != nil {
			return used, err
		}
	}
	used.postfix, err = rig.CPUOf(s.postfix.Pid())
	return used, err
}

// ours says whether a system is Gatepost.
func ours(system string) bool { return slices.Contains([]string{gatepost, byUnion}, system) }
