package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of what comes through a control socket.
const (
	maxControlBody        = 64 << 10
	maxControlHeader      = 128 << 10 // a key of 10,000 bytes, each written as %XX, fits
	maxControlConnections = 16
	maxControlTime        = 2 * time.Minute // of one request, to its last byte
)

// Control is what a daemon lets its operator ask and order while it runs:
// HTTP with JSON on a unix socket that only its owner may open. Whoever can
// connect may do everything, and reads the causes of errors as they are.
type Control struct {
	mux *http.ServeMux
	log *slog.Logger
}

// NewControl makes a Control that knows no request yet.
func NewControl(log *slog.Logger) *Control {
	c := &Control{mux: http.NewServeMux(), log: log}
	c.mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		c.reply(w, nil, &ControlError{http.StatusNotFound, fmt.Sprintf("there is no %s %s", r.Method, r.URL.Path)})
	})
	return c
}

// ControlError is an error with the status of its HTTP response. Every other
// error of a handler has status 500.
type ControlError struct {
	Status int
	What   string
}

// Error implements error.
func (e *ControlError) Error() string { return e.What }

// Handle registers a handler for a pattern of net/http, such as "GET /stats".
// Its value is written as JSON, an error as {"error": "…"}. Requests other than
// GET are logged.
func (c *Control) Handle(pattern string, handler func(r *http.Request) (any, error)) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, maxControlBody)
		value, err := handler(r)
		if r.Method != http.MethodGet {
			fields := []any{"order", r.Method + " " + r.URL.Path}
			if err != nil {
				fields = append(fields, "why", err.Error())
			}
			c.log.Info("control", fields...)
		}
		c.reply(w, value, err)
	})
}

func (c *Control) reply(w http.ResponseWriter, value any, err error) {
	status := http.StatusOK
	if err != nil {
		status = http.StatusInternalServerError
		var known *ControlError
		if errors.As(err, &known) {
			status = known.Status
		}
		value = controlFault{err.Error()}
	}
	text, err := json.Marshal(value)
	if err != nil {
		c.log.Error("control", "why", err.Error())
		status, text = http.StatusInternalServerError, []byte(`{"error":"the reply cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(text, '\n')) // the peer may be gone
}

type controlFault struct {
	Error string `json:"error"`
}

// DecodeControl reads the JSON body of a request, strictly; an empty body
// leaves into as it is.
func DecodeControl(r *http.Request, into any) error {
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if errors.Is(err, io.EOF) {
		return nil
	}
	if err == nil && d.More() {
		err = errors.New("more than one value")
	}
	if err != nil {
		return &ControlError{http.StatusBadRequest, fmt.Sprintf("read the request: %v", err)}
	}
	return nil
}

// ParseControl reads the address of a control socket: unix:/path, whose mode is
// 0600 if the address has none, or systemd:NAME. There is no such thing on a
// network, as it asks for no password.
func ParseControl(s string) (Address, error) {
	a, err := ParseAddress(s)
	switch {
	case err != nil:
		return a, err
	case a.Network == "inet":
		return a, fmt.Errorf("control address %q: whoever can connect may do everything; write unix:/path", s)
	case a.Network == "unix" && a.Mode == 0:
		a.Mode = 0o600
	}
	return a, nil
}

// Serve serves requests on l until ctx ends, and closes l.
func (c *Control) Serve(ctx context.Context, l net.Listener) error {
	server := &http.Server{
		Handler:           c.mux,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       10 * time.Second,
		WriteTimeout:      maxControlTime,
		IdleTimeout:       10 * time.Second,
		MaxHeaderBytes:    maxControlHeader,
		ErrorLog:          slog.NewLogLogger(c.log.Handler(), slog.LevelDebug),
	}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	err := server.Serve(Guard(l, GuardOptions{MaxConnections: maxControlConnections}))
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the control socket: %w", err)
}
