// Command gatepost-lmtpd is an LMTP server that delivers into a DBMail store.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
	"gatepost/lmtpd"
)

var version string // -ldflags "-X main.version=…"

func main() { os.Exit(run()) }

func run() int {
	flags, err := daemon.ParseFlags("gatepost-lmtpd", "/etc/gatepost/lmtpd.toml", os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return daemon.ExitUsage
	case flags.Version:
		fmt.Println("gatepost-lmtpd", daemon.Version(version))
		return 0
	}
	config, people, problems := load(flags.Config)
	if flags.Check {
		return check(config, people, problems)
	}
	if err := problems.Err(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return daemon.ExitConfig
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	s, err := newService(flags, config, people)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gatepost-lmtpd:", err)
		return daemon.ExitConfig
	}
	if err := s.run(ctx); err != nil {
		s.log.Error("stopped", "why", err)
		return 1
	}
	return 0
}

// load reads the configuration and the directory's, and reports all that is
// wrong with either.
func load(path string) (lmtpd.Config, *directory.Config, daemon.Problems) {
	config, problems := lmtpd.LoadConfig(path)
	people, more := config.LoadDirectory()
	return config, people, append(problems, more...)
}

// check prints all that is wrong, with the configuration, the directory and the store.
func check(config lmtpd.Config, people *directory.Config, problems daemon.Problems) int {
	code := 0
	if err := problems.Err(); err != nil {
		fmt.Println(err)
		code = daemon.ExitConfig
	}
	if code != 0 && people != nil {
		people = nil // its file may be what is wrong
	}
	if _, err := dbmail.ParseDSN(config.Store.DSN); err != nil {
		return code // said already
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	wrong, notes := config.Check(ctx, people, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	for _, n := range notes {
		fmt.Println("note:", n)
	}
	for _, w := range wrong {
		fmt.Println(w)
		code = daemon.ExitConfig
	}
	if code == 0 {
		if people != nil {
			fmt.Println("configuration, directory and store are good")
		} else {
			fmt.Println("configuration and store are good")
		}
	}
	return code
}
