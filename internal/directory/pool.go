package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// Pool asks a group of servers that hold the same directory. The first of
// them that works gets the searches; many share a connection. It is a Searcher.
type Pool struct {
	settings Settings
	log      *slog.Logger
	tls      *tlsState
	probe    []byte

	ctx    context.Context // of everything in the background
	cancel context.CancelFunc
	all    sync.WaitGroup

	mu      sync.Mutex
	closed  bool
	servers []*server       // by priority
	waiters []chan struct{} // for a slot, in the order of their coming
	hedged  uint64
	retried uint64
}

// NewPool begins to connect to all servers. Settings that Check refuses make
// a pool that is never ready. Without a logger it is silent.
func NewPool(s Settings, log *slog.Logger) *Pool {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	p := &Pool{settings: s.withDefaults(), log: log, probe: probe()}
	p.tls = &tlsState{files: s.TLS, noVerify: s.NoVerify, log: log}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, uri := range s.URIs {
		at, err := parseURI(uri)
		if err != nil {
			log.Error("directory server not usable", "server", uri, "why", err.Error())
			continue
		}
		if slices.ContainsFunc(p.servers, func(s *server) bool { return s.at == at }) {
			continue // named twice
		}
		one := &server{pool: p, at: at, since: time.Now()}
		p.servers = append(p.servers, one)
		one.open()
	}
	p.all.Go(p.tend)
	return p
}

// Close ends all connections; searches under way fail.
func (p *Pool) Close() {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.closed = true
	p.cancel()
	var conns []*conn
	for _, s := range p.servers {
		conns = append(conns, s.conns...)
		if s.retry != nil {
			s.retry.Stop()
		}
	}
	p.tell()
	p.mu.Unlock()
	for _, c := range conns {
		p.all.Go(c.unbind)
	}
	p.all.Wait()
}

var errPoolClosed = fmt.Errorf("%w: the connections have been closed", ErrUnavailable)

// wait returns a channel that is told when it may be worth to pick again. Who
// does not receive from it has to leave. The lock is held.
func (p *Pool) wait() chan struct{} {
	w := make(chan struct{}, 1)
	p.waiters = append(p.waiters, w)
	return w
}

// tell wakes all who wait. The lock is held.
func (p *Pool) tell() {
	for _, w := range p.waiters {
		w <- struct{}{}
	}
	p.waiters = nil
}

// tellOne wakes the one who has waited longest, as one slot is free. The lock
// is held.
func (p *Pool) tellOne() {
	if len(p.waiters) > 0 {
		p.waiters[0] <- struct{}{}
		p.waiters = p.waiters[1:]
	}
}

// leave ends a wait. What it may have been told is for the next one.
func (p *Pool) leave(w chan struct{}) {
	if w == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if i := slices.Index(p.waiters, w); i >= 0 {
		p.waiters = slices.Delete(p.waiters, i, i+1)
	} else {
		p.tellOne()
	}
}

// sign is told when a connection that was suspected has been heard.
func (p *Pool) sign() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.tell()
}

// pick takes a slot on a connection for one search: on the first server in
// order that has a sound one and is not to be avoided. Without one it returns
// a channel to wait on, when it may soon be otherwise, or an error. With
// patient it waits for a preferred server that is just being connected to.
func (p *Pool) pick(avoid []*server, patient bool) (*conn, chan struct{}, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, nil, errPoolClosed
	}
	undecided := false
	for _, s := range p.servers {
		if slices.Contains(avoid, s) || s.state == down {
			continue
		}
		if s.state == connecting {
			if patient {
				return nil, p.wait(), nil
			}
			undecided = true
			continue
		}
		best, full, silent := s.least(p.settings.MaxIdle + p.settings.MaxIdle/2)
		if silent != nil {
			silent.suspect.Store(true)
			p.examine(silent)
		}
		if full {
			return nil, p.wait(), nil
		}
		if best == nil {
			undecided = true
			continue
		}
		best.inFlight++
		best.used = time.Now()
		s.searches++
		if best.inFlight > growAt && s.sound(best.link.generation)+s.opening < p.settings.Connections {
			s.grow()
		}
		return best, nil, nil
	}
	if undecided {
		return nil, p.wait(), nil
	}
	return nil, nil, p.unavailable()
}

// release gives a slot back.
func (p *Pool) release(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.inFlight--
	if c.retiring && c.inFlight == 0 && !p.closed {
		p.all.Go(c.unbind)
	}
	p.tellOne()
}

// unavailable says why no server can be asked. The lock is held.
func (p *Pool) unavailable() error {
	err := ErrUnavailable
	for _, s := range p.servers {
		if s.err != nil {
			err = fmt.Errorf("%w; %s is %s: %v", err, s.at.uri, s.state, s.err)
		}
	}
	return err
}

// Ready waits until a server can be asked, or it is known that none can.
func (p *Pool) Ready(ctx context.Context) error {
	for {
		c, wait, err := p.pick(nil, false)
		if err != nil {
			return err
		}
		if c != nil {
			p.release(c)
			return nil
		}
		select {
		case <-wait:
		case <-ctx.Done():
			p.leave(wait)
			return fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
		}
	}
}

// dial opens a connection of its own to a server, encrypted and bound like
// the pool's; it is not counted among them. The context bounds no more than
// the opening, which ends with the connect time-out too.
func (p *Pool) dial(ctx context.Context, s *server) (*ldap.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, p.settings.ConnectTimeout)
	defer cancel()
	l, err := connect(ctx, s.at, &p.settings, p.tls)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", s.at.uri, err)
	}
	if l.in.Buffered() > 0 {
		l.raw.Close()
		return nil, fmt.Errorf("%s: %w", s.at.uri, errMalformed)
	}
	c := ldap.NewConn(boundedWrites{l}, l.secure)
	c.Start()
	return c, nil
}

// active returns the server that gets the searches, nil when there is none.
func (p *Pool) active() *server {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.servers {
		if s.state == up && s.anySound() {
			return s
		}
	}
	return nil
}

// boundedWrites gives up on a server that does not read: go-ldap writes, and
// closes, under a lock.
type boundedWrites struct{ *link }

func (c boundedWrites) Write(b []byte) (int, error) {
	c.raw.SetWriteDeadline(time.Now().Add(DefaultConnectTimeout))
	return c.link.Write(b)
}

func (c boundedWrites) Close() error { return c.raw.Close() }

var errHung = errors.New("no sign of life")
