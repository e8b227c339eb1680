package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"gatepost/test/rig"
)

// users is how many accounts the stores have.
const users = 200

func userName(i int) string { return fmt.Sprintf("user%03d", i) }

// cell is one measurement: so many sessions, each sending messages of this
// size to so many recipients, one after the other.
type cell struct {
	Size       int `json:"size"`
	Recipients int `json:"recipients"`
	Sessions   int `json:"sessions"`
}

// pace says how long a measurement takes: what is done while warming up is
// not counted.
type pace struct{ warm, measure time.Duration }

// measurement is what came of a cell.
type measurement struct {
	Messages   float64       `json:"messages_per_second"`
	Recipients float64       `json:"recipients_per_second"`
	P50        time.Duration `json:"p50_ns"`
	P99        time.Duration `json:"p99_ns"`
	CPU        time.Duration `json:"cpu_ns_per_message"` // of all processes but the client

	all int // messages, those of the warm-up too
}

// sample is one message that was delivered.
type sample struct {
	end  time.Time
	took time.Duration
}

// summarise counts what ended between from and to.
func summarise(samples []sample, from, to time.Time, recipients int) (measurement, error) {
	took := make([]time.Duration, 0, len(samples))
	for _, s := range samples {
		if !s.end.Before(from) && s.end.Before(to) {
			took = append(took, s.took)
		}
	}
	if len(took) == 0 {
		return measurement{}, errors.New("no message was delivered in the time that was measured")
	}
	slices.Sort(took)
	rate := float64(len(took)) / to.Sub(from).Seconds()
	return measurement{
		Messages: rate, Recipients: rate * float64(recipients),
		P50: rig.Percentile(took, 50), P99: rig.Percentile(took, 99), all: len(samples),
	}, nil
}

// load is what all sessions of a run share.
type load struct {
	serials   atomic.Uint64 // numbers all copies of all templates
	addresses [users]string
}

func newLoad() *load {
	l := &load{}
	for i := range l.addresses {
		l.addresses[i] = userName(i) + "@example.org"
	}
	return l
}

// names gives the addresses of users.
func (l *load) names(to []int) []string {
	out := make([]string, len(to))
	for i, u := range to {
		out[i] = l.addresses[u]
	}
	return out
}

// sender is one session's supply of messages.
type sender struct {
	load      *load
	r         *rand.Rand
	templates []*template
	to        int
	n         int
}

// newSender makes the messages of a session, so that sending costs nothing.
func (l *load) newSender(c cell) *sender {
	s := &sender{load: l, r: rand.New(rand.NewPCG(l.serials.Add(1), uint64(c.Size))), to: c.Recipients}
	n := max(1, min(8, 64<<20/c.Size)) // memory is no object, unless a message is of that size
	for range n {
		s.templates = append(s.templates, newTemplate(s.r, c.Size))
	}
	return s
}

// next gives a message that was never sent before, and users to send it to.
func (s *sender) next() (*template, []int) {
	t := s.templates[s.n%len(s.templates)]
	s.n++
	t.stamp(s.load.serials.Add(1))
	if s.to == 1 {
		return t, []int{s.r.IntN(users)}
	}
	return t, s.r.Perm(users)[:s.to]
}

// run sends to the LMTP server at addr.
func (l *load) run(addr string, c cell, p pace) (measurement, error) {
	var (
		stop    atomic.Bool
		mu      sync.Mutex
		samples []sample
		failed  error
		done    sync.WaitGroup
	)
	clients := make([]*client, c.Sessions)
	senders := make([]*sender, c.Sessions)
	for i := range clients {
		senders[i] = l.newSender(c)
		var err error
		if clients[i], err = dial(addr); err != nil {
			return measurement{}, fmt.Errorf("session %d: %w", i+1, err)
		}
		defer clients[i].close()
	}
	runtime.GC() // the supplies before are garbage now; not while the clock runs
	begin := time.Now()
	timer := time.AfterFunc(p.warm+p.measure, func() { stop.Store(true) })
	defer timer.Stop()
	for i, s := range senders {
		done.Go(func() {
			mine, err := s.send(clients[i], &stop)
			mu.Lock()
			defer mu.Unlock()
			samples = append(samples, mine...)
			if err != nil && failed == nil {
				failed = fmt.Errorf("session %d: %w", i+1, err)
				stop.Store(true)
			}
		})
	}
	done.Wait()
	if failed != nil {
		return measurement{}, failed
	}
	return summarise(samples, begin.Add(p.warm), begin.Add(p.warm+p.measure), c.Recipients)
}

// send is one session's work until it is told to stop.
func (s *sender) send(c *client, stop *atomic.Bool) ([]sample, error) {
	samples := make([]sample, 0, 1<<14)
	for !stop.Load() {
		t, to := s.next()
		took, err := c.deliver(t, s.load.names(to))
		if err != nil {
			return samples, err
		}
		samples = append(samples, sample{time.Now(), took})
	}
	return samples, nil
}
