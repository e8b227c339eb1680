package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"runtime/debug"
	"sync/atomic"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/directory"
	"gatepost/ldapmap"
)

// service is the running daemon: a server, the tables that it answers from and
// the directories that these share.
type service struct {
	options options
	config  ldapmap.Config
	level   *slog.LevelVar
	log     *slog.Logger
	notify  *daemon.Notifier
	metrics *daemon.Metrics
	counts  *ldapmap.Metrics
	live    atomic.Pointer[ldapmap.Live]
	server  *ldapmap.Server
	guards  []*daemon.Guarded
}

func newService(o options, config ldapmap.Config) (*service, error) {
	s := &service{options: o, config: config, level: &slog.LevelVar{}, notify: daemon.NewNotifier()}
	s.setLevel()
	var err error
	if s.log, err = daemon.NewLogger(os.Stderr, config.Log.Format, s.level); err != nil {
		return nil, err
	}
	s.metrics = daemon.NewMetrics(s.log)
	s.counts = ldapmap.NewMetrics(s.metrics.Registry)
	s.metrics.Registry.MustRegister(directory.NewCollector(func() []directory.DirectoryStats {
		if live := s.live.Load(); live != nil {
			return live.Stats()
		}
		return nil
	}))
	s.metrics.AddCheck("directory", func(ctx context.Context) error { return s.live.Load().Ready(ctx) })
	return s, nil
}

// limitMemory has the garbage collector work harder before the process takes
// twice what it needs: little but the cache lives long.
func limitMemory(cache int64) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(cache + cache/2 + 20<<20)
	}
}

func (s *service) setLevel() {
	var l slog.Level
	_ = l.UnmarshalText([]byte(s.config.Log.Level)) // validated by the configuration
	s.level.Set(l)
}

func (s *service) run(ctx context.Context, plan *ldapmap.Plan, warnings daemon.Problems) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := daemon.Signals(ctx)
	s.warn(warnings)
	limitMemory(int64(s.config.Cache.MaxBytes))
	s.live.Store(plan.Open(nil, s.counts, s.log))
	defer func() { s.live.Load().Close(nil) }()
	s.server = ldapmap.NewServer(s.settings(s.live.Load()))
	s.counts.Connections(s.server.Open)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	failed := make(chan error, 8)
	served, err := s.listen(serving, ctx, failed)
	if err != nil {
		return err
	}
	_ = s.notify.Ready()
	go s.notify.Watchdog(ctx, func() bool { return true })
	for {
		select {
		case err := <-failed:
			return err
		case sig, ok := <-signals:
			if ok && sig == daemon.Reload {
				s.reload()
				continue
			}
			_ = s.notify.Stopping()
			s.log.Info("stopping")
			stop()
			for range served {
				if err := <-failed; err != nil {
					return err
				}
			}
			return nil
		}
	}
}

func (s *service) settings(live *ldapmap.Live) *ldapmap.Settings {
	return s.config.Settings(live, ldapmap.Settings{Log: s.log, Metrics: s.counts})
}

// listen serves all addresses until ctx ends, and the metrics until always
// does. It says from how many listeners an end, or an error, will come.
func (s *service) listen(ctx, always context.Context, failed chan<- error) (served int, err error) {
	var listeners []net.Listener
	for _, text := range s.config.Addresses(s.options.Listen) {
		l, err := listen(ctx, text)
		if err != nil {
			return 0, err
		}
		listeners = append(listeners, l)
	}
	if text := s.config.Metrics.Listen; text != "" {
		l, err := listen(always, text)
		if err != nil {
			return 0, fmt.Errorf("metrics: %w", err)
		}
		s.log.Info("metrics", "address", realAddress(l))
		go func() {
			if err := s.metrics.Serve(always, l); err != nil {
				failed <- err
			}
		}()
	}
	if err := s.control(always, failed); err != nil {
		return 0, fmt.Errorf("control: %w", err)
	}
	for _, l := range listeners {
		guard := daemon.Guard(l, s.config.Guard(s.counts))
		s.guards = append(s.guards, guard)
		s.log.Info("listening", "address", realAddress(l))
		go func() { failed <- s.server.Serve(ctx, guard) }()
	}
	return len(listeners), nil
}

// control serves the operator's socket until ctx ends.
func (s *service) control(ctx context.Context, failed chan<- error) error {
	if s.config.Control == "" {
		return nil
	}
	a, err := daemon.ParseControl(s.config.Control)
	if err != nil {
		return err
	}
	l, err := daemon.Listen(ctx, a)
	if err != nil {
		return err
	}
	c := daemon.NewControl(s.log)
	ldapmap.RegisterControl(c, s.live.Load)
	s.log.Info("control", "address", realAddress(l))
	go func() {
		if err := c.Serve(ctx, l); err != nil {
			failed <- err
		}
	}()
	return nil
}

func listen(ctx context.Context, text string) (net.Listener, error) {
	a, err := daemon.ParseAddress(text)
	if err != nil {
		return nil, err
	}
	return daemon.Listen(ctx, a)
}

// realAddress names where a listener listens, in the form of the configuration.
func realAddress(l net.Listener) string {
	if a := l.Addr(); a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return "inet:" + l.Addr().String()
}

func (s *service) warn(warnings daemon.Problems) {
	for _, w := range warnings {
		s.log.Warn("table", "file", w.File, "line", w.Line, "key", w.Key, "why", w.What)
	}
}

// reload reads configuration and tables again. What is wrong changes nothing.
// Listeners stay as they are; they are systemd's, or need a restart.
func (s *service) reload() {
	_ = s.notify.Reloading()
	defer func() { _ = s.notify.Ready() }()
	config, plan, warnings, problems := ldapmap.LoadConfig(s.options.Config, s.options.Tables)
	if err := problems.Err(); err != nil {
		s.log.Error("reload refused, the running configuration stays", "why", err)
		return
	}
	s.warn(warnings)
	s.config = config
	s.setLevel()
	limitMemory(int64(config.Cache.MaxBytes))
	old := s.live.Load()
	live := plan.Open(old, s.counts, s.log)
	s.live.Store(live)
	s.server.Apply(s.settings(live))
	for _, g := range s.guards {
		g.Change(config.Guard(s.counts))
	}
	// Requests that began before end within their deadline.
	time.AfterFunc(old.Deadline()+time.Second, func() { old.Close(live) })
	s.log.Info("reloaded", "tables", len(live.Maps))
}
