package lmtpd_test

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"io"
	"net"
	"path/filepath"
	"sync"
	"testing"
)

// mysqlProxy stands between lmtpd and MariaDB, on unix sockets. It knows of
// the protocol only where packets begin and that a command's packet has
// sequence number 0 (https://mariadb.com/kb/en/0-packet/).
type mysqlProxy struct {
	*snare
	socket   string // where lmtpd connects
	upstream string // MariaDB's socket

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// startMySQLProxy listens until the test's end.
func startMySQLProxy(t *testing.T, traps *snare, upstream string) *mysqlProxy {
	t.Helper()
	p := &mysqlProxy{snare: traps, socket: filepath.Join(shortDir(t), "sql"), upstream: upstream, conns: map[net.Conn]bool{}}
	l, err := net.Listen("unix", p.socket)
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		p.clear()
		p.drop()
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

// drop cuts all connections.
func (p *mysqlProxy) drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		c.Close()
	}
}

func (p *mysqlProxy) hold(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = true
}

func (p *mysqlProxy) forget(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

func (p *mysqlProxy) serve(client net.Conn) {
	defer client.Close()
	server, err := net.Dial("unix", p.upstream)
	if err != nil {
		return // MariaDB is down: so are we
	}
	defer server.Close()
	p.hold(client)
	defer p.forget(client)
	talk := &mysqlTalk{proxy: p, client: client, server: server}
	var both sync.WaitGroup
	both.Go(talk.up)
	both.Go(talk.down)
	both.Wait()
}

// mysqlTalk is one connection.
type mysqlTalk struct {
	proxy          *mysqlProxy
	client, server net.Conn

	mu      sync.Mutex
	pending query // what has not been answered completely
}

// query is what one packet asks for: one statement or several.
type query struct {
	text   string // its beginning
	commit bool   // it ends with COMMIT
}

func (c *mysqlTalk) cut() {
	c.client.Close()
	c.server.Close()
}

func (c *mysqlTalk) ask(q query) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = q
}

func (c *mysqlTalk) asked() query {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.pending
}

// up passes on what lmtpd says, packet by packet.
func (c *mysqlTalk) up() {
	defer c.cut()
	in := bufio.NewReader(c.client)
	for {
		p, err := readPacket(in)
		if err != nil {
			return
		}
		q, ok := p.query()
		if ok {
			if c.proxy.pass(q.moment(atStatement, false)) {
				return
			}
			c.ask(q)
		}
		if _, err := c.server.Write(p); err != nil {
			return
		}
		if ok && c.proxy.pass(q.moment(atSent, false)) {
			return
		}
	}
}

// down passes on what MariaDB says. It says nothing unasked.
func (c *mysqlTalk) down() {
	defer c.cut()
	in := bufio.NewReader(c.server)
	for {
		p, err := readPacket(in)
		if err != nil {
			return
		}
		q := c.asked()
		if q.text != "" {
			good := p.ends()
			if c.proxy.pass(q.moment(atPacket, good)) {
				return
			}
			// Of several statements the last is the COMMIT: its answer is
			// the one without others behind it, or an error before.
			if (good || p.failure()) && c.proxy.pass(q.moment(atAnswer, good)) {
				return
			}
		}
		if _, err := c.client.Write(p); err != nil {
			return
		}
	}
}

func (q query) moment(at string, good bool) moment {
	return moment{at: at, text: q.text, commit: q.commit, good: good}
}

// commits likes the given point of a COMMIT; at its answer only a good one.
func commits(at string) func(moment) bool {
	return func(m moment) bool { return m.at == at && m.commit && (m.good || at != atAnswer) }
}

// statement likes a statement on its way to MariaDB.
func statement(text string) func(moment) bool {
	return func(m moment) bool { return m.at == atStatement && m.text == text }
}

// packet is one of the protocol's: three bytes of length, a sequence number,
// the payload.
type packet []byte

func readPacket(in *bufio.Reader) (packet, error) {
	head, err := in.Peek(4)
	if err != nil {
		return nil, err
	}
	p := make(packet, 4+int(head[0])+int(head[1])<<8+int(head[2])<<16)
	_, err = io.ReadFull(in, p)
	return p, err
}

// comQuery is the first byte of the payload of text statements.
const comQuery = 0x03

// query tells what a packet of the client asks for. Sequence number 0 is that
// of commands.
func (p packet) query() (query, bool) {
	if len(p) < 6 || p[3] != 0 || p[4] != comQuery {
		return query{}, false
	}
	text := p[5:]
	return query{text: string(text[:min(len(text), 200)]), commit: bytes.HasSuffix(text, []byte("COMMIT"))}, true
}

// moreResults is SERVER_MORE_RESULTS_EXIST.
const moreResults = 0x0008

// ends says that the packet is an OK packet after which nothing comes. It
// knows those with small numbers, as COMMIT's is: header, affected rows, last
// insert id, two bytes of status.
func (p packet) ends() bool {
	return len(p) >= 4+7 && p[4] == 0 && p[5] == 0 && p[6] == 0 && binary.LittleEndian.Uint16(p[7:])&moreResults == 0
}

// failure says that the packet is an error, which ends the answer too.
func (p packet) failure() bool { return len(p) > 4 && p[4] == 0xff }
