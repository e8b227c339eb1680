package lmtpd_test

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// moment is a point in a conversation that runs through one of the proxies.
type moment struct {
	at   string // one of the constants below
	text string // the statement, or the LMTP reply

	commit bool // SQL: the statement is COMMIT, or the last of several is

	letter      string // LMTP: the letter that is being delivered
	rcpt        string // LMTP: whose final reply this is
	nth, copies int    // LMTP: this is the nth of so many final replies, from 1
	good        bool   // the answer says that it was done
}

// Points at which a conversation can be held.
const (
	atStatement = "statement"   // a statement arrived from lmtpd, MariaDB has not seen it
	atSent      = "sent"        // MariaDB has the statement
	atPacket    = "packet"      // a packet of MariaDB's answer arrived, lmtpd has not seen it
	atAnswer    = "answer"      // MariaDB's answer arrived, lmtpd has not seen its end
	atDot       = "end of data" // lmtpd has the whole message
	atReply     = "final reply" // lmtpd's reply for a recipient arrived, Postfix has not seen it
)

// trap stops the conversation that first comes to a moment of its liking, once.
type trap struct {
	wants   func(moment) bool
	skip    int         // so many that it would like are let through first
	cut     bool        // when released: drop what was held, and both connections
	sprung  chan moment // gets the moment
	release chan struct{}
	once    sync.Once
}

// letGo ends the hold.
func (t *trap) letGo() { t.once.Do(func() { close(t.release) }) }

// snare is a proxy's set of traps.
type snare struct {
	mu    sync.Mutex
	traps []*trap // not sprung yet
	all   []*trap
}

// set lays a trap.
func (s *snare) set(wants func(moment) bool, skip int, cut bool) *trap {
	t := &trap{wants: wants, skip: skip, cut: cut, sprung: make(chan moment, 1), release: make(chan struct{})}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.traps, s.all = append(s.traps, t), append(s.all, t)
	return t
}

// pass is called by a proxy at each moment. It returns when the conversation
// may go on, and whether it must be cut instead.
func (s *snare) pass(m moment) (cut bool) {
	t := s.take(m)
	if t == nil {
		return false
	}
	t.sprung <- m
	<-t.release
	return t.cut
}

func (s *snare) take(m moment) *trap {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, t := range s.traps {
		if !t.wants(m) {
			continue
		}
		if t.skip > 0 {
			t.skip--
			continue
		}
		s.traps = append(s.traps[:i:i], s.traps[i+1:]...)
		return t
	}
	return nil
}

// clear removes the traps that have not sprung and lets go whom others hold.
func (s *snare) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.all {
		t.letGo()
	}
	s.traps, s.all = nil, nil
}

// await waits until the trap has sprung.
func (t *trap) await(tb testing.TB, state func() string) moment {
	tb.Helper()
	select {
	case m := <-t.sprung:
		return m
	case <-time.After(patience):
		t.letGo()
		tb.Fatalf("nobody came by a trap: %s", state())
		return moment{}
	}
}

func (m moment) String() string {
	if m.letter != "" {
		return fmt.Sprintf("%s %d of %d for letter %s to %s", m.at, m.nth, m.copies, m.letter, m.rcpt)
	}
	return fmt.Sprintf("%s of %.40q", m.at, m.text)
}
