package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

const usage = 2 // exit code

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 1 && args[0] == thoughtless {
		fmt.Fprintln(stderr, serveThoughtless(args[1]))
		return 1
	}
	if len(args) > 0 && args[0] == profiled {
		return serveProfiled(args[1:], stderr)
	}
	flags := flag.NewFlagSet("ldapbench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var (
		asJSON   = flags.Bool("json", false, "print JSON instead of tables")
		short    = flags.Bool("short", false, "one round of few look-ups, for a glance")
		rounds   = flags.Int("rounds", 3, "how often each system is measured; the median counts")
		systems  = flags.String("systems", strings.Join(systemNames(), ","), "what to measure")
		loads    = flags.String("loads", loadPostmap+","+loadRCPT, "how to ask")
		sessions = flags.Int("sessions", 50, "SMTP sessions at once")
		keys     = flags.Int("keys", 15_000, "different addresses to look up")
		memory   = flags.Bool("memory", false, "measure ldapmap's memory with a full cache and 1000 connections instead")
		profile  = flags.String("profile", "", "write CPU profiles of ldapmap into this directory, two for each load")
	)
	if err := flags.Parse(args); err != nil {
		return usage
	}
	p := plan{systems: strings.Split(*systems, ","), loads: strings.Split(*loads, ","), rounds: *rounds, sessions: *sessions,
		postmapKeys: *keys, postmapRepeats: 4, rcptKeys: *keys, rcptRepeats: 2}
	if *short {
		p.rounds, p.postmapKeys, p.rcptKeys, p.rcptRepeats = 1, min(*keys, 3000), min(*keys, 2000), 1
	}
	if err := p.check(*keys); err != nil {
		fmt.Fprintln(stderr, "ldapbench:", err)
		return usage
	}
	say := func(format string, args ...any) {
		fmt.Fprintf(stderr, time.Now().Format(time.TimeOnly)+" "+format+"\n", args...)
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	var result printer
	var err error
	switch {
	case *memory:
		var m *memoryReport
		if m, err = measureMemory(say); err == nil {
			result = m
		}
	case *profile != "":
		err = p.profile(*profile, say)
	default:
		result, err = p.run(ctx, say)
	}
	// What was measured before it failed or was interrupted is shown too.
	if result != nil {
		err = errors.Join(err, show(stdout, result, *asJSON))
	}
	if err != nil {
		fmt.Fprintln(stderr, "ldapbench:", err)
		return 1
	}
	return 0
}

// check says what is wrong with the command line.
func (p plan) check(keys int) error {
	for _, list := range []struct {
		what       string
		have, good []string
	}{{"system", p.systems, systemNames()}, {"load", p.loads, []string{loadPostmap, loadRCPT}}} {
		for _, name := range list.have {
			if !slices.Contains(list.good, name) {
				return fmt.Errorf("no %s %q; there are %s", list.what, name, strings.Join(list.good, ", "))
			}
		}
	}
	switch {
	case p.rounds < 1:
		return errors.New("at least one round is needed")
	case p.sessions < 1 || p.sessions > 200:
		return errors.New("want 1 to 200 sessions")
	case keys < p.sessions || keys > maxKeys:
		return fmt.Errorf("want %d to %d keys", p.sessions, maxKeys)
	}
	return nil
}

// printer is a report that people can read; its fields are for programs.
type printer interface{ print(io.Writer) }

func show(w io.Writer, p printer, asJSON bool) error {
	if !asJSON {
		p.print(w)
		return nil
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(p)
}
