package daemon

import (
	"context"
	"log/slog"
	"net"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
)

// Metrics is what a daemon shows to its operator over HTTP: /metrics, /healthz
// and /readyz.
type Metrics struct {
	Registry *prometheus.Registry
}

// NewMetrics returns an empty registry and no checks.
func NewMetrics(log *slog.Logger) *Metrics { return &Metrics{Registry: prometheus.NewRegistry()} }

// AddCheck makes /readyz depend on check.
func (m *Metrics) AddCheck(name string, check func(ctx context.Context) error) {}

// Handler serves the three paths.
func (m *Metrics) Handler() http.Handler { return http.NotFoundHandler() }

// Serve serves Handler on l until ctx ends.
func (m *Metrics) Serve(ctx context.Context, l net.Listener) error { return nil }
