package daemon

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// Listen opens the address. A unix socket gets its mode and group before
// anybody can reach it; one that a dead process left behind is replaced, one
// that somebody listens on is an error.
func Listen(ctx context.Context, a Address) (net.Listener, error) {
	var l net.Listener
	var err error
	switch a.Network {
	case "unix":
		l, err = listenUnix(ctx, a)
	case "inet":
		var config net.ListenConfig
		l, err = config.Listen(ctx, "tcp", net.JoinHostPort(a.Host, a.Port))
	case "systemd":
		l, err = listenPassed(a.Name)
	default:
		err = errors.New("unknown kind of address")
	}
	if err != nil {
		return nil, fmt.Errorf("listen on %v: %w", a, err)
	}
	return l, nil
}

// listenUnix makes the socket in a directory beside its place that only we may
// enter, and renames it into place when its mode and group are right. The
// rename also replaces a stale socket without a moment of absence.
func listenUnix(ctx context.Context, a Address) (net.Listener, error) {
	if err := checkVacant(ctx, a.Path); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(filepath.Dir(a.Path), ".")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(private)
	// A socket's address is limited to 107 bytes, which the longer path here
	// could exceed: bind through the directory's descriptor.
	dir, err := os.Open(private)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	nearby := fmt.Sprintf("/proc/self/fd/%d/s", dir.Fd())
	var config net.ListenConfig
	l, err := config.Listen(ctx, "unix", nearby)
	if err != nil {
		return nil, err
	}
	inner := l.(*net.UnixListener)
	inner.SetUnlinkOnClose(false) // it would unlink the name that it was bound to
	if err := dress(filepath.Join(private, "s"), a); err != nil {
		l.Close()
		return nil, err
	}
	if err := os.Rename(filepath.Join(private, "s"), a.Path); err != nil {
		l.Close()
		return nil, err
	}
	return newUnixListener(inner, a.Path), nil
}

// checkVacant refuses a path on which somebody listens, or that is no socket.
func checkVacant(ctx context.Context, path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() != os.ModeSocket {
		return fmt.Errorf("%s exists and is not a socket", path)
	}
	dialer := net.Dialer{Timeout: time.Second}
	conn, err := dialer.DialContext(ctx, "unix", path)
	if err == nil {
		conn.Close()
		return errors.New("another process listens there")
	}
	if !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("see whether another process listens there: %w", err)
	}
	return nil
}

// dress gives the socket its group, then its mode: chown may clear mode bits.
func dress(path string, a Address) error {
	if a.Group != "" {
		id, err := strconv.Atoi(a.Group)
		if err != nil {
			group, err := user.LookupGroup(a.Group)
			if err != nil {
				return err
			}
			if id, err = strconv.Atoi(group.Gid); err != nil {
				return err
			}
		}
		if err := os.Chown(path, -1, id); err != nil {
			return err
		}
	}
	if a.Mode != 0 {
		return os.Chmod(path, a.Mode)
	}
	return nil
}

// unixListener removes its socket when it is closed, unless the path belongs
// to another one by then.
type unixListener struct {
	*net.UnixListener
	path string
	mark os.FileInfo
}

func newUnixListener(l *net.UnixListener, path string) *unixListener {
	mark, _ := os.Lstat(path)
	return &unixListener{UnixListener: l, path: path, mark: mark}
}

// Addr returns the path at which clients find the socket.
func (l *unixListener) Addr() net.Addr { return &net.UnixAddr{Name: l.path, Net: "unix"} }

// Close closes the listener and removes its socket.
func (l *unixListener) Close() error {
	if now, err := os.Lstat(l.path); err == nil && l.mark != nil && os.SameFile(now, l.mark) {
		os.Remove(l.path)
	}
	return l.UnixListener.Close()
}
