package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/ldapmap"
)

// comparison is what lookup --compare finds, as JSON.
type comparison struct {
	Keys        int          `json:"keys"`
	Found       int          `json:"found"`     // by both, the same
	NotFound    int          `json:"not_found"` // by both
	Untold      int          `json:"cannot_tell"`
	Differences []difference `json:"differences"`
}

// difference is a key to which the two answer otherwise.
type difference struct {
	Key      string        `json:"key"`
	Postfix  ldapmap.Reply `json:"postfix"`
	Gatepost ldapmap.Reply `json:"gatepost"`
	Why      string        `json:"why,omitempty"` // of the one that cannot tell
}

// compareWorkers bounds how many look-ups are under way: a postmap that cannot
// tell takes a second to say so.
const compareWorkers = 8

func (f *lookupFlags) runCompare(cmd *cobra.Command, table string) error {
	keys, err := readKeys(cmd.InOrStdin())
	if err != nil {
		return err
	}
	theirs, err := newPostmap(f.compare)
	if err != nil {
		return err
	}
	m, done, err := f.open(cmd, table)
	if err != nil {
		return err
	}
	defer done()
	c, err := compare(cmd.Context(), m, theirs, keys, f.noCache)
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(cmd.OutOrStdout(), c)
	} else {
		err = printComparison(cmd.OutOrStdout(), c)
	}
	switch {
	case err != nil:
		return err
	case len(c.Differences) > 0:
		return failed(exitCheck)
	case c.Untold > 0:
		return failed(daemon.ExitTempFail)
	}
	return nil
}

// readKeys reads keys, one a line, as postmap -q - does; empty lines are left
// out.
func readKeys(in io.Reader) (keys []string, err error) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if key := strings.TrimSuffix(lines.Text(), "\r"); key != "" {
			keys = append(keys, key)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the keys: %w", err)
	}
	return keys, nil
}

func compare(ctx context.Context, m *ldapmap.Map, theirs *postmap, keys []string, noCache bool) (*comparison, error) {
	// All keys of all walks in as few calls as can be.
	var all []string
	seen := map[string]bool{}
	for _, key := range keys {
		for _, k := range m.Candidates(key) {
			if !seen[k] && !strings.ContainsAny(k, "\n\t\x00") {
				seen[k], all = true, append(all, k)
			}
		}
	}
	if err := theirs.ask(ctx, all); err != nil {
		return nil, err
	}
	pairs := make([]difference, len(keys))
	errs := make([]error, len(keys))
	var wait sync.WaitGroup
	next := make(chan int)
	for range min(compareWorkers, len(keys)) {
		wait.Go(func() {
			for i := range next {
				pairs[i], errs[i] = comparePair(ctx, m, theirs, keys[i], noCache)
			}
		})
	}
	for i := range keys {
		next <- i
	}
	close(next)
	wait.Wait()
	c := &comparison{Keys: len(keys), Differences: []difference{}}
	for i, d := range pairs {
		switch {
		case errs[i] != nil:
			return nil, errs[i]
		case untold(d.Postfix) && untold(d.Gatepost):
			c.Untold++
		case d.Postfix != d.Gatepost:
			c.Differences = append(c.Differences, d)
		case d.Gatepost.Status == "OK":
			c.Found++
		default:
			c.NotFound++
		}
	}
	return c, nil
}

func comparePair(ctx context.Context, m *ldapmap.Map, theirs *postmap, key string, noCache bool) (d difference, err error) {
	d.Key = key
	data, found, err := m.LookupIn(ctx, theirs, key)
	switch {
	case errors.Is(err, errPostfix):
		d.Postfix, d.Why = ldapmap.Reply{Status: "TEMP"}, err.Error()
	case err != nil && ctx.Err() == nil && !errors.As(err, new(*failure)):
		// Our own walk gave up; what Postfix has at that key is not known.
		d.Postfix, d.Why = ldapmap.Reply{Status: "TEMP"}, err.Error()
	case err != nil:
		return d, err
	case found:
		d.Postfix = ldapmap.Reply{Status: "OK", Text: data}
	default:
		d.Postfix = ldapmap.Reply{Status: "NOTFOUND"}
	}
	e := m.Explain(ctx, key, noCache)
	if d.Gatepost = e.Reply; e.Why != "" && !untold(d.Postfix) {
		d.Why = e.Why
	}
	return d, ctx.Err()
}

// untold says whether a reply is none: to postmap temporary and permanent
// errors are alike.
func untold(r ldapmap.Reply) bool { return r.Status == "TEMP" || r.Status == "PERM" }

func printComparison(w io.Writer, c *comparison) error {
	for _, d := range c.Differences {
		text := clean(d.Key) + "\n"
		for _, side := range []struct {
			name  string
			reply ldapmap.Reply
		}{{"Postfix ", d.Postfix}, {"Gatepost", d.Gatepost}} {
			text += "  " + side.name + "  " + clean(strings.TrimSuffix(side.reply.Status+" "+side.reply.Text, " ")) + "\n"
		}
		if d.Why != "" {
			text += "  " + clean(d.Why) + "\n"
		}
		if _, err := io.WriteString(w, text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(w, "%d keys: %d found and %d not found by both alike, %d that neither can tell, %d with differences\n",
		c.Keys, c.Found, c.NotFound, c.Untold, len(c.Differences))
	return err
}
