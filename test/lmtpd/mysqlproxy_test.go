package lmtpd_test

import (
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
	snare
	socket   string // where lmtpd connects
	upstream string // MariaDB's socket

	mu    sync.Mutex
	conns map[net.Conn]bool
}

// startMySQLProxy listens until the test's end.
func startMySQLProxy(t *testing.T, upstream string) *mysqlProxy {
	t.Helper()
	p := &mysqlProxy{socket: filepath.Join(shortDir(t), "sql"), upstream: upstream, conns: map[net.Conn]bool{}}
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
	pending string // the statement that has not been answered
}

func (c *mysqlTalk) cut() {
	c.client.Close()
	c.server.Close()
}

func (c *mysqlTalk) ask(statement string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending = statement
}

// answered tells which statement is answered now; "" when it is known already.
func (c *mysqlTalk) answered() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	statement := c.pending
	c.pending = ""
	return statement
}

// comQuery is the first byte of the payload of a text statement.
const comQuery = 0x03

// up passes on what lmtpd says, packet by packet.
func (c *mysqlTalk) up() {
	defer c.cut()
	head := make([]byte, 4+200)
	for {
		if _, err := io.ReadFull(c.client, head[:4]); err != nil {
			return
		}
		size := int64(binary.LittleEndian.Uint32([]byte{head[0], head[1], head[2], 0}))
		known := min(size, int64(len(head)-4))
		if _, err := io.ReadFull(c.client, head[4:4+known]); err != nil {
			return
		}
		statement := ""
		if head[3] == 0 && known > 1 && head[4] == comQuery {
			statement = string(head[5 : 4+known])
			if c.proxy.pass(moment{at: atStatement, text: statement}) {
				return
			}
			c.ask(statement)
		}
		if _, err := c.server.Write(head[:4+known]); err != nil {
			return
		}
		if _, err := io.CopyN(c.server, c.client, size-known); err != nil {
			return
		}
		if statement != "" && c.proxy.pass(moment{at: atSent, text: statement}) {
			return
		}
	}
}

// down passes on what MariaDB says. It says nothing unasked, so the first
// bytes after a statement are its answer.
func (c *mysqlTalk) down() {
	defer c.cut()
	buf := make([]byte, 64<<10)
	for {
		n, err := c.server.Read(buf)
		if n > 0 {
			if s := c.answered(); s != "" {
				good := n > 4 && buf[4] == 0 // an OK packet
				if c.proxy.pass(moment{at: atAnswer, text: s, good: good}) {
					return
				}
			}
			if _, err := c.client.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// commits likes the given point of a COMMIT; at its answer only a good one.
func commits(at string) func(moment) bool {
	return func(m moment) bool { return m.at == at && m.text == "COMMIT" && (m.good || at != atAnswer) }
}
