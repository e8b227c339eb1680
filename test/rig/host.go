package rig

import (
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
)

// host is a testing.TB for a program: the testbed starts its daemons for one.
type host struct {
	testing.TB // nil: the testbed calls nothing that is not overridden here

	mu       sync.Mutex
	cleanups []func()
	err      error
}

// errGone is a failure without words.
var errGone = errors.New("given up")

// Within runs f and then what f asked to be cleaned up, and returns what was
// fatal to it.
func Within(f func(t testing.TB)) error {
	h := &host{err: errGone}
	done := make(chan struct{})
	go func() { // because a fatal error ends its goroutine
		defer close(done)
		defer h.clean()
		f(h)
		h.note(nil)
	}()
	<-done
	return h.err
}

func (h *host) note(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.err == nil || errors.Is(h.err, errGone) {
		h.err = err
	}
}

func (h *host) clean() {
	h.mu.Lock()
	cleanups := slices.Clone(h.cleanups)
	h.mu.Unlock()
	for _, f := range slices.Backward(cleanups) {
		f()
	}
}

// Helper implements testing.TB.
func (h *host) Helper() {}

// Cleanup implements testing.TB.
func (h *host) Cleanup(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.cleanups = append(h.cleanups, f)
}

// Fatal implements testing.TB.
func (h *host) Fatal(args ...any) {
	h.note(errors.New(fmt.Sprint(args...)))
	runtime.Goexit()
}

// Fatalf implements testing.TB.
func (h *host) Fatalf(format string, args ...any) { h.Fatal(fmt.Sprintf(format, args...)) }
