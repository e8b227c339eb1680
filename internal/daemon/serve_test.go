package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// safeBuffer is a log that several goroutines write.
type safeBuffer struct {
	mu sync.Mutex
	b  strings.Builder
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// serve runs the server until stop is called, which returns Serve's error.
func serve(t *testing.T, s *Server) (dial func() net.Conn, stop func() error) {
	t.Helper()
	l := listen(t, "inet:127.0.0.1:0")
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l) }()
	dial = func() net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	return dial, func() error { cancel(); return <-ended }
}

func TestServeDrains(t *testing.T) {
	started := make(chan struct{})
	dial, stop := serve(t, &Server{Drain: time.Minute, Handler: func(ctx context.Context, conn net.Conn) {
		close(started)
		<-Draining(ctx)
		if ctx.Err() != nil {
			fmt.Fprint(conn, "given up")
		}
		fmt.Fprint(conn, "finished")
	}})
	conn := dial()
	<-started
	if err := stop(); err != nil {
		t.Error(err)
	}
	if got, err := io.ReadAll(conn); err != nil || string(got) != "finished" {
		t.Errorf("received %q, %v", got, err)
	}
	if _, err := net.Dial("tcp", conn.RemoteAddr().String()); err == nil {
		t.Error("still listening")
	}
}

func TestServeGivesUp(t *testing.T) {
	started := make(chan struct{})
	var seen error
	dial, stop := serve(t, &Server{Drain: time.Millisecond, Handler: func(ctx context.Context, conn net.Conn) {
		close(started)
		io.Copy(io.Discard, conn) // ends when the server closes the connection
		seen = ctx.Err()
	}})
	dial()
	<-started
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !errors.Is(seen, context.Canceled) {
		t.Errorf("the handler's context: %v", seen)
	}
}

func TestServePanic(t *testing.T) {
	var log safeBuffer
	dial, stop := serve(t, &Server{Log: slog.New(slog.NewTextHandler(&log, nil)), Handler: func(ctx context.Context, conn net.Conn) {
		line := make([]byte, 1)
		io.ReadFull(conn, line)
		if line[0] == 'p' {
			panic("at the disco")
		}
		fmt.Fprint(conn, "fine")
	}})
	bad, good := dial(), dial()
	fmt.Fprint(bad, "p")
	if got, err := io.ReadAll(bad); err != nil || len(got) != 0 {
		t.Errorf("the connection with the panic: %q, %v", got, err)
	}
	fmt.Fprint(good, "x")
	if got, err := io.ReadAll(good); err != nil || string(got) != "fine" {
		t.Errorf("its neighbour: %q, %v", got, err)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
	if !strings.Contains(log.String(), "at the disco") || !strings.Contains(log.String(), "serve_test.go") {
		t.Errorf("log %q", log.String())
	}
}

func TestServeAcceptErrors(t *testing.T) {
	near, far := net.Pipe()
	script := newScripted(accepted{err: &net.OpError{Op: "accept", Err: syscall.ENFILE}}, accepted{conn: near}, accepted{err: io.ErrUnexpectedEOF})
	s := &Server{Drain: time.Minute, Handler: func(ctx context.Context, conn net.Conn) { fmt.Fprint(conn, "served") }}
	ended := make(chan error)
	go func() { ended <- s.Serve(context.Background(), script) }()
	if got, err := io.ReadAll(far); err != nil || string(got) != "served" {
		t.Errorf("after an error that passes: %q, %v", got, err)
	}
	if err := <-ended; !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("an error that stays: %v", err)
	}
}
