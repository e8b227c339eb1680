package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
	"gatepost/lmtpd"
)

// service is the running daemon: a server, its store, the directory and what
// watches them.
type service struct {
	flags   daemon.Flags
	level   *slog.LevelVar
	log     *slog.Logger
	notify  *daemon.Notifier
	metrics *daemon.Metrics
	counts  *lmtpd.Metrics
	server  *lmtpd.Server

	mu     sync.Mutex // held while settings change
	config lmtpd.Config
	certs  *daemon.Certificates
	store  atomic.Pointer[dbmail.Store]
	people atomic.Pointer[lmtpd.Directory] // nil: recipients are not looked for there
	guards []*daemon.Guarded
}

func newService(flags daemon.Flags, config lmtpd.Config, people *directory.Config) (*service, error) {
	s := &service{flags: flags, config: config, level: &slog.LevelVar{}, notify: daemon.NewNotifier()}
	s.level.Set(level(config.Log.Level))
	var err error
	if s.log, err = daemon.NewLogger(os.Stderr, config.Log.Format, s.level); err != nil {
		return nil, err
	}
	if s.certs, err = config.Certificates(s.log); err != nil {
		return nil, fmt.Errorf("tls: %w", err)
	}
	s.metrics = daemon.NewMetrics(s.log)
	s.counts = lmtpd.NewMetrics(s.metrics.Registry)
	s.metrics.Registry.MustRegister(lmtpd.NewStoreCollector(s.store.Load))
	s.metrics.AddCheck("store", s.ping)
	s.people.Store(lmtpd.OpenDirectory(people, s.log))
	s.metrics.Registry.MustRegister(directory.NewCollector(func() []directory.DirectoryStats { return s.people.Load().Stats() }))
	s.metrics.AddCheck("directory", func(ctx context.Context) error { return s.people.Load().Ready(ctx) })
	settings, err := config.Settings(nil, s.people.Load(), s.certs, s.log, s.counts)
	if err != nil {
		return nil, err
	}
	s.server = lmtpd.NewServer(settings)
	return s, nil
}

func level(name string) slog.Level {
	var l slog.Level
	_ = l.UnmarshalText([]byte(name)) // validated by the configuration
	return l
}

var errNoStore = errors.New("the store has not been reached yet")

func (s *service) ping(ctx context.Context) error {
	store := s.store.Load()
	if store == nil {
		return errNoStore
	}
	return store.Ping(ctx)
}

func (s *service) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals := daemon.Signals(ctx)
	failed := make(chan error, 8)
	opened := make(chan struct{})
	go func() { s.openStore(ctx); close(opened) }()
	if err := s.listen(ctx, failed); err != nil {
		return err
	}
	// Give the store a moment, so that the first client need not come twice.
	select {
	case <-opened:
	case <-time.After(2 * time.Second):
	}
	_ = s.notify.Ready()
	go s.notify.Watchdog(ctx, func() bool { return true })
	for {
		select {
		case err := <-failed:
			return err
		case sig, ok := <-signals:
			if !ok || sig == daemon.Stop {
				return s.stop()
			}
			s.reload(ctx)
		}
	}
}

func (s *service) listen(ctx context.Context, failed chan<- error) error {
	for _, text := range s.config.Addresses(s.flags.Listen) {
		a, err := daemon.ParseAddress(text)
		if err != nil {
			return err
		}
		l, err := daemon.Listen(ctx, a)
		if err != nil {
			return fmt.Errorf("listen on %s: %w", text, err)
		}
		s.log.Info("listening", "address", realAddress(l))
		guarded := daemon.Guard(l, s.config.Guard())
		s.guards = append(s.guards, guarded)
		go func() {
			if err := s.server.Serve(guarded); !errors.Is(err, lmtpd.ErrServerClosed) {
				failed <- err
			}
		}()
	}
	if s.config.Metrics.Listen == "" {
		return nil
	}
	a, err := daemon.ParseAddress(s.config.Metrics.Listen)
	if err != nil {
		return err
	}
	l, err := daemon.Listen(ctx, a)
	if err != nil {
		return fmt.Errorf("listen for metrics on %s: %w", s.config.Metrics.Listen, err)
	}
	s.log.Info("metrics", "address", realAddress(l))
	go func() {
		if err := s.metrics.Serve(ctx, l); err != nil {
			failed <- err
		}
	}()
	return nil
}

