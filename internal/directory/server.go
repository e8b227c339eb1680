package directory

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"time"
)

// serverState is what we know of a server.
type serverState int

const (
	connecting serverState = iota // an attempt will tell
	up                            // there is a connection
	down                          // the last attempt failed
)

func (s serverState) String() string {
	return [...]string{connecting: "connecting", up: "up", down: "down"}[s]
}

const (
	// growAt is how many searches a connection has under way before another
	// is opened beside it.
	growAt = 8
	// usefulAfter is the age at which a connection has been worth opening,
	// if no search has been answered on it.
	usefulAfter = time.Second
	// maxUseless is how many useless connections in a row make a server that
	// accepts and then drops them one that is down.
	maxUseless = 2
)

// server is one server and our connections to it. All but the endpoint is
// under the pool's lock, and the methods are called with it held unless they
// say otherwise.
type server struct {
	pool *Pool
	at   endpoint

	state    serverState
	since    time.Time // of the state
	conns    []*conn
	opening  int         // attempts under way
	retry    *time.Timer // while down
	useless  int         // connections lost in a row that were of no use
	enough   time.Time   // no connection beside others before this
	err      error       // of the last failure
	failures uint64
	searches uint64
}

// open starts an attempt to connect, unless that were one too many.
func (s *server) open() {
	if s.pool.closed || s.opening+len(s.conns) >= MaxConnections {
		return
	}
	s.opening++
	s.pool.all.Go(s.attempt)
}

// grow opens one more beside those that there are, if the last such attempt
// did not fail just now.
func (s *server) grow() {
	if time.Now().After(s.enough) {
		s.open()
	}
}

// attempt connects. It is called without the lock.
func (s *server) attempt() {
	p := s.pool
	ctx, cancel := context.WithTimeout(p.ctx, p.settings.ConnectTimeout)
	defer cancel()
	l, err := connect(ctx, s.at, &p.settings, p.tls)
	p.mu.Lock()
	defer p.mu.Unlock()
	s.opening--
	switch {
	case p.closed:
		if err == nil {
			l.raw.Close()
		}
	case err != nil:
		s.failed(err)
	case s.sound(l.generation) >= p.settings.Connections:
		l.raw.Close() // attempts overlapped
	default:
		s.add(l)
	}
}

// sound counts the connections that take searches and have the TLS files' generation.
func (s *server) sound(generation int) int {
	n := 0
	for _, c := range s.conns {
		if c.usable() && c.link.generation == generation {
			n++
		}
	}
	return n
}

func (c *conn) usable() bool { return !c.retiring && !c.suspect.Load() }

// anySound says whether a search can be sent.
func (s *server) anySound() bool { return slices.ContainsFunc(s.conns, (*conn).usable) }

func (s *server) add(l *link) {
	c := newConn(l, s, s.lost, s.pool.sign)
	s.conns = append(s.conns, c)
	if s.state != up {
		s.pool.log.Info("directory server up", "server", s.at.uri, "after", time.Since(s.since).Round(time.Millisecond).String())
		s.become(up)
	}
	s.pool.tell()
}

func (s *server) become(state serverState) {
	s.state, s.since = state, time.Now()
	if s.retry != nil {
		s.retry.Stop()
		s.retry = nil
	}
}

// failed takes note of an attempt without success.
func (s *server) failed(err error) {
	s.failures++
	s.err = err
	if s.anySound() {
		s.enough = time.Now().Add(s.pool.settings.pace.refused)
		s.pool.log.Warn("directory connection failed", "server", s.at.uri, "why", err.Error())
		return
	}
	// What is left is silent, and there is no new connection: that is a
	// verdict. Ending takes the lock, so not here.
	for _, c := range s.conns {
		if !c.retiring {
			s.pool.all.Go(func() { c.end(err) })
		}
	}
	s.fall(err)
}

// fall makes the server one that is down, which is asked again and again in
// the background and gets no searches.
func (s *server) fall(err error) {
	if s.state != down {
		s.pool.log.Error("directory server down", "server", s.at.uri, "why", err.Error())
		s.become(down)
	}
	s.err = err
	if s.retry == nil && !s.pool.closed {
		wait := s.pool.settings.pace.retry
		if errors.Is(err, errBind) {
			wait = s.pool.settings.pace.refused
		}
		wait += rand.N(wait*2/3) - wait/3
		s.retry = time.AfterFunc(wait, s.again)
	}
	s.pool.tell()
}

// again is called without the lock, by the timer.
func (s *server) again() {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	s.retry = nil
	if s.state != down || p.closed {
		return
	}
	if !errors.Is(s.err, errBind) || s.opening == 0 {
		s.open()
	}
	s.fall(s.err)
}

// lost takes a connection off that has ended. It is called without the lock.
func (s *server) lost(c *conn, err error) {
	p := s.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	s.conns = slices.DeleteFunc(s.conns, func(other *conn) bool { return other == c })
	defer p.tell()
	if p.closed || errors.Is(err, errDone) {
		return
	}
	s.failures++
	s.err = err
	p.log.Warn("directory connection lost", "server", s.at.uri, "why", err.Error())
	if s.state != up || slices.ContainsFunc(s.conns, func(c *conn) bool { return !c.retiring }) {
		return
	}
	s.useless++
	if c.answered.Load() || time.Since(c.born) >= usefulAfter {
		s.useless = 0
	}
	if s.useless >= maxUseless {
		s.fall(err)
		return
	}
	s.become(connecting)
	if s.opening == 0 {
		s.open()
	}
}

// least returns the connection for one more search: the one with the fewest
// under way. Full says that there are connections, but none has room.
func (s *server) least(maxIdle time.Duration) (best *conn, full bool, silent *conn) {
	for _, c := range s.conns {
		if !c.usable() {
			continue
		}
		if c.inFlight == 0 && c.quiet() > maxIdle {
			// Nothing proves that it still works.
			silent = c
			continue
		}
		if c.inFlight >= maxInFlight {
			full = true
			continue
		}
		if best == nil || c.inFlight < best.inFlight {
			best = c
		}
	}
	return best, full && best == nil, silent
}
