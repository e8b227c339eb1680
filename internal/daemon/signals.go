package daemon

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Signal is what the administrator asks of a running daemon.
type Signal int

const (
	Reload Signal = iota // SIGHUP: read configuration again
	Stop                 // SIGTERM, SIGINT: drain and end
)

// String names the signal for the log.
func (s Signal) String() string {
	if s == Reload {
		return "reload"
	}
	return "stop"
}

// Signals returns the requests that reach the process until ctx ends, when the
// channel is closed and the signals have their default effect again. Requests
// to reload that arrive while one waits to be read become one.
func Signals(ctx context.Context) <-chan Signal {
	incoming := make(chan os.Signal, 4)
	signal.Notify(incoming, syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
	requests := make(chan Signal)
	go func() {
		defer close(requests)
		defer signal.Stop(incoming)
		for {
			var request Signal
			select {
			case <-ctx.Done():
				return
			case s := <-incoming:
				request = Stop
				if s == syscall.SIGHUP {
					request = Reload
				}
			}
			select {
			case <-ctx.Done():
				return
			case requests <- request:
			}
		}
	}()
	return requests
}
