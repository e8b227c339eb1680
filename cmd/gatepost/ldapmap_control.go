package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/ldapmap"
)

// controlFlags are those of commands that need the running daemon.
type controlFlags struct {
	control string
	json    bool
}

func (f *controlFlags) add(c *cobra.Command) *cobra.Command {
	c.Flags().StringVar(&f.control, "control", "", "the daemon's control socket, an `ADDR` as control in its configuration has it: unix:/path")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	_ = c.MarkFlagRequired("control")
	return c
}

func newLdapmapFlush() *cobra.Command {
	f := &controlFlags{}
	var order ldapmap.FlushOrder
	c := &cobra.Command{
		Use:   "flush --control ADDR [--table NAME [--key KEY]|--dn DN]",
		Short: "Have the running daemon forget answers",
		Long: `Has the running gatepost-ldapmap forget its answers: all, those of a table, or
those that an entry, or one below it, has a part in. With --key the searches of
one key are made again; while the directory cannot tell, the old answers stay.`,
		Args: arguments(0, 0),
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			var flushed ldapmap.Flushed
			err := askControl(f.control, func(c *daemon.ControlClient) error {
				return c.Post(cmd.Context(), "/flush", order, &flushed)
			})
			switch {
			case err != nil:
				return err
			case f.json:
				return printJSON(cmd.OutOrStdout(), flushed)
			case flushed.Lookup != nil:
				return printExplanation(cmd.OutOrStdout(), flushed.Lookup)
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s forgotten\n", pluralOf(flushed.Answers, "answer", "answers"))
			return err
		}),
	}
	c.Flags().StringVar(&order.Table, "table", "", "answers of this table, its `NAME`")
	c.Flags().StringVar(&order.Key, "key", "", "ask for this `KEY` of the table again")
	c.Flags().StringVar(&order.DN, "dn", "", "answers of the entry `DN` and those below it, and those that found nothing")
	return f.add(c)
}

func newLdapmapTables() *cobra.Command {
	f := &controlFlags{}
	return f.add(&cobra.Command{
		Use:   "tables --control ADDR",
		Short: "List the tables of the running daemon",
		Args:  arguments(0, 0),
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			var tables []ldapmap.TableInfo
			err := askControl(f.control, func(c *daemon.ControlClient) error {
				return c.Get(cmd.Context(), "/tables", nil, &tables)
			})
			switch {
			case err != nil:
				return err
			case f.json:
				return printJSON(cmd.OutOrStdout(), tables)
			}
			var rows [][]string
			for _, t := range tables {
				from := t.File
				if t.Preset != "" {
					from = "preset " + string(t.Preset)
				}
				rows = append(rows, []string{t.Name, string(t.Class), from, strings.Join(t.Servers, " ")})
			}
			return printTable(cmd.OutOrStdout(), rows...)
		}),
	})
}

func newLdapmapStats() *cobra.Command {
	f := &controlFlags{}
	return f.add(&cobra.Command{
		Use:   "stats --control ADDR",
		Short: "Show servers, cache and doubts of the running daemon",
		Args:  arguments(0, 0),
		RunE: action(func(cmd *cobra.Command, _ []string) error {
			var stats []ldapmap.DirectoryInfo
			err := askControl(f.control, func(c *daemon.ControlClient) error {
				return c.Get(cmd.Context(), "/stats", nil, &stats)
			})
			switch {
			case err != nil:
				return err
			case f.json:
				return printJSON(cmd.OutOrStdout(), stats)
			}
			var rows [][]string
			for _, d := range stats {
				rows = append(rows, statsRows(&d)...)
			}
			return printTable(cmd.OutOrStdout(), rows...)
		}),
	})
}

// statsRows show one directory.
func statsRows(d *ldapmap.DirectoryInfo) (rows [][]string) {
	add := func(name, format string, args ...any) {
		rows = append(rows, []string{name, fmt.Sprintf(format, args...)})
	}
	add("tables", "%s", strings.Join(d.Tables, ", "))
	for _, s := range d.Servers {
		why := ""
		if s.Why != "" {
			why = "; last failure: " + s.Why
		}
		add("  "+s.URI, "%s since %s, %s, %s, %s%s", s.State, s.Since.Format(time.DateTime), pluralOf(s.Connections, "connection", "connections"),
			pluralOf(int(s.Searches), "search", "searches"), pluralOf(int(s.Failures), "failure", "failures"), why)
	}
	c := d.Cache
	add("  cache", "%d answers, %d of them empty, %d of %d bytes", c.Entries, c.Negatives, c.Bytes, c.MaxBytes)
	add("  ", "%d found in it, %d of them empty; %d asked, %d of them shared; %d stale; %d dropped",
		c.Hits+c.NegativeHits, c.NegativeHits, c.Misses, c.Shared, c.Stale, c.Evictions)
	add("  nothing found", "%d times, %d not believed, %d proofs asked for, %d alarms", d.Doubt.Empties, d.Doubt.Doubts, d.Doubt.Proofs, d.Doubt.Bursts)
	for base, server := range d.Followed {
		if server != "" {
			add("  followed", "%s on %s, %s", base, server, pluralOf(int(d.Changes), "change", "changes"))
		}
	}
	return rows
}
