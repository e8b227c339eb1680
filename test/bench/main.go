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
	"strconv"
	"strings"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

const usage = 2 // exit code

func run(args []string, stdout, stderr io.Writer) int {
	if len(args) > 0 && args[0] == profiled {
		return serveProfiled(args[1:], stderr)
	}
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var (
		asJSON     = flags.Bool("json", false, "print JSON instead of tables")
		short      = flags.Bool("short", false, "cells of one second, for a glance")
		duration   = flags.Duration("time", 5*time.Second, "time of a cell, after a fifth of it to warm up")
		systems    = flags.String("systems", strings.Join(systemNames(), ","), "what to measure")
		sizes      = flags.String("sizes", "4k,100k", "sizes of messages")
		sessions   = flags.String("sessions", "1,8,32", "numbers of sessions")
		recipients = flags.String("recipients", "1,10", "numbers of recipients, 200 at most")
		memory     = flags.Bool("memory", false, "measure lmtpd's memory under messages of 100 MB instead")
		profile    = flags.String("profile", "", "write CPU profiles of lmtpd into this directory, one for each cell")
	)
	if err := flags.Parse(args); err != nil {
		return usage
	}
	p := plan{systems: strings.Split(*systems, ","), pace: pace{*duration / 5, *duration}}
	if *short {
		p.pace = pace{time.Second / 4, time.Second}
	}
	for _, s := range p.systems {
		if !slices.Contains(systemNames(), s) {
			fmt.Fprintf(stderr, "bench: no system %q; there are %s\n", s, strings.Join(systemNames(), ", "))
			return usage
		}
	}
	for _, list := range []struct {
		text string
		into *[]int
		most int
	}{{*sizes, &p.sizes, 64 << 20}, {*sessions, &p.sessions, 150}, {*recipients, &p.recipients, users}} {
		var err error
		if *list.into, err = numbers(list.text, list.most); err != nil {
			fmt.Fprintln(stderr, "bench:", err)
			return usage
		}
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
		fmt.Fprintln(stderr, "bench:", err)
		return 1
	}
	return 0
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

// numbers reads "4k,100k": positive, most at most.
func numbers(text string, most int) ([]int, error) {
	var out []int
	for word := range strings.SplitSeq(text, ",") {
		digits, unit := strings.CutSuffix(word, "k")
		n, err := strconv.Atoi(digits)
		if unit {
			n <<= 10
		}
		if err != nil || n <= 0 || n > most {
			return nil, fmt.Errorf("%q: want numbers from 1 to %d, such as 8 or 4k, with commas between", text, most)
		}
		out = append(out, n)
	}
	return out, nil
}
