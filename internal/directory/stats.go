package directory

import "time"

// Stats are counts of a pool at one moment.
type Stats struct {
	Servers []ServerStats // by priority
	Hedged  uint64        // searches asked twice because a server was silent
	Retried uint64        // searches asked again because a connection was lost
}

// ServerStats are those of one server.
type ServerStats struct {
	URI         string
	State       string // "connecting", "up" or "down"
	Since       time.Time
	Connections int    // open, not those that are being opened
	InFlight    int    // searches under way
	Searches    uint64 // sent
	Failures    uint64 // connections that failed or were lost
	Err         error  // of the last failure
}

// Stats returns the counts.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	st := Stats{Hedged: p.hedged, Retried: p.retried}
	for _, s := range p.servers {
		one := ServerStats{URI: s.at.uri, State: s.state.String(), Since: s.since, Connections: len(s.conns),
			Searches: s.searches, Failures: s.failures, Err: s.err}
		for _, c := range s.conns {
			one.InFlight += c.inFlight
		}
		st.Servers = append(st.Servers, one)
	}
	return st
}
