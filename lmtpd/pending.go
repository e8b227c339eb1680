package lmtpd

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// pending tells how many octets the kernel holds for a connection, however it
// is wrapped; known is false when the kernel cannot be asked.
func pending(c net.Conn) (n int, known bool) {
	for {
		wrapped, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			break
		}
		c = wrapped.NetConn()
	}
	sc, ok := c.(syscall.Conn)
	if !ok {
		return 0, false
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return 0, false
	}
	var failed error
	err = raw.Control(func(fd uintptr) { n, failed = unix.IoctlGetInt(int(fd), unix.TIOCINQ) })
	return n, err == nil && failed == nil
}
