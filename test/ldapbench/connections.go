package main

import (
	"bytes"
	"fmt"
	"os"
	"sync"
	"time"
)

// countConnections reads a table of TCP connections (proc(5), /proc/net/tcp)
// and says how many are established at a local port, as its server sees them.
func countConnections(table []byte, port int) (n int) {
	want := fmt.Appendf(nil, ":%04X", port)
	for line := range bytes.Lines(table) {
		fields := bytes.Fields(line) // sl local_address rem_address st …
		if len(fields) > 3 && bytes.HasSuffix(fields[1], want) && string(fields[3]) == "01" {
			n++
		}
	}
	return n
}

// watchConnections notes the most connections at a port until stop is called.
func watchConnections(port int) (stop func() int) {
	most := 0
	end := make(chan struct{})
	var done sync.WaitGroup
	look := func() {
		if table, err := os.ReadFile("/proc/net/tcp"); err == nil {
			most = max(most, countConnections(table, port))
		}
	}
	done.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			look()
			select {
			case <-tick.C:
			case <-end:
				return
			}
		}
	})
	return func() int {
		close(end)
		done.Wait()
		look()
		return most
	}
}
