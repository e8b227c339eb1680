package ldapmap

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

const (
	smallBuffer = 512     // of an idle connection; most requests fit
	keepBuffer  = 4 << 10 // larger ones are given back after use
	flushAt     = 32 << 10
	// requestTime is how long a request may take to arrive once it has begun.
	requestTime = 30 * time.Second
	// writeTime bounds how long a peer may leave replies unread; it is cut
	// off after that or up to a third less.
	writeTime = 30 * time.Second
)

// session is one connection. Requests are answered in their order, by one
// goroutine, with one read and one write each.
type session struct {
	srv  *Server
	conn net.Conn
	in   []byte // read; requests are in[start:]
	out  []byte // replies not yet written

	readBy, writeBy time.Time // deadlines that are set; zero: none
	fresh           bool      // a request was completed since the last read
	draining        atomic.Bool
}

// run serves the connection until the peer leaves, breaks the protocol or
// stops reading, or until the session is told to drain.
func (s *session) run(ctx context.Context) error {
	s.in = make([]byte, 0, smallBuffer)
	for {
		rest, err := s.answerAll(ctx)
		if werr := s.flush(); werr != nil {
			return werr
		}
		if err != nil {
			return err
		}
		if s.draining.Load() {
			return nil
		}
		if err := s.read(rest); err != nil {
			return s.ending(err)
		}
	}
}

// ending judges a failed read: a peer may leave between requests, may be idle
// for too long, and is sent off when we drain.
func (s *session) ending(err error) error {
	gone := errors.Is(err, io.EOF)
	switch {
	case s.draining.Load(), len(s.in) == 0 && (gone || errors.Is(err, os.ErrDeadlineExceeded)):
		return nil
	case gone:
		return errNoRequest
	}
	return err
}

// answerAll answers every complete request that was read, and says how many
// bytes the one that is not complete will have: 0 for none begun.
func (s *session) answerAll(ctx context.Context) (want int, err error) {
	buf := s.in
	for len(buf) > 0 {
		payload, used, total, err := parseNetstring(buf)
		if err != nil {
			return 0, err
		}
		if used == 0 {
			want = total
			break
		}
		s.answer(ctx, payload)
		s.fresh = true
		buf = buf[used:]
		if len(s.out) >= flushAt {
			if err := s.flush(); err != nil {
				return 0, err
			}
		}
	}
	s.in = s.in[:copy(s.in, buf)]
	return want, nil
}

// answer appends the reply to one request, "name SP key".
func (s *session) answer(ctx context.Context, payload []byte) {
	began := time.Now()
	settings := s.srv.settings.Load()
	name, rest, ok := bytes.Cut(payload, []byte{' '})
	key := string(rest)
	m := settings.Maps[string(name)]
	var r reply
	switch {
	case !ok:
		r = failure(errNoSpace)
	case m == nil:
		r = failure(errNoTable)
	case strings.IndexByte(key, 0) >= 0:
		r = failure(errNUL)
	default:
		c := &requestContext{parent: ctx, deadline: began.Add(m.deadline)}
		r = answer(m.Lookup(c, key))
		c.end()
	}
	s.out = appendReply(s.out, r.status, r.data)
	s.srv.note(settings, m, name, key, &r, time.Since(began))
}

// read waits for more bytes; want is how many the request that has begun will
// have, 0 for none.
func (s *session) read(want int) error {
	switch {
	case want > cap(s.in):
		// By doubling, so that a length alone takes no memory.
		grown := make([]byte, len(s.in), max(min(2*cap(s.in), want), smallBuffer))
		copy(grown, s.in)
		s.in = grown
	case len(s.in) == 0 && cap(s.in) > keepBuffer:
		s.in = make([]byte, 0, smallBuffer)
	}
	if err := s.readDeadline(want > 0); err != nil {
		return err
	}
	n, err := s.conn.Read(s.in[len(s.in):cap(s.in)])
	s.in = s.in[:len(s.in)+n]
	if n > 0 {
		return nil
	}
	return err
}

// readDeadline sets a deadline where none that will do is set: setting one for
// each request would cost more than the rest of it.
func (s *session) readDeadline(begun bool) error {
	now := time.Now()
	idle := s.srv.settings.Load().IdleTimeout
	left := s.readBy.Sub(now)
	switch {
	case begun && (left > requestTime || s.fresh && left < requestTime*2/3):
		s.readBy = now.Add(requestTime)
	case !begun && left < idle*3/4:
		s.readBy = now.Add(idle)
	default:
		s.fresh = false
		return nil
	}
	s.fresh = false
	err := s.conn.SetReadDeadline(s.readBy)
	// The order to drain may have set a deadline that this one replaced.
	if s.draining.Load() {
		return os.ErrDeadlineExceeded
	}
	return err
}

// flush writes all replies.
func (s *session) flush() error {
	if len(s.out) == 0 {
		return nil
	}
	if now := time.Now(); s.writeBy.Sub(now) < writeTime*2/3 {
		s.writeBy = now.Add(writeTime)
		if err := s.conn.SetWriteDeadline(s.writeBy); err != nil {
			return err
		}
	}
	_, err := s.conn.Write(s.out)
	s.out = s.out[:0]
	if cap(s.out) > keepBuffer {
		s.out = nil
	}
	return err
}

// drain ends the session: at once if it is idle, else after its replies.
func (s *session) drain() {
	s.draining.Store(true)
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}
