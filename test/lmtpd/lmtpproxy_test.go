package lmtpd_test

import (
	"bufio"
	"bytes"
	"net"
	"strings"
	"sync"
	"testing"
)

// lmtpProxy stands between Postfix and lmtpd and keeps account of whose final
// reply has reached Postfix.
type lmtpProxy struct {
	*snare
	addr     string // where Postfix connects
	upstream func() (net.Conn, error)
	answered func(letter, rcpt string) // called when a final 2xx has been passed on

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// startLMTPProxy listens on loopback until the test's end.
func startLMTPProxy(t *testing.T, traps *snare, upstream func() (net.Conn, error), answered func(letter, rcpt string)) *lmtpProxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &lmtpProxy{snare: traps, addr: l.Addr().String(), upstream: upstream, answered: answered, conns: map[net.Conn]bool{}}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		p.clear()
		p.mu.Lock()
		for c := range p.conns {
			c.Close()
		}
		p.mu.Unlock()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(c) })
		}
	})
	return p
}

// open tells how many connections lead to lmtpd.
func (p *lmtpProxy) open() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.conns)
}

func (p *lmtpProxy) serve(client net.Conn) {
	defer client.Close()
	server, err := p.upstream()
	if err != nil {
		return // lmtpd is down: so are we
	}
	defer server.Close()
	p.mu.Lock()
	p.conns[client] = true
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.conns, client)
		p.mu.Unlock()
	}()
	talk := &lmtpTalk{proxy: p, client: client, server: server, expected: []step{{verb: "greeting"}}}
	var both sync.WaitGroup
	both.Go(talk.up)
	both.Go(talk.down)
	both.Wait()
}

// lmtpTalk is one connection. Commands may be pipelined (RFC 2920), so what a
// reply belongs to is known from the order of the commands.
type lmtpTalk struct {
	proxy          *lmtpProxy
	client, server net.Conn

	mu       sync.Mutex
	expected []step   // commands that have not been answered
	accepted []string // recipients of this transaction
	content  bool     // after 354, before the final dot
	letter   string   // from the content's header
}

// step is a command, or the end of data for one recipient.
type step struct {
	verb, rcpt  string
	letter      string
	nth, copies int
}

func (c *lmtpTalk) cut() {
	c.client.Close()
	c.server.Close()
}

// up passes on what Postfix says, line by line.
func (c *lmtpTalk) up() {
	defer c.cut()
	in := bufio.NewReaderSize(c.client, 64<<10)
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return
		}
		end, letter := c.said(line)
		if _, err := c.server.Write(line); err != nil {
			return
		}
		if end && c.proxy.pass(moment{at: atDot, letter: letter}) {
			return
		}
	}
}

// said notes what a line of Postfix asks for, and whether it ends a message.
func (c *lmtpTalk) said(line []byte) (end bool, letter string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.content {
		verb, rest, _ := strings.Cut(strings.TrimRight(string(line), "\r\n"), " ")
		s := step{verb: strings.ToUpper(verb)}
		if s.verb == "RCPT" {
			_, rest, _ = strings.Cut(rest, "<")
			s.rcpt, _, _ = strings.Cut(rest, ">")
		}
		c.expected = append(c.expected, s)
		return false, ""
	}
	switch {
	case string(line) == ".\r\n":
		for i, rcpt := range c.accepted {
			c.expected = append(c.expected, step{verb: atReply, rcpt: rcpt, letter: c.letter, nth: i + 1, copies: len(c.accepted)})
		}
		c.content = false
		return true, c.letter
	case c.letter == "" && bytes.HasPrefix(line, []byte(letterField)):
		c.letter = strings.TrimSpace(string(line[len(letterField):]))
	}
	return false, ""
}

// down passes on lmtpd's replies, line by line.
func (c *lmtpTalk) down() {
	defer c.cut()
	in := bufio.NewReader(c.server)
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		s := c.replied(line)
		good := line[0] == '2'
		if s.verb == atReply {
			m := moment{at: atReply, text: line, letter: s.letter, rcpt: s.rcpt, nth: s.nth, copies: s.copies, good: good}
			if c.proxy.pass(m) {
				return
			}
		}
		if _, err := c.client.Write([]byte(line)); err != nil {
			return
		}
		if s.verb == atReply && good {
			c.proxy.answered(s.letter, s.rcpt)
		}
	}
}

// replied tells which command a line of lmtpd answers; no command as long as
// more lines of that reply follow.
func (c *lmtpTalk) replied(line string) step {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(line) < 4 || line[3] == '-' || len(c.expected) == 0 {
		return step{}
	}
	s := c.expected[0]
	c.expected = c.expected[1:]
	switch {
	case s.verb == "MAIL":
		c.accepted, c.letter = nil, ""
	case s.verb == "RCPT" && line[0] == '2':
		c.accepted = append(c.accepted, s.rcpt)
	case s.verb == "DATA" && line[:3] == "354":
		c.content = true
	}
	return s
}
