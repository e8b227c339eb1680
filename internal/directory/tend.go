package directory

import "time"

const (
	// tendEvery is how often connections are looked at in the background.
	tendEvery = time.Second
	// surplusAfter times the idle limit closes all but one connection.
	surplusAfter = 10
)

// examine asks a silent connection for a sign of life. Anything that comes on
// it counts. Meanwhile it is suspected and gets no searches; in the end it is
// closed. The lock is held.
func (p *Pool) examine(c *conn) {
	if c.examining || p.closed {
		return
	}
	c.examining = true
	p.all.Go(func() {
		defer func() {
			p.mu.Lock()
			c.examining = false
			p.mu.Unlock()
		}()
		heard := c.heard.Load()
		silent := func() bool { return c.heard.Load() == heard }
		done := make(chan *call, 1)
		k, err := c.start(p.probe, 0, done)
		if err != nil {
			c.end(err)
			return
		}
		soon, late := time.NewTimer(p.settings.pace.quiet), time.NewTimer(p.settings.pace.hung)
		defer soon.Stop()
		defer late.Stop()
		for {
			select {
			case <-done:
				return
			case <-soon.C:
				if silent() {
					p.suspect(c)
				}
			case <-late.C:
				c.giveUp(k)
				if silent() {
					c.end(errHung)
				}
				return
			}
		}
	})
}

// suspect keeps searches off a silent connection, and opens another when it
// was the last.
func (p *Pool) suspect(c *conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c.suspect.Store(true)
	if s := c.server; !s.anySound() && s.opening == 0 {
		s.open()
	}
	p.tell()
}

// tend looks after the connections until the pool is closed.
func (p *Pool) tend() {
	tick := time.NewTicker(min(tendEvery, max(p.settings.MaxIdle/4, 10*time.Millisecond)))
	defer tick.Stop()
	for {
		select {
		case <-p.ctx.Done():
			return
		case <-tick.C:
		}
		generation := 0
		if p.secure() {
			_, generation, _ = p.tls.current()
		}
		p.tendOnce(generation)
	}
}

// secure says whether any connection uses TLS.
func (p *Pool) secure() bool {
	for _, s := range p.servers {
		if s.at.tls || p.settings.StartTLS && s.at.network == "tcp" {
			return true
		}
	}
	return false
}

func (p *Pool) tendOnce(generation int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, s := range p.servers {
		fresh := s.sound(generation) > 0
		for _, c := range s.conns {
			idle := c.inFlight == 0
			switch {
			case c.retiring:
			case c.link.secure && c.link.generation != generation:
				// The certificates have changed: first the new, then the old.
				if fresh {
					p.retire(c)
				} else if s.opening == 0 {
					s.open()
				}
			case idle && c.quiet() >= p.settings.MaxIdle:
				p.examine(c)
			case s.sound(c.link.generation) > p.settings.Connections:
				p.retire(c) // one was opened because this was silent
			case idle && s.sound(c.link.generation) > 1 && time.Since(c.latest()) > surplusAfter*p.settings.MaxIdle:
				p.retire(c)
			}
		}
	}
}

// latest is when a search was last sent on the connection, or it was opened.
func (c *conn) latest() time.Time {
	if c.used.IsZero() {
		return c.born
	}
	return c.used
}

// retire closes a connection when the last search on it is over. The lock is held.
func (p *Pool) retire(c *conn) {
	c.retiring = true
	if c.inFlight == 0 && !p.closed {
		p.all.Go(c.unbind)
	}
}
