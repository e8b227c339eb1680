package ldapmap_test

import (
	"io"
	"net"
	"sync"
	"testing"
)

// wall is a firewall between ldapmap and slapd. While it is shut nothing
// passes and nobody is told. What was connected when it was shut stays dead
// afterwards, since the firewall has forgotten it.
type wall struct {
	upstream string
	listener net.Listener
	all      sync.WaitGroup

	mu    sync.Mutex
	shut  bool
	era   int // counts how often it was shut
	conns map[net.Conn]bool
	open  int // connections of ldapmap
	most  int // of them at a time, since it was asked last
}

func newWall(t *testing.T, upstream string) *wall {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wall{upstream: upstream, listener: l, conns: map[net.Conn]bool{}}
	w.all.Go(w.accept)
	t.Cleanup(func() {
		l.Close()
		w.mu.Lock()
		for c := range w.conns {
			c.Close()
		}
		w.conns = nil
		w.mu.Unlock()
		w.all.Wait()
	})
	return w
}

func (w *wall) addr() string { return w.listener.Addr().String() }

// close shuts the wall.
func (w *wall) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = true
	w.era++
}

// reopen lets new connections through.
func (w *wall) reopen() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.shut = false
}

// connections says how many ldapmap had open at a time since the last call.
func (w *wall) connections() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := w.most
	w.most = w.open
	return n
}

// passes says whether bytes of a connection from that era still pass.
func (w *wall) passes(era int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !w.shut && w.era == era
}

func (w *wall) accept() {
	for {
		client, err := w.listener.Accept()
		if err != nil {
			return
		}
		w.mu.Lock()
		if !w.keep(client) {
			w.mu.Unlock()
			return
		}
		era, shut := w.era, w.shut
		w.open++
		w.most = max(w.most, w.open)
		w.mu.Unlock()
		if shut {
			// As if it had never arrived: it is read and nothing is said.
			w.all.Go(func() { w.swallow(client) })
			continue
		}
		w.all.Go(func() { w.relay(client, era) })
	}
}

// keep notes a connection that the end of the test closes; w.mu is held.
func (w *wall) keep(c net.Conn) bool {
	if w.conns == nil {
		c.Close()
		return false
	}
	w.conns[c] = true
	return true
}

func (w *wall) drop(c net.Conn, ours bool) {
	c.Close()
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, c)
	if ours {
		w.open--
	}
}

func (w *wall) swallow(client net.Conn) {
	defer w.drop(client, true)
	_, _ = io.Copy(io.Discard, client)
}

func (w *wall) relay(client net.Conn, era int) {
	defer w.drop(client, true)
	server, err := net.Dial("tcp", w.upstream)
	if err != nil {
		return // refused, as it would be without the wall
	}
	defer w.drop(server, false)
	w.mu.Lock()
	kept := w.keep(server)
	w.mu.Unlock()
	if !kept {
		return
	}
	w.all.Go(func() {
		if w.copy(client, server, era) {
			client.Close()
		}
	})
	if w.copy(server, client, era) {
		return
	}
	// Dead, but ldapmap is not told until it hangs up itself.
	w.swallow(client)
}

// copy passes bytes on until one side ends or the wall is shut. It says
// whether the end may be told to the other side.
func (w *wall) copy(to, from net.Conn, era int) bool {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if !w.passes(era) {
			return false
		}
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return true
			}
		}
		if err != nil {
			return true
		}
	}
}
