package daemon

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestControl(t *testing.T) {
	var log safeBuffer
	c := NewControl(slog.New(slog.NewTextHandler(&log, nil)))
	c.Handle("GET /echo", func(r *http.Request) (any, error) { return r.URL.Query(), nil })
	c.Handle("POST /flush", func(r *http.Request) (any, error) {
		var order struct{ Table string }
		if err := DecodeControl(r, &order); err != nil {
			return nil, err
		}
		if order.Table == "none" {
			return nil, &ControlError{http.StatusNotFound, "there is no such table"}
		}
		return map[string]string{"flushed": order.Table}, nil
	})
	c.Handle("GET /broken", func(*http.Request) (any, error) { return nil, errors.New("dial tcp 10.0.0.5: refused") })
	c.Handle("GET /nonsense", func(*http.Request) (any, error) { return func() {}, nil })
	c.Handle("GET /panic", func(*http.Request) (any, error) { panic("no") })

	path := filepath.Join(t.TempDir(), "control")
	a, err := ParseControl("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Serve(ctx, l) }()
	client, err := NewControlClient(a)
	if err != nil {
		t.Fatal(err)
	}

	long := strings.Repeat("%é", 10_000)
	var echo url.Values
	if err := client.Get(t.Context(), "/echo", url.Values{"key": {"a b+c@d&e=\x00", long}}, &echo); err != nil || echo["key"][0] != "a b+c@d&e=\x00" || echo["key"][1] != long {
		t.Errorf("%.100v, %v", echo, err)
	}
	var flushed struct{ Flushed string }
	for _, order := range []any{map[string]string{"table": "users"}, struct{}{}} {
		if err := client.Post(t.Context(), "/flush", order, &flushed); err != nil {
			t.Error(err)
		}
	}
	for _, tc := range []struct {
		name   string
		do     func() error
		status int
		want   string
	}{
		{"handler's own", func() error { return client.Post(t.Context(), "/flush", map[string]string{"table": "none"}, &flushed) }, 404, "there is no such table"},
		{"other error", func() error { return client.Get(t.Context(), "/broken", nil, &echo) }, 500, "dial tcp 10.0.0.5: refused"},
		{"no JSON", func() error { return client.Get(t.Context(), "/nonsense", nil, &echo) }, 500, "cannot be written"},
		{"unknown path", func() error { return client.Get(t.Context(), "/stats", nil, &echo) }, 404, "there is no GET /stats"},
		{"wrong method", func() error { return client.Get(t.Context(), "/flush", nil, &echo) }, 404, "there is no GET /flush"},
		{"unknown field", func() error { return client.Post(t.Context(), "/flush", map[string]string{"tables": ""}, &flushed) }, 400, `unknown field "tables"`},
		{"wrong type", func() error { return client.Post(t.Context(), "/flush", map[string]int{"table": 1}, &flushed) }, 400, "cannot unmarshal"},
		{"large body", func() error {
			return client.Post(t.Context(), "/flush", map[string]string{"table": strings.Repeat("x", maxControlBody)}, &flushed)
		}, 400, "too large"},
	} {
		var fault *ControlError
		if err := tc.do(); !errors.As(err, &fault) || fault.Status != tc.status || !strings.Contains(fault.What, tc.want) {
			t.Errorf("%s: %v", tc.name, err)
		}
	}
	if err := client.Get(t.Context(), "/panic", nil, &echo); err == nil || strings.Contains(err.Error(), "http://") {
		t.Errorf("after a panic: %v", err)
	}
	if !strings.Contains(log.String(), `msg=control order="POST /flush" why="there is no such table"`) || strings.Contains(log.String(), "GET") {
		t.Errorf("log:\n%s", log.String())
	}

	// The server says so and hangs up, which of both the client sees first is open.
	if err := client.Get(t.Context(), "/echo", url.Values{"key": {strings.Repeat("x", 2*maxControlHeader)}}, &echo); err == nil {
		t.Error("a header of any size is read")
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := client.Get(t.Context(), "/echo", nil, &echo); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("after the end: %v", err)
	}
}

func TestParseControl(t *testing.T) {
	for _, tc := range []struct {
		text string
		mode fs.FileMode
		want string // part of the error
	}{
		{"unix:/run/gatepost/x", 0o600, ""},
		{"unix:/run/gatepost/x?mode=0660&group=adm", 0o660, ""},
		{"systemd:control", 0, ""},
		{"inet:127.0.0.1:1", 0, "whoever can connect may do everything"},
		{"/run/x", 0, "write unix:/path"},
	} {
		a, err := ParseControl(tc.text)
		if tc.want == "" && (err != nil || a.Mode != tc.mode) || tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)) {
			t.Errorf("%s: %v, %v", tc.text, a, err)
		}
	}
	if _, err := NewControlClient(Address{Network: "systemd", Name: "x"}); err == nil {
		t.Error("a client of systemd's socket")
	}
}
