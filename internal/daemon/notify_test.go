package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// manager stands in for the service manager: it reads what it is told.
func manager(t *testing.T, socket string) *net.UnixConn {
	t.Helper()
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetReadDeadline(time.Now().Add(time.Minute))
	t.Setenv("NOTIFY_SOCKET", socket)
	return conn
}

func told(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	message := make([]byte, 4096)
	n, err := conn.Read(message)
	if err != nil {
		t.Fatal(err)
	}
	return string(message[:n])
}

func TestNotify(t *testing.T) {
	for name, socket := range map[string]string{
		"path":     filepath.Join(shortDir(t), "notify"),
		"abstract": fmt.Sprintf("@gatepost-test-%d", os.Getpid()),
	} {
		t.Run(name, func(t *testing.T) {
			conn := manager(t, socket)
			n := NewNotifier()
			for _, step := range []struct {
				send func() error
				want string
			}{
				{n.Ready, `^READY=1$`},
				{n.Reloading, `^RELOADING=1\nMONOTONIC_USEC=[0-9]+$`},
				{n.Stopping, `^STOPPING=1$`},
				{func() error { return n.Status("two\nlines") }, `^STATUS=two lines$`},
			} {
				if err := step.send(); err != nil {
					t.Fatal(err)
				}
				if got := told(t, conn); !regexp.MustCompile(step.want).MatchString(got) {
					t.Errorf("told %q, want %s", got, step.want)
				}
			}
		})
	}
}

func TestNotifyNobody(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "")
	t.Setenv("WATCHDOG_USEC", "1000")
	n := NewNotifier()
	if err := n.Ready(); err != nil {
		t.Error(err)
	}
	n.Watchdog(context.Background(), func() bool { t.Error("asked"); return true }) // returns
	t.Setenv("NOTIFY_SOCKET", "/nonexistent/notify")
	if err := NewNotifier().Ready(); err == nil {
		t.Error("a manager that is gone is no error")
	}
}

func TestWatchdog(t *testing.T) {
	conn := manager(t, filepath.Join(shortDir(t), "notify"))
	t.Setenv("WATCHDOG_USEC", "20000")
	t.Setenv("WATCHDOG_PID", strconv.Itoa(os.Getpid()))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var sick atomic.Bool
	asked := make(chan struct{}, 100)
	go NewNotifier().Watchdog(ctx, func() bool {
		asked <- struct{}{}
		return !sick.Load()
	})
	for range 3 {
		if got := told(t, conn); got != "WATCHDOG=1" {
			t.Errorf("told %q", got)
		}
	}
	sick.Store(true)
	for range 3 { // the last answer before may still be on its way
		<-asked
	}
	for len(asked) > 0 {
		<-asked
	}
	conn.SetReadDeadline(time.Now().Add(10 * time.Millisecond)) // empties what was sent while healthy
	for message := make([]byte, 64); ; {
		if _, err := conn.Read(message); err != nil {
			break
		}
	}
	<-asked
	<-asked
	conn.SetReadDeadline(time.Now().Add(time.Millisecond))
	if n, err := conn.Read(make([]byte, 64)); err == nil {
		t.Errorf("%d bytes from a sick process", n)
	}

	t.Setenv("WATCHDOG_PID", "1")
	NewNotifier().Watchdog(ctx, func() bool { t.Error("a watchdog of another process"); return true })
}

func TestSignals(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	requests := Signals(ctx)
	for _, step := range []struct {
		signal syscall.Signal
		want   Signal
	}{{syscall.SIGHUP, Reload}, {syscall.SIGTERM, Stop}, {syscall.SIGINT, Stop}} {
		if err := syscall.Kill(os.Getpid(), step.signal); err != nil {
			t.Fatal(err)
		}
		if got := <-requests; got != step.want {
			t.Errorf("%v asks for %v, want %v", step.signal, got, step.want)
		}
	}
	cancel()
	if got, open := <-requests; open {
		t.Errorf("after the end: %v", got)
	}
}
