package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/pprof"
	"syscall"
	"testing"

	"gatepost/internal/daemon"
	"gatepost/lmtpd"
	"gatepost/test/rig"
)

// profiled is the first argument of this program when it runs as lmtpd that
// writes a CPU profile.
const profiled = "profiled-lmtpd"

// profile measures gatepost cells on an lmtpd that profiles itself, one file
// and one fresh store for each.
func (p plan) profile(dir string, say func(string, ...any)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return rig.Within(func(t testing.TB) {
		b := &bench{load: newLoad(), pace: p.pace, say: say}
		if needsMariaDB(p.systems) {
			b.server = startMariaDB(t)
		}
		for _, name := range p.systems {
			if name != gatepostMariaDB && name != gatepostSQLite && name != gatepostLDAP {
				continue
			}
			p.cells(func(c cell) {
				file := filepath.Join(dir, fmt.Sprintf("%s-%s-to%d-sessions%d.pprof", name, kilobytes(c.Size), c.Recipients, c.Sessions))
				b.program = []string{self, profiled, "--profile", file}
				err := rig.Within(func(t testing.TB) {
					if name == gatepostLDAP {
						b.slapd = startSlapd(t)
					}
					m, _, err := b.start(t, name, c)[0].run(c, p.pace)
					if err != nil {
						t.Fatal(err)
					}
					say("%s: %.0f msg/s, p50 %v", file, m.Messages, m.P50)
				})
				if err != nil {
					t.Fatal(err)
				}
			})
		}
	})
}

// cells calls f for each cell.
func (p plan) cells(f func(cell)) {
	for _, size := range p.sizes {
		for _, recipients := range p.recipients {
			for _, sessions := range p.sessions {
				f(cell{size, recipients, sessions})
			}
		}
	}
}

// serveProfiled is lmtpd in this program, from the first client to SIGTERM
// under the CPU profiler.
func serveProfiled(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet(profiled, flag.ContinueOnError)
	flags.SetOutput(stderr)
	config, file := flags.String("config", "", ""), flags.String("profile", "", "")
	if err := flags.Parse(args); err != nil {
		return usage
	}
	if err := profiledServer(*config, *file, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func profiledServer(file, profile string, stderr io.Writer) error {
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	config, problems := lmtpd.LoadConfig(file)
	if err := problems.Err(); err != nil {
		return err
	}
	log, err := daemon.NewLogger(stderr, "text", &slog.LevelVar{})
	if err != nil {
		return err
	}
	store, err := config.OpenStore(ctx, log)
	if err != nil {
		return err
	}
	defer store.Close()
	where, problems := config.LoadDirectory()
	if err := problems.Err(); err != nil {
		return err
	}
	people := lmtpd.OpenDirectory(where, log)
	defer people.Close()
	settings, err := config.Settings(store, people, nil, log, lmtpd.NewMetrics(daemon.NewMetrics(log).Registry))
	if err != nil {
		return err
	}
	out, err := os.Create(profile)
	if err != nil {
		return err
	}
	defer out.Close()
	if err := pprof.StartCPUProfile(out); err != nil {
		return err
	}
	defer pprof.StopCPUProfile()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := lmtpd.NewServer(settings)
	go func() {
		<-ctx.Done()
		_ = server.Shutdown(context.Background())
	}()
	log.Info("listening", "address", "inet:"+l.Addr().String())
	log.Info("store is open")
	_ = server.Serve(l) // it ends by Shutdown
	return nil
}
