package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

// Server runs a handler for each connection of a listener, and lets them
// finish when it is told to stop.
type Server struct {
	// Handler serves one connection, which is closed when it returns. Its
	// context ends when the connection has to be given up; Draining tells it
	// earlier to finish what it does and leave.
	Handler func(ctx context.Context, conn net.Conn)
	// Drain is how long handlers may go on after the order to stop.
	Drain time.Duration
	// Log gets panics of handlers.
	Log *slog.Logger
}

// drainingKey is where a handler's context holds the channel of Draining.
type drainingKey struct{}

// Draining returns a channel that is closed when the server that runs this
// handler stops accepting: an idle session should end now, a busy one after
// its present request.
func Draining(ctx context.Context) <-chan struct{} {
	c, _ := ctx.Value(drainingKey{}).(<-chan struct{})
	return c
}

// Serve accepts from l until ctx ends, then closes l, waits up to Drain for
// the handlers, closes what is left of their connections, and returns nil. If
// accepting fails for good it does the same and returns the error. A handler
// that panics ends its own connection and no other.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	stopping, stop := context.WithCancel(ctx)
	defer stop()
	defer context.AfterFunc(stopping, func() { l.Close() })()
	abort, abortAll := context.WithCancel(context.WithValue(context.WithoutCancel(ctx), drainingKey{}, stopping.Done()))
	defer abortAll()

	var handlers sync.WaitGroup
	err := s.accept(stopping, l, func(conn net.Conn) {
		handlers.Add(1)
		go func() {
			defer handlers.Done()
			s.handle(abort, conn)
		}()
	})
	stop()
	l.Close()

	done := make(chan struct{})
	go func() { handlers.Wait(); close(done) }()
	timer := time.NewTimer(s.Drain)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		abortAll() // closes the connections, see handle
		<-done
	}
	return err
}

// accept passes each connection to start until ctx ends.
func (s *Server) accept(ctx context.Context, l net.Listener, start func(net.Conn)) error {
	var wait time.Duration
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			wait = 0
			start(conn)
		case ctx.Err() != nil:
			return nil
		case passing(err):
			wait = min(max(2*wait, minAcceptWait), maxAcceptWait)
			pause(wait, ctx.Done())
		default:
			return fmt.Errorf("accept: %w", err)
		}
	}
}

func (s *Server) handle(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	defer func() {
		if value := recover(); value != nil && s.Log != nil {
			s.Log.Error("panic", "client", conn.RemoteAddr().String(), "why", fmt.Sprint(value), "stack", string(debug.Stack()))
		}
	}()
	s.Handler(ctx, conn)
}

// passing says whether an accept error passes by itself: descriptors or memory
// are short, or the peer left before it was accepted (accept(2)).
func passing(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.ECONNABORTED, syscall.EPROTO, syscall.EINTR} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// pause waits for the time, or returns false as soon as ended is closed.
func pause(d time.Duration, ended <-chan struct{}) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ended:
		return false
	}
}