// openStore tries until the store answers: until then clients are told to
// come back later, and /readyz says so.
func (s *service) openStore(ctx context.Context) {
	for wait := time.Second; ; wait = min(2*wait, 30*time.Second) {
		err := s.tryOpen(ctx)
		if err == nil || ctx.Err() != nil {
			return
		}
		s.log.Error("store is not available, mail is deferred", "why", err, "again_in", wait)
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// errChanged is a reload while the store was being opened.
var errChanged = errors.New("the configuration has changed meanwhile")

func (s *service) tryOpen(ctx context.Context) error {
	s.mu.Lock()
	config := s.config
	s.mu.Unlock()
	// Not under the lock: a server that hangs must hold up neither a reload
	// nor a stop.
	store, err := config.OpenStore(ctx, s.log)
	if err != nil {
		return err
	}
	for _, w := range store.Limits().Warnings {
		s.log.Warn("store", "why", w)
	}
	if findings, err := store.Findings(ctx, config.Does()); err == nil {
		for _, f := range findings {
			s.log.Warn("store differs", "finding", f.Name, "why", f.What)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if !config.SameStore(&s.config) {
		store.Close()
		return errChanged
	}
	settings, err := s.config.Settings(store, s.people.Load(), s.certs, s.log, s.counts)
	if err != nil {
		store.Close()
		return err
	}
	s.store.Store(store)
	go s.server.Apply(settings)()
	s.log.Info("store is open", "server", store.Limits().Version, "max_part", store.Limits().MaxPart)
	return nil
}

// reload reads the configuration again. A bad one changes nothing.
func (s *service) reload(ctx context.Context) {
	_ = s.notify.Reloading()
	defer func() { _ = s.notify.Ready() }()
	config, people, problems := load(s.flags.Config)
	if err := problems.Err(); err != nil {
		s.log.Error("reload refused, the running configuration stays", "why", err)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.replace(ctx, config, people); err != nil {
		s.log.Error("reload refused, the running configuration stays", "why", err)
		return
	}
	s.log.Info("reloaded")
}

func (s *service) replace(ctx context.Context, config lmtpd.Config, people *directory.Config) (err error) {
	certs, err := config.Certificates(s.log)
	if err != nil {
		return fmt.Errorf("tls: %w", err)
	}
	oldStore, oldPeople := s.store.Load(), s.people.Load()
	store, dir := oldStore, oldPeople
	defer func() {
		if err == nil {
			return
		}
		if store != oldStore {
			store.Close()
		}
		if dir != oldPeople {
			dir.Close()
		}
	}()
	if oldStore != nil && !config.SameStore(&s.config) {
		if store, err = config.OpenStore(ctx, s.log); err != nil {
			store = oldStore
			return err
		}
	}
	if !oldPeople.Same(people) {
		dir = lmtpd.OpenDirectory(people, s.log)
	}
	settings, err := config.Settings(store, dir, certs, s.log, s.counts)
	if err != nil {
		return err
	}
	s.level.Set(level(config.Log.Level))
	s.config, s.certs = config, certs
	s.store.Store(store)
	s.people.Store(dir)
	for _, g := range s.guards {
		g.Change(config.Guard())
	}
	wait := s.server.Apply(settings)
	go func() {
		wait()
		if oldStore != store {
			oldStore.Close()
		}
		if oldPeople != dir {
			oldPeople.Close()
		}
	}()
	return nil
}

// stop drains: messages under way are finished, idle clients are sent off.
func (s *service) stop() error {
	_ = s.notify.Stopping()
	s.log.Info("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(s.config.DrainTimeout))
	defer cancel()
	if err := s.server.Shutdown(ctx); err != nil {
		s.log.Warn("connections cut off at the end of drain_timeout; their messages were not acknowledged", "why", err)
	}
	s.people.Load().Close()
	if store := s.store.Load(); store != nil {
		return store.Close()
	}
	return nil
}

// realAddress names where a listener listens, in the form of the configuration.
func realAddress(l net.Listener) string {
	if a := l.Addr(); a.Network() == "unix" {
		return "unix:" + a.String()
	}
	return "inet:" + l.Addr().String()
}
