package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is what a daemon shows its operator over HTTP, on a listener of its
// own:
//
//	/metrics  Prometheus
//	/healthz  200 while the process answers
//	/readyz   200 when every check passes, else 503; which ones fail
//
// Causes of failed checks may name hosts and users: they go to the log only.
type Metrics struct {
	// Registry is where the daemon registers its collectors; the Go runtime's
	// and the process's are there already.
	Registry *prometheus.Registry

	log    *slog.Logger
	checks checks
}

// NewMetrics returns a registry and no checks.
func NewMetrics(log *slog.Logger) *Metrics {
	registry := prometheus.NewRegistry()
	// Package collectors, where these have moved, links database/sql, which
	// the daemons of the DMZ must not contain.
	//lint:ignore SA1019 see above
	registry.MustRegister(prometheus.NewGoCollector())
	//lint:ignore SA1019 see above
	registry.MustRegister(prometheus.NewProcessCollector(prometheus.ProcessCollectorOpts{}))
	return &Metrics{Registry: registry, log: log, checks: checks{log: log}}
}

// AddCheck makes /readyz depend on check, which has to heed its context's
// deadline. The name is shown to clients.
func (m *Metrics) AddCheck(name string, check func(ctx context.Context) error) {
	m.checks.add(name, check)
}

// Handler serves the three paths.
func (m *Metrics) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.Registry, promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(m.log.Handler(), slog.LevelError),
		MaxRequestsInFlight: 4,
		Timeout:             20 * time.Second,
	}))
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", m.checks.serve)
	return mux
}

// Serve serves Handler on l until ctx ends, and closes l.
func (m *Metrics) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           m.Handler(),
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      30 * time.Second,
		IdleTimeout:       2 * time.Minute, // beyond the usual scrape interval
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          slog.NewLogLogger(m.log.Handler(), slog.LevelDebug), // port scans, mostly
	}
	// Scrapes are short and nobody misses one at the end.
	defer context.AfterFunc(ctx, func() { server.Close() })()
	err := server.Serve(l)
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve metrics: %w", err)
}
