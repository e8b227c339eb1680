package daemon

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMetrics(t *testing.T) {
	var log safeBuffer
	m := NewMetrics(slog.New(slog.NewTextHandler(&log, nil)))
	counter := prometheus.NewCounter(prometheus.CounterOpts{Name: "gatepost_test_total", Help: "Counts."})
	m.Registry.MustRegister(counter)
	counter.Inc()
	var down atomic.Bool
	m.AddCheck("store", func(ctx context.Context) error {
		if _, ok := ctx.Deadline(); !ok {
			t.Error("no deadline")
		}
		if down.Load() {
			return errors.New("dial tcp 10.0.0.5: refused")
		}
		return nil
	})
	m.AddCheck("smarthost", func(context.Context) error { return nil })

	l := listen(t, "inet:127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- m.Serve(ctx, l) }()
	get := func(path, accept string) (int, string) {
		t.Helper()
		request, err := http.NewRequest("GET", "http://"+l.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Accept", accept)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}

	if status, body := get("/metrics", ""); status != 200 || !strings.Contains(body, "\ngatepost_test_total 1\n") || !strings.Contains(body, "\ngo_goroutines ") {
		t.Errorf("/metrics: %d %s", status, body)
	}
	if status, body := get("/healthz", ""); status != 200 || body != "ok\n" {
		t.Errorf("/healthz: %d %q", status, body)
	}
	if status, body := get("/readyz", ""); status != 200 || body != "ok store\nok smarthost\nready\n" {
		t.Errorf("/readyz: %d %q", status, body)
	}
	down.Store(true)
	if status, body := get("/readyz", ""); status != 503 || body != "failed store\nok smarthost\nnot ready; the log has the cause\n" {
		t.Errorf("/readyz with a store down: %d %q", status, body)
	}
	if status, body := get("/readyz", "application/json"); status != 503 ||
		body != `{"checks":[{"name":"store","ready":false},{"name":"smarthost","ready":true}],"ready":false}`+"\n" {
		t.Errorf("/readyz in JSON: %d %q", status, body)
	}
	down.Store(false)
	get("/readyz", "")
	if n := strings.Count(log.String(), `msg="not ready" check=store why="dial tcp 10.0.0.5: refused"`); n != 1 {
		t.Errorf("the failure is logged %d times: %s", n, log.String())
	}
	if n := strings.Count(log.String(), `msg="ready again" check=store`); n != 1 {
		t.Errorf("the recovery is logged %d times: %s", n, log.String())
	}
	if status, _ := get("/", ""); status != 404 {
		t.Errorf("/: %d", status)
	}
	response, err := http.Post("http://"+l.Addr().String()+"/readyz", "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != 405 {
		t.Errorf("POST: %d", response.StatusCode)
	}

	cancel()
	if err := <-ended; err != nil {
		t.Errorf("at the end: %v", err)
	}
}

func TestCheckPanics(t *testing.T) {
	m := NewMetrics(slog.New(slog.NewTextHandler(io.Discard, nil)))
	m.AddCheck("store", func(context.Context) error { panic("nil pool") })
	answer := httptest.NewRecorder()
	m.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/readyz", nil))
	if answer.Code != 503 || strings.Contains(answer.Body.String(), "nil pool") {
		t.Errorf("%d %q", answer.Code, answer.Body)
	}
}

func TestNewLogger(t *testing.T) {
	level := &slog.LevelVar{}
	for format, want := range map[string]string{"": "level=INFO msg=x a=1", "text": "level=INFO msg=x a=1", "json": `"level":"INFO","msg":"x","a":1}`} {
		var out strings.Builder
		log, err := NewLogger(&out, format, level)
		if err != nil {
			t.Fatal(err)
		}
		level.Set(slog.LevelWarn)
		log.Info("not shown")
		level.Set(slog.LevelInfo)
		log.Info("x", "a", 1)
		if !strings.HasSuffix(strings.TrimSpace(out.String()), want) || strings.Contains(out.String(), "not shown") {
			t.Errorf("%q writes %q", format, out.String())
		}
	}
	if _, err := NewLogger(io.Discard, "xml", level); err == nil || !strings.Contains(err.Error(), `"xml"`) {
		t.Errorf("xml: %v", err)
	}
}
