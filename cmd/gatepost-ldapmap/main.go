// Command gatepost-ldapmap answers Postfix's table look-ups from an LDAP
// directory, over the socketmap protocol.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"

	"gatepost/internal/daemon"
	"gatepost/ldapmap"
)

var version string // -ldflags "-X main.version=…"

const (
	program       = "gatepost-ldapmap"
	defaultConfig = "/etc/gatepost/ldapmap.toml"
)

func main() {
	leaveRoom()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// leaveRoom uses half of the processors, unless GOMAXPROCS says otherwise: the
// others are for Postfix and slapd, who wait for us and for whom we wait. What
// a look-up of the directory costs us is mostly waking idle threads for its
// steps; with two processors, using one of them saves a third of it.
func leaveRoom() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS((runtime.GOMAXPROCS(0) + 1) / 2)
	}
}

// options are the command line.
type options struct {
	daemon.Flags
	Tables string // directory of tables, in place of the configured one
}

// parse reads the command line. With --tables and without --config no
// configuration file is read.
func parse(args []string, out io.Writer) (options, error) {
	var o options
	var set *flag.FlagSet
	var err error
	o.Flags, err = daemon.ParseFlags(program, defaultConfig, args, out, func(s *flag.FlagSet) {
		set = s
		s.StringVar(&o.Tables, "tables", "", "serve each ldap_table(5) file NAME.cf in `DIR` as table NAME;\nwithout --config no configuration file is read then")
	})
	if err != nil {
		return o, err
	}
	named := false
	set.Visit(func(f *flag.Flag) { named = named || f.Name == "config" })
	if o.Tables != "" && !named {
		o.Config = ""
	}
	return o, nil
}

func run(args []string, out, complaints io.Writer) int {
	o, err := parse(args, complaints)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return daemon.ExitUsage
	case o.Version:
		fmt.Fprintln(out, program, daemon.Version(version))
		return 0
	}
	config, plan, warnings, problems := ldapmap.LoadConfig(o.Config, o.Tables)
	if o.Check {
		for _, w := range warnings {
			fmt.Fprintln(out, "note:", w)
		}
		if err := problems.Err(); err != nil {
			fmt.Fprintln(out, err)
			return daemon.ExitConfig
		}
		fmt.Fprintln(out, "configuration and tables are good")
		return 0
	}
	if err := problems.Err(); err != nil {
		fmt.Fprintln(complaints, err)
		return daemon.ExitConfig
	}
	s, err := newService(o, config)
	if err != nil {
		fmt.Fprintf(complaints, "%s: %v\n", program, err)
		return daemon.ExitConfig
	}
	if err := s.run(context.Background(), plan, warnings); err != nil {
		s.log.Error("stopped", "why", err)
		return 1
	}
	return 0
}
