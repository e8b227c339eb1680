// Package ldapmap answers Postfix's table look-ups from an LDAP directory over
// the socketmap protocol (socketmap_table(5); Sendmail's is the same). A table
// is an unchanged ldap_table(5) file and a map class, which says what keys
// Postfix would have tried.
package ldapmap

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"gatepost/internal/daemon"
)

// Settings are what a server works with between two reloads.
type Settings struct {
	Maps map[string]*Map // by name
	// IdleTimeout of a connection. Postfix closes its own after 10 s of
	// idleness and opens them again without loss.
	IdleTimeout time.Duration
	// Drain is how long Serve waits at its end for requests under way.
	Drain   time.Duration
	Log     *slog.Logger
	Metrics *Metrics
}

// Server serves socketmap requests on any number of listeners.
type Server struct {
	settings atomic.Pointer[Settings]
	lines    lineLimit

	mu       sync.Mutex
	sessions map[*session]struct{}
	draining bool
}

// NewServer makes a server with its first settings.
func NewServer(s *Settings) *Server {
	srv := &Server{sessions: map[*session]struct{}{}}
	srv.settings.Store(s)
	return srv
}

// Apply makes requests from now on use s, also those of open connections.
// Requests that are being answered end with the settings that they began with,
// within the longest deadline of a Map.
func (srv *Server) Apply(s *Settings) { srv.settings.Store(s) }

// Open says how many connections are being served.
func (srv *Server) Open() int {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	return len(srv.sessions)
}

// Serve accepts connections from l until ctx ends. Idle connections are then
// closed, which Postfix makes good by asking again; requests that have arrived
// are answered first.
func (srv *Server) Serve(ctx context.Context, l net.Listener) error {
	defer context.AfterFunc(ctx, srv.drain)()
	s := srv.settings.Load()
	server := daemon.Server{Handler: srv.handle, Drain: s.Drain, Log: s.Log}
	return server.Serve(ctx, l)
}

func (srv *Server) handle(ctx context.Context, conn net.Conn) {
	s := &session{srv: srv, conn: conn}
	srv.mu.Lock()
	if srv.draining {
		srv.mu.Unlock()
		return
	}
	srv.sessions[s] = struct{}{}
	srv.mu.Unlock()
	defer func() {
		srv.mu.Lock()
		delete(srv.sessions, s)
		srv.mu.Unlock()
	}()
	if err := s.run(ctx); err != nil && ctx.Err() == nil {
		settings := srv.settings.Load()
		settings.Metrics.broken.Inc()
		srv.lines.write(settings.Log, slog.LevelInfo, "connection cut off", "client", peer(conn), "why", err.Error())
	}
}

func (srv *Server) drain() {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.draining = true
	for s := range srv.sessions {
		s.drain()
	}
}

// note counts and logs one decision.
func (srv *Server) note(s *Settings, m *Map, name []byte, key string, r *reply, took time.Duration) {
	if m == nil {
		s.Metrics.unknown.Inc()
	} else {
		m.counts.note(r.status, took)
	}
	level := slog.LevelDebug
	if r.why != nil {
		level = slog.LevelInfo
	} else if !s.Log.Enabled(context.Background(), level) {
		return
	}
	fields := []any{"table", cut(string(name)), "key", cut(key), "action", r.status, "ms", float64(took.Microseconds()) / 1000}
	if r.why != nil {
		fields = append(fields, "why", r.why.Error())
		srv.lines.write(s.Log, level, "lookup", fields...)
		return
	}
	s.Log.Log(context.Background(), level, "lookup", fields...)
}

// peer names the client; that of a unix socket has no address.
func peer(conn net.Conn) string {
	if a := conn.RemoteAddr(); a != nil && a.Network() == "tcp" {
		return a.String()
	}
	return "local"
}
