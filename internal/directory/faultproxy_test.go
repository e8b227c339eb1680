package directory

import (
	"bufio"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
)

// point is a moment in the life of a connection at which a fault can strike.
type point string

const (
	atConnect     point = "connect"
	atBind        point = "bind request"
	atBindAnswer  point = "bind answer"
	atRequest     point = "search request" // part of it may pass
	beforeAnswer  point = "before the answer"
	betweenEntry  point = "between entries"
	beforeDone    point = "before SearchResultDone"
	afterDone     point = "after SearchResultDone"
	insideMessage point = "inside a message of the answer"
)

var allPoints = []point{atConnect, atBind, atBindAnswer, atRequest, beforeAnswer, betweenEntry, beforeDone, afterDone, insideMessage}

// fault is what happens there.
type fault string

const (
	closes    fault = "close"      // in good order
	resets    fault = "reset"      // RST
	hangs     fault = "hang"       // the connection stays open and silent
	freezes   fault = "freeze"     // so do all others, and new ones
	garbles   fault = "garbage"    // bytes that are no LDAP
	truncates fault = "truncate"   // a whole message, with an element that claims more than there is
	notices   fault = "disconnect" // a notice of disconnection (RFC 4511 4.4.1), then the end
	foreign   fault = "foreign"    // an answer to a request that nobody made, then as if nothing were
	answers   fault = "result"     // a SearchResultDone or BindResponse with another code
)

var allFaults = []fault{closes, resets, hangs, freezes, garbles, truncates, notices, foreign, answers}

// ends are the faults after which nothing more comes on the connection.
var ends = []fault{closes, resets, hangs, freezes}

// plan says which fault strikes where.
type plan struct {
	at    point
	what  fault
	code  int // of the result
	bytes int // of the request or message that still pass
	times int // how often; negative: always
}

// faultProxy stands between the pool and slapd, on TCP. It knows messages
// and counts what the pool does.
type faultProxy struct {
	upstream string
	listener net.Listener

	mu       sync.Mutex
	plan     plan
	hit      int             // times that the fault has struck
	clear    chan struct{}   // closed by the end of the plan
	frozen   bool            // nothing moves
	conns    map[*relay]bool // open ones
	accepted int
	most     int // open at the same time
	searches int // requests seen, without probes
	probes   int
	abandons int
	slow     int           // answers to searches that wait
	wait     chan struct{} // for this
}

func startFaultProxy(t testing.TB, upstream string) *faultProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &faultProxy{upstream: upstream, listener: l, clear: make(chan struct{}), conns: map[*relay]bool{}}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		p.set(plan{})
		p.drop()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(c.(*net.TCPConn)) })
		}
	})
	return p
}

func (p *faultProxy) uri() string { return "ldap://" + p.listener.Addr().String() }

// set begins a plan and ends the one before: what hung for it is closed.
func (p *faultProxy) set(to plan) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.clear)
	p.plan, p.hit, p.clear, p.frozen = to, 0, make(chan struct{}), false
}

// drop cuts all connections.
func (p *faultProxy) drop() {
	p.mu.Lock()
	open := slices.Collect(maps.Keys(p.conns))
	p.mu.Unlock()
	for _, r := range open {
		r.end(resets)
	}
}

// delay holds back the next answers to searches, not to probes, until release.
func (p *faultProxy) delay(searches int) (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.slow, p.wait = searches, make(chan struct{})
	return sync.OnceFunc(func() { close(p.wait) })
}

// probed counts the probes.
func (p *faultProxy) probed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.probes
}

// strikes says whether the fault strikes at this point, and counts it.
func (p *faultProxy) strikes(at point) (plan, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.plan.at != at || p.plan.what == "" || p.plan.times >= 0 && p.hit >= p.plan.times {
		return plan{}, false
	}
	p.hit++
	if p.plan.what == freezes {
		p.frozen = true
	}
	return p.plan, true
}

// hold waits for the plan's end when all is frozen; false then, as the
// connection is of no use any more.
func (r *relay) hold(always bool) bool {
	r.proxy.mu.Lock()
	clear, frozen := r.proxy.clear, r.proxy.frozen
	r.proxy.mu.Unlock()
	if !frozen && !always {
		return true
	}
	go func() { // to notice when the pool has given it up
		io.Copy(io.Discard, r.client)
		r.end(closes)
	}()
	<-clear
	return false
}

// counts of what the pool did: connections accepted, most of them at once,
// searches.
func (p *faultProxy) counts() (accepted, most, searches int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.accepted, p.most, p.searches
}

func (p *faultProxy) serve(client *net.TCPConn) {
	r := &relay{proxy: p, client: client, done: map[int]bool{}}
	defer r.end(closes)
	p.mu.Lock()
	p.accepted++
	p.conns[r] = true
	p.most = max(p.most, len(p.conns))
	p.mu.Unlock()
	if plan, ok := p.strikes(atConnect); ok {
		r.strike(plan, 0, 0)
		return
	}
	if !r.hold(false) {
		return
	}
	server, err := net.Dial("tcp", p.upstream)
	if err != nil {
		return
	}
	p.mu.Lock()
	r.server = server
	p.mu.Unlock()
	var both sync.WaitGroup
	both.Go(r.up)
	both.Go(r.down)
	both.Wait()
}

// relay is one connection.
type relay struct {
	proxy  *faultProxy
	client *net.TCPConn
	server net.Conn
	once   sync.Once

	done map[int]bool // searches that have had an entry
}

