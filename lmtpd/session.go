package lmtpd

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"

	"gatepost/internal/message"
	"gatepost/lmtpd/recipient"
)

// session is one client's LMTP session. go-smtp calls its methods one after
// the other.
type session struct {
	set    *Settings
	budget *budget
	after  *aftermath
	conn   *conn
	client string
	net    net.Conn  // the client's, without the layers above
	tls    *tls.Conn // nil: no TLS
	peer   *Peer     // once it has said MAIL
	log    *slog.Logger

	mu sync.Mutex // BDAT reads a message beside the commands that may reset it
	tx transaction
}

// transaction is what MAIL and RCPT have said.
type transaction struct {
	from  string
	opts  smtp.MailOptions
	rcpts []accepted
}

// accepted is one accepted RCPT.
type accepted struct {
	address string // as the client gave it
	is      recipient.Recipient
}

// lookupTimeout bounds the resolution of one recipient; Postfix's
// lmtp_rcpt_timeout is 300 s.
const lookupTimeout = 30 * time.Second

func (srv *Server) newSession(set *Settings, c *smtp.Conn) *session {
	s := &session{set: set, budget: &srv.budget, after: srv.after}
	nc := c.Conn()
	if t, ok := nc.(*tls.Conn); ok {
		s.tls = t
		nc = t.NetConn()
	}
	s.net = nc
	if t, ok := nc.(*tracked); ok {
		s.conn = t.conn
	}
	s.client = clientName(nc)
	s.log = set.Log.With("client", s.client)
	set.Metrics.sessions.Inc()
	return s
}

// state is that of TLS, nil without it. The handshake is over when the first
// command has come.
func (s *session) state() *tls.ConnectionState {
	if s.tls == nil {
		return nil
	}
	state := s.tls.ConnectionState()
	return &state
}

// certificate names the client's certificate, for the log.
func (s *session) certificate() string {
	state := s.state()
	if state == nil || len(state.PeerCertificates) == 0 {
		return ""
	}
	c := state.PeerCertificates[0]
	return strings.Join(append([]string{c.Subject.String()}, c.DNSNames...), " ")
}

func clientName(c net.Conn) string {
	if a, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return a.IP.String()
	}
	return "local"
}

// Mail implements smtp.Session.
func (s *session) Mail(from string, opts *smtp.MailOptions) error {
	if s.set.RequireTLS && s.tls == nil {
		return replyTLS
	}
	if len(s.set.Peers) > 0 && s.peer == nil {
		var err error
		if s.peer, err = identify(s.set.Peers, s.net, s.state()); err != nil {
			s.log.Warn("client may not deliver", "sender", from, "why", err, "certificate", s.certificate())
			return s.set.verdict(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.tx.rcpts) > 0 {
		return replyNested // go-smtp would mix the recipients of both
	}
	s.tx = transaction{from: from, opts: *opts}
	return nil
}

// Rcpt implements smtp.Session.
func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	ctx, cancel := context.WithTimeout(context.Background(), lookupTimeout)
	defer cancel()
	r, err := s.set.resolve(ctx, to)
	if err == nil && r.List != nil && s.peer != nil && !s.peer.Lists {
		err = errNoLists
	}
	for _, target := range r.Refused {
		s.log.Warn("alias target refused: programs are never run", "rcpt", to, "target", target)
	}
	if err != nil {
		v := s.set.verdict(err)
		s.set.Metrics.recipient(stageRcpt, v)
		s.log.Info(decision(v), "stage", "rcpt", "sender", s.envelope().from, "rcpt", to, "code", v.Code, "why", err)
		return v
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tx.rcpts = append(s.tx.rcpts, accepted{to, r})
	return nil
}

// Data implements smtp.Session; an LMTP server gets LMTPData instead.
func (s *session) Data(io.Reader) error { return replyLater }

// envelope gives the transaction as it stands.
func (s *session) envelope() transaction {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tx
}

// LMTPData implements smtp.LMTPSession.
func (s *session) LMTPData(r io.Reader, status smtp.StatusCollector) (err error) {
	defer func() {
		// A panic must neither answer 250 nor take the daemon with it.
		if p := recover(); p != nil {
			s.log.Error("internal error", "why", p, "stack", string(debug.Stack()))
			err = replyLater
		}
	}()
	_, chunked := r.(*io.PipeReader)
	if s.conn != nil {
		r = s.conn.startContent(r, chunked)
	}
	if w, ok := r.(*dotReader); ok {
		defer w.drain()
	}
	tx := s.envelope()
	replies, proven, readErr := s.receive(tx, r)
	if readErr != nil {
		if chunked {
			// go-smtp gives one reply, and none for the other recipients,
			// unless all chunks are taken.
			_, _ = io.Copy(io.Discard, r)
		}
		return readErr
	}
	if s.conn != nil && proven != nil {
		s.conn.finalReplies(len(replies), proven)
	}
	for i, v := range replies {
		if v == nil {
			v = replyDelivered
		}
		status.SetStatus(tx.rcpts[i].address, v)
	}
	return replyLater // for a recipient without a status: there is none
}

// receive reads and delivers a message and gives each recipient's reply and
// what to do when the client has read them, or one error for all.
func (s *session) receive(tx transaction, r io.Reader) (replies []*smtp.SMTPError, proven func(), err error) {
	start := time.Now()
	arrived := s.set.Store.Expect()
	defer arrived()
	limit := s.set.sizeLimit()
	counted := &countingReader{r: r, s: s}
	defer func() { s.budget.give(counted.taken) }()
	raw, err := message.ReadRaw(counted, limit, min(tx.opts.Size, limit))
	if err != nil {
		v := s.set.verdict(err)
		if v == replyLater {
			v = replyIncomplete
		}
		for _, rc := range tx.rcpts {
			s.set.Metrics.recipient(stageData, v)
			s.log.Info(decision(v), "stage", "data", "sender", tx.from, "rcpt", rc.address, "code", v.Code, "why", err)
		}
		return nil, nil, v
	}
	digest := sha256.Sum256(raw.Data)
	m := message.Split(raw, message.Options{
		Sender: tx.from, Received: start.UTC(), Cached: s.set.Store.CachedHeader, DefaultCharset: s.set.Charset,
	})
	s.set.Metrics.message(m)
	d := &delivery{s: s, tx: tx, m: m, raw: raw, digest: digest, start: start, arrived: arrived}
	replies, proven = d.run()
	return replies, proven, nil
}

// Reset implements smtp.Session: go-smtp calls it after RSET, and when a
// message was taken to its end and the last reply was written.
func (s *session) Reset() {
	s.mu.Lock()
	s.tx = transaction{}
	s.mu.Unlock()
	if s.conn != nil {
		s.conn.endContent()
	}
}

// Logout implements smtp.Session.
func (s *session) Logout() error {
	if s.conn != nil {
		s.conn.forget()
	}
	return nil
}

// countingReader charges what is read to the memory budget.
type countingReader struct {
	r     io.Reader
	s     *session
	taken int64 // charged
	n     int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	const step = 1 << 20
	if c.n > c.taken {
		if e := c.s.budget.take(step, c.taken); e != nil {
			return n, e
		}
		c.taken += step
	}
	if errors.Is(err, smtp.ErrDataTooLarge) {
		err = message.ErrTooLarge
	}
	return n, err
}
