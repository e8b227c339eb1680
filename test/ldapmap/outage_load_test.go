package ldapmap_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The kinds of addresses that a load asks for.
const (
	askKnown   = "known"   // exists and is remembered
	askUnseen  = "unseen"  // exists and was never asked for
	askMissing = "missing" // does not exist
)

// Answers, in the words of socketmap_table(5).
const (
	ok       = "OK"
	notFound = "NOTFOUND"
	temp     = "TEMP"
)

// load asks from several sides until it is stopped. What is untrue is an error
// of the test at once; the rest is counted by phase.
type load struct {
	t      *testing.T
	people *people
	ended  atomic.Bool
	all    sync.WaitGroup

	mu     sync.Mutex
	phase  string
	counts map[string]int             // "kind answer"
	took   map[string][]time.Duration // of answers to known addresses, by kind of client
}

func newLoad(t *testing.T, p *people) *load {
	l := &load{t: t, people: p}
	l.begin("before")
	t.Cleanup(l.stop)
	return l
}

func (l *load) stop() {
	l.ended.Store(true)
	l.all.Wait()
}

// begin begins a phase and tells how the one before was.
func (l *load) begin(phase string) (counts map[string]int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.counts) > 0 {
		var words []string
		for what, n := range l.counts {
			words = append(words, fmt.Sprintf("%s %d", what, n))
		}
		slices.Sort(words)
		for who, took := range l.took {
			slices.Sort(took)
			words = append(words, fmt.Sprintf("%s known p50 %v p99 %v max %v", who, took[len(took)/2].Round(time.Microsecond),
				took[len(took)*99/100].Round(time.Microsecond), took[len(took)-1].Round(time.Microsecond)))
		}
		l.t.Logf("%-22s %s", l.phase, strings.Join(words, ", "))
	}
	counts = l.counts
	l.phase, l.counts, l.took = phase, map[string]int{}, map[string][]time.Duration{}
	return counts
}

// count says how often something was answered in this phase.
func (l *load) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts[what]
}

// chooser chooses addresses for one client. Every other client asks for known
// addresses alone, so that it waits for nothing in an outage.
type chooser struct {
	people *people
	r      *rand.Rand
	mixed  bool
	last   time.Time // an unseen address
}

func (l *load) chooser(client int) *chooser {
	return &chooser{l.people, rand.New(rand.NewPCG(1, uint64(client))), client%2 == 0, time.Now()}
}

// next chooses. Unseen addresses are few: one from time to time.
func (c *chooser) next() (kind, address string) {
	if c.mixed && time.Since(c.last) > 50*time.Millisecond {
		c.last = time.Now()
		if address, ok := c.people.unseen(); ok {
			return askUnseen, address
		}
	}
	if c.mixed && c.r.IntN(3) == 0 {
		return askMissing, fmt.Sprintf("nobody%d@example.com", c.r.IntN(nobody))
	}
	return askKnown, personal(c.r.IntN(known))
}

// judge takes an answer. An address that exists is never not found, one that
// does not is never found; a known one is always answered, and in time.
func (l *load) judge(who, kind, address, answer string, took time.Duration) {
	good := map[string][]string{askKnown: {ok}, askUnseen: {ok, temp}, askMissing: {notFound, temp}}[kind]
	l.mu.Lock()
	defer l.mu.Unlock()
	l.counts[kind+" "+answer]++
	if kind == askKnown {
		l.took[who] = append(l.took[who], took)
	}
	if !slices.Contains(good, answer) {
		l.t.Errorf("%s: %s, %s address: %s after %v", l.phase, address, kind, answer, took)
	}
	// Our own scheduling on a busy machine comes on top.
	if took > lookupDeadline+lookupDeadline/2 {
		l.t.Errorf("%s: %s, %s address: %s only after %v", l.phase, address, kind, answer, took)
	}
}

// direct adds socketmap clients, as many Postfix processes would be.
func (l *load) direct(clients int) {
	for n := range clients {
		l.all.Go(func() {
			a, err := l.people.dial()
			if err != nil {
				l.t.Error(err)
				return
			}
			defer a.conn.Close()
			choose := l.chooser(n)
			for !l.ended.Load() {
				kind, address := choose.next()
				status, data, took, err := a.ask(address)
				if err != nil {
					l.t.Errorf("%s: %v", address, err)
					return
				}
				if status == ok && data != address {
					status += " with " + data
				}
				l.judge("ldapmap:", kind, address, status, took)
			}
		})
	}
}

// smtp adds sessions with a Postfix whose relay_recipient_maps are our table.
func (l *load) smtp(sessions int, addr string) {
	for n := range sessions {
		s := dialSMTP(l.t, addr)
		s.must("EHLO client.example")
		s.must("MAIL FROM:<a@sender.example>")
		l.all.Go(func() {
			choose := l.chooser(n)
			for rcpts := 1; !l.ended.Load(); rcpts++ {
				if rcpts%900 == 0 { // smtpd_recipient_limit is 1000
					if !l.say(s, "RSET", "2") || !l.say(s, "MAIL FROM:<a@sender.example>", "2") {
						return
					}
				}
				kind, address := choose.next()
				began := time.Now()
				reply, err := s.try("RCPT TO:<%s>", address)
				if err != nil {
					l.t.Errorf("%s: %v", address, err)
					return
				}
				answer := reply
				switch reply[:4] {
				case "250 ":
					answer = ok
				case "550 ":
					answer = notFound
				case "451 ":
					answer = temp
				}
				l.judge("smtpd:", kind, address, answer, time.Since(began))
			}
			_, _ = s.try("QUIT")
		})
	}
}

// say sends a command and says whether the reply begins as it should.
func (l *load) say(s *smtpClient, command, want string) bool {
	reply, err := s.try("%s", command)
	if err != nil || !strings.HasPrefix(reply, want) {
		l.t.Errorf("%s: %s, %v", command, reply, err)
		return false
	}
	return true
}
