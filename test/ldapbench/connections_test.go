package main

import (
	"net"
	"testing"
)

func TestCountConnections(t *testing.T) {
	// A listener, two connections at it, their clients' ends, one that closes.
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1A85 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1 0 100 0 0 10 0
   1: 0100007F:1A85 0100007F:E8FE 01 00000000:00000000 00:00000000 00000000     0        0 2 1 0 100 0 0 10 0
   2: 0100007F:E8FE 0100007F:1A85 01 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
   3: 0100007F:1A85 0100007F:E900 01 00000000:00000000 00:00000000 00000000     0        0 4 1 0 100 0 0 10 0
   4: 0100007F:1A85 0100007F:E902 06 00000000:00000000 03:000003F4 00000000     0        0 0 3 0
`
	for port, want := range map[int]int{0x1A85: 2, 0xE8FE: 1, 0x1A86: 0} {
		if got := countConnections([]byte(table), port); got != want {
			t.Errorf("port %d: %d, want %d", port, got, want)
		}
	}
}

func TestWatchConnections(t *testing.T) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	stop := watchConnections(l.Addr().(*net.TCPAddr).Port)
	for range 3 {
		c, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	if n := stop(); n != 3 {
		t.Errorf("%d connections, want 3", n)
	}
}
