package main

import (
	"context"
	"net"
	"strconv"
	"syscall"
	"testing"
	"time"

	"gatepost/test/rig"
)

// Loads, and what is known when they begin.
const (
	loadPostmap = "postmap"
	loadRCPT    = "rcpt"
	cold        = "cold"
	warm        = "warm"
)

// plan is what to measure: every system under every load.
type plan struct {
	systems, loads []string
	rounds         int
	postmapKeys    int
	postmapRepeats int // of the keys, when warm
	rcptKeys       int
	rcptRepeats    int
	sessions       int
}

// cell is one kind of measurement.
type cell struct {
	Load  string `json:"load"`
	Cache string `json:"cache"`
}

// figures are what came of one measurement, or the medians of several.
type figures struct {
	Rate float64       `json:"lookups_per_second"`
	P50  time.Duration `json:"p50_ns,omitempty"` // of a RCPT command
	P99  time.Duration `json:"p99_ns,omitempty"`
	// CPU is the processor time of all processes but the prober, for each
	// look-up; Slapd and Daemon are parts of it.
	CPU         time.Duration `json:"cpu_ns_per_lookup"`
	Slapd       time.Duration `json:"slapd_cpu_ns_per_lookup"`
	Daemon      time.Duration `json:"daemon_cpu_ns_per_lookup"`
	Connections int           `json:"ldap_connections"` // at slapd, at most

	lookups   int
	clientCPU time.Duration
}

// result is one line of the table.
type result struct {
	cell
	System string `json:"system"`
	figures
}

// run measures. In each round all systems follow each other, each time another
// first, so that a machine that changes its speed does so for all.
func (p plan) run(ctx context.Context, say func(string, ...any)) (*report, error) {
	r := &report{Machine: thisMachine(), Sessions: p.sessions}
	err := rig.Within(func(t testing.TB) {
		b := &bench{slapd: startSlapd(t), program: []string{buildLDAPMap(t)}, say: say}
		b.tables = writeTables(t, b.slapd.URI())
		p.measureAll(ctx, t, b, r)
	})
	r.summarise(p)
	return r, err
}

func (p plan) measureAll(ctx context.Context, t testing.TB, b *bench, r *report) {
	for round := range p.rounds {
		for _, load := range p.loads {
			var results []result
			for i := range p.systems {
				if ctx.Err() != nil {
					t.Fatal("interrupted")
				}
				system := p.systems[(i+round*2)%len(p.systems)]
				err := rig.Within(func(t testing.TB) { results = append(results, p.measure(t, b, system, load)...) })
				if err != nil {
					t.Fatalf("%s, %s: %v", load, system, err)
				}
			}
			r.Rounds = append(r.Rounds, results)
		}
	}
}

// measure starts a system and puts it under a load, first cold, then warm.
func (p plan) measure(t testing.TB, b *bench, system, load string) []result {
	s := b.start(t, system)
	var run func(times int) (figures, error)
	repeats := p.rcptRepeats
	switch load {
	case loadPostmap:
		repeats = p.postmapRepeats
		l := newPostmapLoad(t, p.postmapKeys)
		run = func(times int) (figures, error) { return l.run(s, times) }
	default:
		l := &rcptLoad{sessions: p.sessions, keys: makeKeys(p.rcptKeys)}
		probers, hangUp, err := l.open(s.postfix.SMTPAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer hangUp()
		run = func(times int) (figures, error) { return l.run(probers, times) }
	}
	var results []result
	for _, cache := range []string{cold, warm} {
		times := 1
		if cache == warm {
			times = repeats
		}
		s.profile()
		m, err := s.measured(func() (figures, error) { return run(times) })
		if err != nil {
			t.Fatalf("%s: %v\n%s", cache, err, tail(s.postfix.Log()))
		}
		results = append(results, result{cell{load, cache}, system, m})
		b.say("%s %s %s: %.0f/s, p50 %s ms, p99 %s ms, CPU %d µs (slapd %d, daemon %d), %d LDAP connections", load, cache, system, m.Rate,
			known(m.P50), known(m.P99), m.CPU.Microseconds(), m.Slapd.Microseconds(), m.Daemon.Microseconds(), m.Connections)
	}
	return results
}

// measured runs a load and notes what it cost.
func (s *site) measured(run func() (figures, error)) (figures, error) {
	_, text, err := net.SplitHostPort(s.bench.slapd.Addr())
	if err != nil {
		return figures{}, err
	}
	port, err := strconv.Atoi(text)
	if err != nil {
		return figures{}, err
	}
	before, err := s.cpu()
	if err != nil {
		return figures{}, err
	}
	stop := watchConnections(port)
	m, err := run()
	m.Connections = stop()
	if err != nil {
		return m, err
	}
	after, err := s.cpu()
	each := time.Duration(m.lookups)
	m.Slapd, m.Daemon = (after.slapd-before.slapd)/each, (after.daemon-before.daemon)/each
	m.CPU = m.Slapd + m.Daemon + (after.postfix-before.postfix+m.clientCPU)/each
	return m, err
}

// profile has a daemon that profiles itself begin its next profile.
func (s *site) profile() {
	if ours(s.system) && len(s.bench.program) > 1 {
		_ = s.daemon.Signal(syscall.SIGUSR1)
	}
}

// tail is the end of a log.
func tail(log string) string { return log[max(0, len(log)-2000):] }
