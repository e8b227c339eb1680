package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"
)

// checkTime bounds all checks of one request to /readyz.
const checkTime = 5 * time.Second

// checks are the backends without which a daemon can only say "try again".
type checks struct {
	log *slog.Logger

	mu  sync.Mutex
	all []*check
}

type check struct {
	name    string
	run     func(ctx context.Context) error
	failing bool // as last logged; under checks.mu
}

// result is one line of the answer.
type result struct {
	Name  string `json:"name"`
	Ready bool   `json:"ready"`
}

func (c *checks) add(name string, run func(ctx context.Context) error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, &check{name: name, run: run})
}

// run asks all backends at the same time and logs those whose state changed.
func (c *checks) run(ctx context.Context) (results []result, ready bool) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	c.mu.Lock()
	all := append([]*check(nil), c.all...)
	c.mu.Unlock()

	errs := make([]error, len(all))
	var wait sync.WaitGroup
	for i, check := range all {
		wait.Go(func() {
			defer func() {
				if value := recover(); value != nil {
					errs[i] = fmt.Errorf("panic: %v", value)
				}
			}()
			errs[i] = check.run(ctx)
		})
	}
	wait.Wait()

	ready = true
	results = make([]result, len(all))
	for i, check := range all {
		results[i] = result{Name: check.name, Ready: errs[i] == nil}
		ready = ready && errs[i] == nil
		c.note(check, errs[i])
	}
	return results, ready
}

// note logs that a check begins to fail, or passes again.
func (c *checks) note(check *check, err error) {
	c.mu.Lock()
	changed := check.failing != (err != nil)
	check.failing = err != nil
	c.mu.Unlock()
	switch {
	case changed && err != nil:
		c.log.Warn("not ready", "check", check.name, "why", err.Error())
	case changed:
		c.log.Info("ready again", "check", check.name)
	}
}

// serve answers /readyz, in JSON for clients that accept it and else in text.
func (c *checks) serve(w http.ResponseWriter, r *http.Request) {
	results, ready := c.run(r.Context())
	if r.Context().Err() != nil {
		return // the client left, which says nothing about the backends
	}
	status := http.StatusOK
	if !ready {
		status = http.StatusServiceUnavailable
	}
	w.Header().Set("Cache-Control", "no-store")
	if strings.Contains(r.Header.Get("Accept"), "application/json") {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(map[string]any{"ready": ready, "checks": results})
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	for _, one := range results {
		word := "ok"
		if !one.Ready {
			word = "failed"
		}
		fmt.Fprintln(w, word, one.Name)
	}
	if ready {
		fmt.Fprintln(w, "ready")
	} else {
		fmt.Fprintln(w, "not ready; the log has the cause")
	}
}
