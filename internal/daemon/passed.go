package daemon

import (
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
)

// firstPassed is the first descriptor that systemd passes (sd_listen_fds(3)).
const firstPassed = 3

// SystemdNames returns the names of the sockets that systemd passed to this
// process, for "listen on passed sockets, else on the default". A socket unit
// without FileDescriptorName= has its own name.
func SystemdNames() []string {
	if os.Getenv("LISTEN_PID") != strconv.Itoa(os.Getpid()) {
		return nil
	}
	count, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || count <= 0 {
		return nil
	}
	names := make([]string, count)
	given := strings.Split(os.Getenv("LISTEN_FDNAMES"), ":")
	for i := range names {
		names[i] = "unknown" // as sd_listen_fds_with_names(3) has it
		if i < len(given) && given[i] != "" {
			names[i] = given[i]
		}
	}
	return names
}

// listenPassed returns the passed socket of that name. The environment stays
// as it is and the descriptor stays open, so that a reload finds both again;
// close-on-exec keeps them from children.
func listenPassed(name string) (net.Listener, error) {
	names := SystemdNames()
	for i, n := range names {
		if n != name {
			continue
		}
		fd := firstPassed + i
		syscall.CloseOnExec(fd)
		duplicate, err := syscall.Dup(fd)
		if err != nil {
			return nil, fmt.Errorf("passed socket: %w", err)
		}
		file := os.NewFile(uintptr(duplicate), name)
		defer file.Close() // net.FileListener makes its own
		l, err := net.FileListener(file)
		if err != nil {
			return nil, fmt.Errorf("passed socket: %w", err)
		}
		if unix, ok := l.(*net.UnixListener); ok {
			unix.SetUnlinkOnClose(false) // the path is systemd's
		}
		return l, nil
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("systemd passed no sockets; start the daemon through its socket unit")
	}
	return nil, fmt.Errorf("systemd passed no socket of that name, only %s; see FileDescriptorName= in the socket unit", strings.Join(names, ", "))
}
