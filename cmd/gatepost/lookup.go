package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/ldapmap"
)

// defaultLdapmap is the configuration that gatepost-ldapmap reads.
const defaultLdapmap = "/etc/gatepost/ldapmap.toml"

// lookupFlags are those of lookup.
type lookupFlags struct {
	tablesFlags
	control, compare string
	noCache, json    bool
}

func newLookup() *cobra.Command {
	f := &lookupFlags{}
	c := &cobra.Command{
		Use:   "lookup [--config FILE|--tables DIR|--control ADDR] TABLE KEY",
		Short: "Look a key up in a table of ldapmap and explain the answer",
		Long: `Looks KEY up in TABLE as gatepost-ldapmap would for Postfix, and shows which
keys were tried, what was searched where, what was found, and the reply that
Postfix gets. TABLE is a name, or the path of an ldap_table(5) file, which has
a slash in it.

The directory is asked over connections of our own, with nothing in memory;
with --control the running daemon is asked, which has its cache.

With --compare the keys are read from standard input, one a line, and looked up
by postmap(1) too, in Postfix's own table; only differences are shown. With a
map class other than exact, Postfix's table is asked for the keys that Postfix
would ask it for in that place.

Exit status: 0 found (with --compare: no difference), 1 not found (a
difference), 75 cannot tell, 78 wrong configuration.`,
		Example: `  gatepost lookup /etc/postfix/aliases.cf alice@example.com
  gatepost lookup --control unix:/run/gatepost/ldapmap.control aliases alice@example.com
  gatepost lookup --compare ldap:/etc/postfix/aliases.cf --tables /etc/postfix aliases <addresses`,
		Args: arguments(1, 2),
		RunE: action(f.run),
	}
	f.add(c)
	c.Flags().StringVar(&f.control, "control", "", "ask the running daemon at this `ADDR`, unix:/path, its control socket")
	c.Flags().StringVar(&f.compare, "compare", "", "compare with Postfix's `TABLE`, such as ldap:/etc/postfix/x.cf")
	c.Flags().BoolVar(&f.noCache, "no-cache", false, "ask the directory whatever the daemon remembers")
	c.Flags().BoolVar(&f.json, "json", false, "print JSON")
	c.MarkFlagsMutuallyExclusive("control", "config")
	c.MarkFlagsMutuallyExclusive("control", "tables")
	c.MarkFlagsMutuallyExclusive("control", "compare")
	return c
}

func (f *lookupFlags) run(cmd *cobra.Command, args []string) error {
	if f.compare != "" {
		if len(args) > 1 {
			return usage("with --compare the keys come from standard input")
		}
		return f.runCompare(cmd, args[0])
	}
	if len(args) < 2 {
		return usage("want: %s", cmd.UseLine())
	}
	var e *ldapmap.Explanation
	var err error
	if f.control != "" {
		e, err = f.askDaemon(cmd.Context(), args[0], args[1])
	} else {
		e, err = f.askDirectory(cmd, args[0], args[1])
	}
	if err != nil {
		return err
	}
	if f.json {
		err = printJSON(cmd.OutOrStdout(), e)
	} else {
		err = printExplanation(cmd.OutOrStdout(), e)
	}
	if err != nil {
		return err
	}
	return lookupVerdict(e.Reply)
}

// lookupVerdict is the exit status for a reply.
func lookupVerdict(r ldapmap.Reply) error {
	switch r.Status {
	case "OK":
		return nil
	case "NOTFOUND":
		return failed(exitCheck)
	case "PERM":
		return failed(daemon.ExitConfig)
	}
	return failed(daemon.ExitTempFail)
}

func (f *lookupFlags) askDirectory(cmd *cobra.Command, table, key string) (*ldapmap.Explanation, error) {
	m, done, err := f.open(cmd, table)
	if err != nil {
		return nil, err
	}
	defer done()
	return m.Explain(cmd.Context(), key, f.noCache), nil
}

func (f *lookupFlags) askDaemon(ctx context.Context, table, key string) (*ldapmap.Explanation, error) {
	query := url.Values{"table": {table}, "key": {key}}
	if f.noCache {
		query.Set("no_cache", "1")
	}
	var e ldapmap.Explanation
	err := askControl(f.control, func(c *daemon.ControlClient) error { return c.Get(ctx, "/lookup", query, &e) })
	return &e, err
}

// askControl asks a daemon by its control socket.
func askControl(address string, ask func(c *daemon.ControlClient) error) error {
	a, err := daemon.ParseControl(address)
	if err != nil {
		return usage("--control: %v", err)
	}
	client, err := daemon.NewControlClient(a)
	if err != nil {
		return usage("--control: %v", err)
	}
	err = ask(client)
	var fault *daemon.ControlError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &fault) && fault.Status == http.StatusNotFound:
		return &failure{daemon.ExitConfig, err}
	case errors.As(err, &fault) && fault.Status < http.StatusInternalServerError:
		return usage("%v", err)
	}
	return &failure{daemon.ExitTempFail, err}
}

// tablesFlags say where tables are described.
type tablesFlags struct{ config, tables string }

func (f *tablesFlags) add(c *cobra.Command) {
	c.Flags().StringVar(&f.config, "config", "", "ldapmap.toml `FILE` (default "+defaultLdapmap+")")
	c.Flags().StringVar(&f.tables, "tables", "", "each ldap_table(5) file NAME.cf in `DIR` is table NAME; without --config no\nconfiguration file is read then")
}

// source is the configuration file to read; empty for none.
func (f *tablesFlags) source() string {
	if f.config == "" && f.tables == "" {
		return defaultLdapmap
	}
	return f.config
}

// load reads a table's file, if the name is a path, or all tables. It shows
// what is wrong or odd about the table.
func (f *tablesFlags) load(cmd *cobra.Command, table string) (plan *ldapmap.Plan, name string, err error) {
	var warnings, problems daemon.Problems
	if strings.Contains(table, "/") {
		if f.tables != "" {
			return nil, "", usage("%s is a path; leave --tables out", table)
		}
		plan, name, warnings, problems = ldapmap.LoadTable(f.config, table)
	} else {
		name = table
		_, plan, warnings, problems = ldapmap.LoadConfig(f.source(), f.tables)
	}
	if err := problems.Err(); err != nil {
		return nil, "", badConfig("%w", err)
	}
	one, ok := plan.Only(name)
	if !ok {
		return nil, "", badConfig("there is no table %q; there are: %s", name, strings.Join(plan.Names(), ", "))
	}
	for _, w := range warnings {
		if one.Uses(w.File) {
			fmt.Fprintln(cmd.ErrOrStderr(), "note:", w)
		}
	}
	return one, name, nil
}

// open opens one table over connections of its own.
func (f *tablesFlags) open(cmd *cobra.Command, table string) (m *ldapmap.Map, done func(), err error) {
	plan, name, err := f.load(cmd, table)
	if err != nil {
		return nil, nil, err
	}
	live := plan.Open(nil, ldapmap.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	return live.Maps[name], func() { live.Close(nil) }, nil
}
