package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatepost/internal/daemon"
	"gatepost/ldapmap"
)

// checkTime bounds a check of all servers.
const checkTime = 5 * time.Minute

func newLdapmapCheck() *cobra.Command {
	f := &tablesFlags{}
	var configURI string
	var json bool
	c := &cobra.Command{
		Use:   "check [--config FILE|--tables DIR] [TABLE]",
		Short: "Ask the directory servers whether they can answer the tables",
		Long: `Connects to every server of the tables, or of one TABLE (a name, or the path of
an ldap_table(5) file), and looks: whether it takes our bind, over TLS with a
certificate that is good; whether the search bases and the sentinel are there;
whether its schema knows the attributes; and, of an OpenLDAP server, whether
what is searched has an index, with the LDIF that adds it.

Indexes are read in cn=config as whom the tables bind. That is seldom allowed;
root of the server's machine may with --config-uri ldapi:///.

What is written in the files alone, gatepost-ldapmap --check examines.

Exit status: 0 good, 1 something is bad, 75 a server does not answer, 78 wrong
configuration.`,
		Args: arguments(0, 1),
		RunE: action(func(cmd *cobra.Command, args []string) error {
			var plan *ldapmap.Plan
			var err error
			if len(args) > 0 {
				plan, _, err = f.load(cmd, args[0])
			} else {
				plan, err = f.loadAll()
			}
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), checkTime)
			defer cancel()
			findings := plan.Check(ctx, configURI)
			if json {
				err = printJSON(cmd.OutOrStdout(), findings)
			} else {
				err = printFindings(cmd.OutOrStdout(), findings)
			}
			if err != nil {
				return err
			}
			return checkVerdict(findings)
		}),
	}
	f.add(c)
	c.Flags().StringVar(&configURI, "config-uri", "", "read cn=config at this `URI` with SASL EXTERNAL, such as ldapi:///")
	c.Flags().BoolVar(&json, "json", false, "print JSON")
	return c
}

// loadAll reads all tables.
func (f *tablesFlags) loadAll() (*ldapmap.Plan, error) {
	_, plan, _, problems := ldapmap.LoadConfig(f.source(), f.tables)
	if err := problems.Err(); err != nil {
		return nil, badConfig("%w", err)
	}
	return plan, nil
}

func printFindings(w io.Writer, findings []ldapmap.Finding) error {
	var b bytes.Buffer
	server := ""
	for _, f := range findings {
		if f.Server != server {
			server = f.Server
			fmt.Fprintf(&b, "%s\n", clean(server))
		}
		fmt.Fprintf(&b, "  %-7s  %-10s  %s: %s\n", f.Level, f.What, clean(strings.Join(f.Tables, ", ")), clean(f.Text))
		for line := range strings.Lines(f.Mend) {
			fmt.Fprintf(&b, "             %s\n", clean(strings.TrimSuffix(line, "\n")))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// checkVerdict is the exit status for all findings together.
func checkVerdict(findings []ldapmap.Finding) error {
	unknown := false
	for _, f := range findings {
		if f.Level == ldapmap.LevelBad {
			return failed(exitCheck)
		}
		unknown = unknown || f.Level == ldapmap.LevelUnknown
	}
	if unknown {
		return failed(daemon.ExitTempFail)
	}
	return nil
}
