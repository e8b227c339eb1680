package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"
)

// prober is one SMTP session that asks for recipient after recipient and sends
// no mail. It costs little, because it shares the machine with what it
// measures.
type prober struct {
	conn  net.Conn
	in    *bufio.Reader
	out   []byte
	rcpts int // of the transaction
}

const (
	patience = time.Minute // with one reply
	// transaction is how many recipients are asked for before another
	// begins; Postfix takes 1,000 (smtpd_recipient_limit).
	transaction = 900
)

// dialProber opens a session and a transaction.
func dialProber(addr string) (*prober, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	p := &prober{conn: conn, in: bufio.NewReader(conn)}
	if err := p.greet(); err != nil {
		conn.Close()
		return nil, fmt.Errorf("greet %s: %w", addr, err)
	}
	return p, nil
}

func (p *prober) greet() error {
	p.deadline()
	if code, err := p.reply(); err != nil || code != 220 {
		return p.unexpected(code, err)
	}
	if err := p.command("EHLO bench.example.org", 250); err != nil {
		return err
	}
	if err := p.command("MAIL FROM:<bench@bench.example.org>", 250); err != nil {
		return err
	}
	// Whom the address is looked up for needs two more processes, which the
	// first recipient would wait for.
	return p.command("RCPT TO:<someone@elsewhere.example>", 250)
}

func (p *prober) close() { p.conn.Close() }

func (p *prober) deadline() { _ = p.conn.SetDeadline(time.Now().Add(patience)) }

// ask tries a recipient: 250 says that there is one, 550 that there is not, and
// everything else is an error.
func (p *prober) ask(address string) (found bool, took time.Duration, err error) {
	p.deadline()
	if p.rcpts++; p.rcpts > transaction {
		p.rcpts = 1
		if err := p.command("RSET", 250); err != nil {
			return false, 0, err
		}
		if err := p.command("MAIL FROM:<bench@bench.example.org>", 250); err != nil {
			return false, 0, err
		}
	}
	p.out = append(append(append(p.out[:0], "RCPT TO:<"...), address...), ">\r\n"...)
	begin := time.Now()
	if _, err := p.conn.Write(p.out); err != nil {
		return false, 0, err
	}
	code, err := p.reply()
	took = time.Since(begin)
	if err != nil || code != 250 && code != 550 {
		return false, took, fmt.Errorf("%s: %w", address, p.unexpected(code, err))
	}
	return code == 250, took, nil
}

func (p *prober) command(text string, want int) error {
	if _, err := p.conn.Write([]byte(text + "\r\n")); err != nil {
		return err
	}
	if code, err := p.reply(); err != nil || code != want {
		return fmt.Errorf("%s: %w", text, p.unexpected(code, err))
	}
	return nil
}

var errReply = errors.New("unexpected reply")

func (p *prober) unexpected(code int, err error) error {
	if err != nil {
		return err
	}
	return fmt.Errorf("%w %d", errReply, code)
}

// reply reads one reply, all its lines, and gives its code.
func (p *prober) reply() (int, error) {
	for {
		line, err := p.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		if len(line) < 4 {
			return 0, fmt.Errorf("%w %q", errReply, line)
		}
		if line[3] == '-' {
			continue
		}
		code, err := strconv.Atoi(string(line[:3]))
		if err != nil {
			return 0, fmt.Errorf("%w %q", errReply, bytes.TrimSpace(line))
		}
		return code, nil
	}
}
