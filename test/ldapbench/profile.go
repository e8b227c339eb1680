package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"syscall"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/daemon"
	"gatepost/ldapmap"
	"gatepost/test/rig"
)

// profiled is the first argument of this program when it runs as ldapmap that
// writes CPU profiles: each SIGUSR1 ends one and begins the next.
const profiled = "profiled-ldapmap"

// profile puts gatepost under each load and has it profile itself, cold and warm.
func (p plan) profile(dir string, say func(string, ...any)) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return rig.Within(func(t testing.TB) {
		b := &bench{slapd: startSlapd(t), say: say}
		b.tables = writeTables(t, b.slapd.URI())
		for _, system := range p.systems {
			for _, load := range p.loads {
				if !ours(system) {
					continue
				}
				b.program = []string{self, profiled, "--profile", filepath.Join(dir, system+"-"+load)}
				if err := rig.Within(func(t testing.TB) { p.measure(t, b, system, load) }); err != nil {
					t.Fatal(err)
				}
			}
		}
	})
}

func serveProfiled(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet(profiled, flag.ContinueOnError)
	flags.SetOutput(stderr)
	prefix, tables, listen := flags.String("profile", "", ""), flags.String("tables", "", ""), flags.String("listen", "", "")
	if err := flags.Parse(args); err != nil {
		return usage
	}
	if err := profiledServer(*prefix, *tables, *listen, stderr); err != nil {
		fmt.Fprintln(stderr, err)
		return 1
	}
	return 0
}

func profiledServer(prefix, tables, listen string, stderr io.Writer) error {
	runtime.GOMAXPROCS((runtime.GOMAXPROCS(0) + 1) / 2) // as the daemon does
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	config, plan, _, problems := ldapmap.LoadConfig("", tables)
	if err := problems.Err(); err != nil {
		return err
	}
	log, err := daemon.NewLogger(stderr, "text", &slog.LevelVar{})
	if err != nil {
		return err
	}
	metrics := ldapmap.NewMetrics(prometheus.NewRegistry())
	live := plan.Open(nil, metrics, log)
	defer live.Close(nil)
	address, err := daemon.ParseAddress(listen)
	if err != nil {
		return err
	}
	l, err := daemon.Listen(ctx, address)
	if err != nil {
		return err
	}
	next := make(chan os.Signal, 1)
	signal.Notify(next, syscall.SIGUSR1)
	go func() {
		for _, cache := range []string{cold, warm} {
			<-next
			pprof.StopCPUProfile()
			out, err := os.Create(prefix + "-" + cache + ".pprof")
			if err == nil {
				err = pprof.StartCPUProfile(out)
			}
			if err != nil {
				log.Error("profile", "why", err)
			}
		}
	}()
	defer pprof.StopCPUProfile()
	log.Info("listening", "address", "unix:"+l.Addr().String())
	return ldapmap.NewServer(config.Settings(live, ldapmap.Settings{Log: log, Metrics: metrics})).Serve(ctx, l)
}
