package daemon

import (
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// firstPassed is the first descriptor that systemd passes (sd_listen_fds(3)).
const firstPassed = 3

// SystemdNames returns the names of the sockets that systemd passed to this
// process, for "listen on passed sockets, else on the default". A socket unit
// without FileDescriptorName= has its own name.
//
// Several sockets may share a name; it is listed once, and Listen joins them.
func SystemdNames() []string {
	var names []string
	for _, name := range passedNames() {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

// passedNames gives the name of each passed descriptor, in order.
func passedNames() []string {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil
	}
	count, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || count <= 0 {
		return nil
	}
	var names []string
	given := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for i := range count {
		name := "unknown" // as sd_listen_fds_with_names(3) has it
		if i < len(given) && given[i] != "" {
			name = given[i]
		}
		names = append(names, name)
	}
	return names
}

// listenPassed returns the passed sockets of that name as one listener. The
// environment stays as it is and the descriptors stay open, so that a reload
// finds both again; close-on-exec keeps them from children.
func listenPassed(name string) (net.Listener, error) {
	names := passedNames()
	var listeners []net.Listener
	for i, n := range names {
		if n != name {
			continue
		}
		l, err := fromDescriptor(firstPassed+i, name)
		if err != nil {
			for _, l := range listeners {
				l.Close()
			}
			return nil, fmt.Errorf("passed socket: %w", err)
		}
		listeners = append(listeners, l)
	}
	switch {
	case len(listeners) > 0:
		return joinListeners(listeners), nil
	case len(names) == 0:
		return nil, errors.New("systemd passed no sockets; start the daemon through its socket unit")
	}
	return nil, fmt.Errorf("systemd passed no socket of that name, only %s; see FileDescriptorName= in the socket unit", strings.Join(names, ", "))
}

func fromDescriptor(fd int, name string) (net.Listener, error) {
	syscall.CloseOnExec(fd)
	duplicate, err := syscall.Dup(fd)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(duplicate), name)
	defer file.Close() // net.FileListener makes its own
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	if unix, ok := l.(*net.UnixListener); ok {
		unix.SetUnlinkOnClose(false) // the path is systemd's
	}
	return l, nil
}