func (r *relay) end(how fault) {
	r.once.Do(func() {
		if how == resets {
			r.client.SetLinger(0)
		}
		r.client.Close()
	})
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	delete(r.proxy.conns, r)
	if r.server != nil {
		r.server.Close()
	}
}

// strike does what the plan says instead of passing a message on. It returns
// whether the connection goes on, without the message when skip.
func (r *relay) strike(p plan, id int, op byte) (goesOn, skip bool) {
	switch p.what {
	case closes, resets:
		r.end(p.what)
	case hangs, freezes:
		r.hold(true)
		r.end(closes)
	case garbles:
		r.client.Write([]byte("220 mail.example.com ESMTP\r\n"))
		return true, true // it ends when the pool has had enough
	case truncates:
		// An entry whose name is longer than the message.
		r.client.Write(appendMessage(nil, id, []byte{opSearchEntry, 4, tagOctets, 100, 'd', 'c'}))
		return true, true
	case notices:
		b, at := openTag(nil, opExtendedResponse)
		b = appendOctets(appendOctets(appendInt(b, tagEnumerated, 52), tagOctets, ""), tagOctets, "shutting down")
		r.client.Write(appendMessage(nil, 0, closeTag(b, at)))
		r.end(closes)
	case foreign:
		r.client.Write(appendMessage(nil, 1<<20, answerTo(opSearchDone, 0)))
		return true, false
	case answers:
		if op == 0 {
			r.end(closes)
			return false, false
		}
		r.client.Write(appendMessage(nil, id, answerTo(op, p.code)))
		return true, true
	}
	return false, false
}

func answerTo(op byte, code int) []byte {
	b, at := openTag(nil, op)
	b = appendOctets(appendOctets(appendInt(b, tagEnumerated, code), tagOctets, ""), tagOctets, "injected")
	return closeTag(b, at)
}

// up passes on what the pool says.
func (r *relay) up() {
	defer r.end(closes)
	in := bufio.NewReader(r.client)
	for {
		m, err := readMessage(in)
		if err != nil {
			return
		}
		id, op, content, err := openMessage(m)
		if err != nil {
			return
		}
		at, answer, probe := point(""), byte(0), false
		switch op {
		case opBindRequest:
			at, answer = atBind, opBindResponse
		case opSearchRequest:
			at, answer = atRequest, opSearchDone
			if base, err := content.take(tagOctets); err == nil {
				probe = len(base) == 0
				r.count(probe)
			}
		case opAbandonRequest:
			r.proxy.mu.Lock()
			r.proxy.abandons++
			r.proxy.mu.Unlock()
		}
		if plan, ok := r.proxy.strikes(at); ok {
			if slices.Contains(ends, plan.what) {
				r.server.Write(m[:min(plan.bytes, len(m)-1)])
			}
			goesOn, skip := r.strike(plan, id, answer)
			if !goesOn {
				return
			}
			if skip {
				continue
			}
		}
		if !r.hold(false) {
			return
		}
		if op == opSearchRequest && !probe && r.delayed(m) {
			continue
		}
		if _, err := r.server.Write(m); err != nil {
			return
		}
	}
}

// count counts a search.
func (r *relay) count(probe bool) {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	if probe {
		r.proxy.probes++
	} else {
		r.proxy.searches++
	}
}

// delayed keeps a search back, to be sent to the server later.
func (r *relay) delayed(m []byte) bool {
	r.proxy.mu.Lock()
	defer r.proxy.mu.Unlock()
	if r.proxy.slow == 0 {
		return false
	}
	r.proxy.slow--
	wait := r.proxy.wait
	go func() {
		<-wait
		r.server.Write(m)
	}()
	return true
}

// down passes on what slapd says.
func (r *relay) down() {
	defer r.end(closes)
	in := bufio.NewReader(r.server)
	struck := map[int]bool{} // searches whose result was injected
	for {
		m, err := readMessage(in)
		if err != nil {
			return
		}
		id, op, _, err := openMessage(m)
		if err != nil {
			return
		}
		if struck[id] {
			continue
		}
		var points []point
		answer := byte(opSearchDone)
		switch op {
		case opBindResponse:
			points, answer = []point{atBindAnswer}, opBindResponse
		case opSearchEntry, opSearchDone:
			if r.done[id] {
				points = append(points, betweenEntry)
			} else {
				points = append(points, beforeAnswer)
			}
			r.done[id] = true
			points = append(points, insideMessage)
			if op == opSearchDone {
				points = append(points, beforeDone)
				delete(r.done, id)
			}
		}
		skip := false
		for _, at := range points {
			plan, ok := r.proxy.strikes(at)
			if !ok {
				continue
			}
			if at == insideMessage {
				r.client.Write(m[:min(plan.bytes, len(m)-1)])
			}
			goesOn, skipped := r.strike(plan, id, answer)
			if !goesOn {
				return
			}
			skip = skip || skipped || at == insideMessage
		}
		if skip {
			struck[id] = true
			continue
		}
		if !r.hold(false) {
			return
		}
		if _, err := r.client.Write(m); err != nil {
			return
		}
		if op == opSearchDone {
			if plan, ok := r.proxy.strikes(afterDone); ok {
				if goesOn, _ := r.strike(plan, id, 0); !goesOn {
					return
				}
			}
		}
	}
}

// names of a plan, for messages.
func (p plan) String() string {
	return strings.Join([]string{string(p.what), string(p.at)}, " at ")
}
