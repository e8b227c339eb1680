package lmtpd_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// sink is an SMTP server that stands for the world: lmtpd's smarthost, and
// where Postfix sends its bounces.
type sink struct {
	t    *testing.T
	addr string
	srv  *smtp.Server

	mu      sync.Mutex
	refuse  map[string]*smtp.SMTPError // by recipient
	arrived []arrival
}

// arrival is a message that the sink took.
type arrival struct {
	from string
	to   []string
	text string
}

func startSink(t *testing.T) *sink {
	t.Helper()
	s := &sink{t: t, addr: "127.0.0.1:0", refuse: map[string]*smtp.SMTPError{}}
	s.up()
	t.Cleanup(s.down)
	return s
}

// up listens, always on the same port.
func (s *sink) up() {
	s.t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = l.Addr().String()
	s.srv = smtp.NewServer(smtp.BackendFunc(func(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s}, nil }))
	s.srv.Domain = "sink.test"
	go s.srv.Serve(l) // ends with down
}

// down closes the port and all connections.
func (s *sink) down() { s.srv.Close() }

// answer says how recipients are answered from now on; nil takes them.
func (s *sink) answer(rcpt string, refusal *smtp.SMTPError) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.refuse[rcpt] = refusal
}

// to lists what arrived for a recipient.
func (s *sink) to(rcpt string) []arrival {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []arrival
	for _, a := range s.arrived {
		if slices.Contains(a.to, rcpt) {
			out = append(out, a)
		}
	}
	return out
}

type sinkSession struct {
	sink *sink
	arrival
}

func (s *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	s.arrival = arrival{from: from}
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	if r := s.sink.refuse[to]; r != nil {
		return r
	}
	s.arrival.to = append(s.arrival.to, to)
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("content: %w", err) // cut off in the middle: not taken
	}
	s.sink.mu.Lock()
	defer s.sink.mu.Unlock()
	s.arrival.text = string(text)
	s.sink.arrived = append(s.sink.arrived, s.arrival)
	return nil
}

func (s *sinkSession) Reset()        {}
func (s *sinkSession) Logout() error { return nil }
