package daemon

import (
	"net"
	"net/netip"
	"sync"
	"time"
)

// GuardOptions say who may connect, and how often at the same time.
type GuardOptions struct {
	MaxConnections int            `toml:"max_connections"`          // in all; 0 is no limit
	MaxPerPeer     int            `toml:"max_connections_per_peer"` // per client address; 0 is no limit
	Allow          []netip.Prefix `toml:"allow"`                    // client networks; empty allows all; unix peers always may

	// Refuse writes the protocol's refusal, such as "421 …"; if nil, the
	// connection is only closed. It runs in its own goroutine, with a write
	// deadline of refusalTime.
	Refuse func(conn net.Conn, why Refusal) `toml:"-"`
	// Count, if not nil, is told of every connection: of an accepted one with
	// an empty reason.
	Count func(why Refusal) `toml:"-"`
}

// Refusal is why a connection is refused.
type Refusal string

// The reasons of a Guarded listener.
const (
	RefusedPeer    Refusal = "peer"     // the address is not in Allow
	RefusedFull    Refusal = "full"     // MaxConnections are open
	RefusedPerPeer Refusal = "per_peer" // MaxPerPeer are open from the address
)

const (
	refusalTime   = 2 * time.Second // a peer that does not read its refusal gets no more
	maxRefusals   = 64              // refusals being written at once; beyond, connections are only closed
	minAcceptWait = 5 * time.Millisecond
	maxAcceptWait = time.Second
)

// Guarded is a listener that lets through what its options allow. A refused
// peer never delays the next one.
type Guarded struct {
	net.Listener
	closed    chan struct{}
	closeOnce sync.Once
	refusals  chan struct{} // one element per refusal being written

	mu      sync.Mutex
	options GuardOptions
	open    int
	peers   map[netip.Addr]int
}

// Guard puts the options before l.
func Guard(l net.Listener, o GuardOptions) *Guarded {
	return &Guarded{
		Listener: l,
		closed:   make(chan struct{}),
		refusals: make(chan struct{}, maxRefusals),
		options:  o,
		peers:    map[netip.Addr]int{},
	}
}

// Change replaces the options for connections that are accepted from now on.
func (g *Guarded) Change(o GuardOptions) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.options = o
}

// Open returns how many accepted connections are open.
func (g *Guarded) Open() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.open
}

// Accept returns the next connection that is let through. Errors that pass by
// themselves, such as a lack of descriptors, are waited out.
func (g *Guarded) Accept() (net.Conn, error) {
	var wait time.Duration
	for {
		conn, err := g.Listener.Accept()
		if err != nil {
			if !passing(err) {
				return nil, err
			}
			wait = min(max(2*wait, minAcceptWait), maxAcceptWait)
			if !pause(wait, g.closed) {
				return nil, net.ErrClosed
			}
			continue
		}
		wait = 0
		if accepted := g.admit(conn); accepted != nil {
			return accepted, nil
		}
	}
}

// Close closes the listener; accepted connections live on.
func (g *Guarded) Close() error {
	g.closeOnce.Do(func() { close(g.closed) })
	return g.Listener.Close()
}

// admit counts the connection in, or refuses it and returns nil.
func (g *Guarded) admit(conn net.Conn) net.Conn {
	peer := peerAddr(conn)
	g.mu.Lock()
	o := g.options
	why := g.judge(o, peer)
	if why == "" {
		g.open++
		if peer.IsValid() {
			g.peers[peer]++
		}
	}
	g.mu.Unlock()
	if o.Count != nil {
		o.Count(why)
	}
	if why == "" {
		return &guardedConn{Conn: conn, release: func() { g.release(peer) }}
	}
	g.refuse(conn, o.Refuse, why)
	return nil
}

func (g *Guarded) judge(o GuardOptions, peer netip.Addr) Refusal {
	switch {
	case peer.IsValid() && len(o.Allow) > 0 && !contains(o.Allow, peer):
		return RefusedPeer
	case o.MaxConnections > 0 && g.open >= o.MaxConnections:
		return RefusedFull
	case peer.IsValid() && o.MaxPerPeer > 0 && g.peers[peer] >= o.MaxPerPeer:
		return RefusedPerPeer
	}
	return ""
}

func (g *Guarded) refuse(conn net.Conn, refuse func(net.Conn, Refusal), why Refusal) {
	if refuse == nil {
		conn.Close()
		return
	}
	select {
	case g.refusals <- struct{}{}:
	default:
		conn.Close()
		return
	}
	go func() {
		defer func() { <-g.refusals }()
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(refusalTime))
		refuse(conn, why)
	}()
}

func (g *Guarded) release(peer netip.Addr) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.open--
	if !peer.IsValid() {
		return
	}
	if g.peers[peer]--; g.peers[peer] == 0 {
		delete(g.peers, peer)
	}
}

// guardedConn counts itself out when it is closed, once.
type guardedConn struct {
	net.Conn
	once    sync.Once
	release func()
}

// Close closes the connection.
func (c *guardedConn) Close() error {
	err := c.Conn.Close()
	c.once.Do(c.release)
	return err
}

// NetConn returns the connection beneath, as tls.Conn does.
func (c *guardedConn) NetConn() net.Conn { return c.Conn }

// peerAddr gives the client's IP address, not valid for a unix socket. An IPv4
// address on an IPv6 socket is the IPv4 address.
func peerAddr(conn net.Conn) netip.Addr {
	tcp, ok := conn.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	return tcp.AddrPort().Addr().Unmap().WithZone("")
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	for _, p := range prefixes {
		if p.Contains(addr) {
			return true
		}
	}
	return false
}
