package daemon

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier tells the service manager about this process, as sd_notify(3)
// describes it. Without NOTIFY_SOCKET in the environment it does nothing.
type Notifier struct {
	socket   string        // path, or "@name" for an abstract socket; empty: nobody listens
	watchdog time.Duration // interval within which a sign of life is due; 0: none
}

// NewNotifier reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID.
func NewNotifier() *Notifier {
	n := &Notifier{socket: os.Getenv("NOTIFY_SOCKET")}
	if pid := os.Getenv("WATCHDOG_PID"); pid == "" || pid == strconv.Itoa(os.Getpid()) {
		if usec, err := strconv.ParseInt(os.Getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
			n.watchdog = time.Duration(usec) * time.Microsecond
		}
	}
	return n
}

// Ready says that start-up, or a reload, is complete.
func (n *Notifier) Ready() error { return n.send("READY=1") }

// Reloading says that a reload begins; Ready ends it, also when the new
// configuration was refused. From systemd 253 a unit of Type=notify-reload
// needs the time stamp; older ones ignore it.
func (n *Notifier) Reloading() error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	return n.send("RELOADING=1\nMONOTONIC_USEC=" + strconv.FormatInt(now.Nano()/1000, 10))
}

// Stopping says that the process drains.
func (n *Notifier) Stopping() error { return n.send("STOPPING=1") }

// Status sets the line that systemctl status shows.
func (n *Notifier) Status(text string) error {
	return n.send("STATUS=" + strings.NewReplacer("\n", " ", "\r", " ").Replace(text))
}

// Watchdog reports life at half of the interval that the service manager asks
// for, as long as healthy returns true, until ctx ends. A healthy that hangs
// or says false for longer than the interval gets the process restarted. It
// returns at once where no watchdog is set.
func (n *Notifier) Watchdog(ctx context.Context, healthy func() bool) {
	if n.watchdog <= 0 || n.socket == "" {
		return
	}
	tick := time.NewTicker(max(n.watchdog/2, time.Millisecond))
	defer tick.Stop()
	for {
		if healthy() {
			n.send("WATCHDOG=1") // a lost one is made good by the next
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

func (n *Notifier) send(message string) error {
	if n.socket == "" {
		return nil
	}
	// The net package reads a leading @ as an abstract socket, as systemd does.
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: n.socket, Net: "unixgram"})
	if err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte(message)); err != nil {
		return fmt.Errorf("notify service manager: %w", err)
	}
	return nil
}
