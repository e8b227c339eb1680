package lmtpd

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// pending tells how many octets the kernel holds for a connection; 0 when it
// cannot be asked.
func pending(c net.Conn) int {
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0
	}
	n := 0
	if raw.Control(func(fd uintptr) { n, _ = unix.IoctlGetInt(int(fd), unix.TIOCINQ) }) != nil {
		return 0
	}
	return n
}
