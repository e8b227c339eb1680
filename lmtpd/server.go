package lmtpd

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/emersion/go-smtp"

	"gatepost/internal/dbmail"
	"gatepost/lmtpd/recipient"
)

// Recipients says what an address stands for. Errors that are not definite
// (see dbmail and recipient) mean that it cannot tell.
type Recipients interface {
	Lookup(ctx context.Context, address string) (recipient.Recipient, error)
}

// Settings are what a server works with between two reloads.
type Settings struct {
	Hostname       string
	Store          *dbmail.Store // nil: not reached yet, everybody is asked to come back
	Recipients     Recipients
	Smarthost      *Smarthost // nil: addresses elsewhere are deferred
	TLS            *tls.Config
	RequireTLS     bool
	Peers          []Peer // who may deliver; none: everybody, to lists too
	MaxMessageSize int64  // octets; what the store takes may be less
	MaxRecipients  int    // of one message
	MaxMemory      int64  // octets of all messages in memory
	IdleTimeout    time.Duration
	QuotaTemporary bool // a full mailbox is 452 instead of 552
	Delivery       DeliveryConfig
	Charset        string // guess for undeclared 8-bit headers
	Log            *slog.Logger
	Metrics        *Metrics
}

// maxHops is how many Received fields a message may have (RFC 5321 6.3 asks
// for at least 100).
const maxHops = 100

// sizeLimit is the SIZE that is advertised.
func (s *Settings) sizeLimit() int64 {
	if s.Store == nil {
		return s.MaxMessageSize
	}
	limit := s.Store.Limits().MaxPart
	if s.MaxMessageSize > 0 {
		limit = min(limit, s.MaxMessageSize)
	}
	return limit
}

// Server serves LMTP on any number of listeners. The zero value is not
// usable; see NewServer.
type Server struct {
	current atomic.Pointer[generation]
	budget  budget
	after   *aftermath

	mu        sync.Mutex
	listeners map[net.Listener]bool
	conns     map[*conn]bool
	draining  bool
	sessions  sync.WaitGroup // connections that are being served
}

// generation is a go-smtp server with the settings of one (re)load.
type generation struct {
	settings *Settings
	smtp     *smtp.Server
	in       *handover
	sessions sync.WaitGroup // connections served with these settings
}

// ErrServerClosed is returned by Serve after Shutdown or Close.
var ErrServerClosed = errors.New("lmtpd: server closed")

// NewServer makes a server with its first settings.
func NewServer(s *Settings) *Server {
	srv := &Server{listeners: map[net.Listener]bool{}, conns: map[*conn]bool{}}
	srv.after = newAftermath(func() *Settings { return srv.current.Load().settings })
	srv.Apply(s)
	return srv
}

// Apply makes new connections use s. It returns a function that waits until
// the last connection with the settings before is gone, after which their
// store may be closed.
func (srv *Server) Apply(s *Settings) (wait func()) {
	srv.budget.limit.Store(s.MaxMemory)
	g := &generation{settings: s, in: newHandover()}
	b := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) {
		if g.settings.Store == nil {
			return nil, replyLater // the store has not been reached yet
		}
		return srv.newSession(g.settings, c), nil
	}))
	b.LMTP = true
	b.Domain = s.Hostname
	b.TLSConfig = s.TLS
	b.MaxMessageBytes = s.sizeLimit()
	b.MaxRecipients = s.MaxRecipients
	b.MaxLineLength = 0 // conn bounds commands, and only those
	b.ReadTimeout = s.IdleTimeout
	b.WriteTimeout = s.IdleTimeout
	b.EnableSMTPUTF8 = true
	b.ErrorLog = serverLog{s.Log}
	g.smtp = b
	go func() {
		// It ends when the handover is closed, after the last connection.
		if err := b.Serve(g.in); err != nil && !errors.Is(err, net.ErrClosed) {
			s.Log.Error("connections are not served any more", "why", err)
		}
	}()
	// Under the lock, so that no connection is on its way to the old one.
	srv.mu.Lock()
	old := srv.current.Swap(g)
	srv.mu.Unlock()
	return func() {
		if old != nil {
			old.sessions.Wait()
			old.in.Close()
		}
	}
}

// Serve accepts connections from l until Shutdown or Close.
func (srv *Server) Serve(l net.Listener) error {
	srv.mu.Lock()
	if srv.draining {
		srv.mu.Unlock()
		return ErrServerClosed
	}
	srv.listeners[l] = true
	srv.mu.Unlock()
	for {
		nc, err := l.Accept()
		if err != nil {
			srv.mu.Lock()
			delete(srv.listeners, l)
			closed := srv.draining
			srv.mu.Unlock()
			if closed {
				return ErrServerClosed
			}
			return fmt.Errorf("accept: %w", err)
		}
		srv.take(nc)
	}
}

// take hands a connection to the current generation.
func (srv *Server) take(nc net.Conn) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.draining {
		nc.Close()
		return
	}
	g := srv.current.Load()
	c := newConn(nc, g.settings.IdleTimeout)
	srv.conns[c] = true
	srv.sessions.Add(1)
	g.sessions.Add(1)
	var once sync.Once
	g.in.conns <- &tracked{conn: c, gone: func() {
		once.Do(func() {
			srv.mu.Lock()
			delete(srv.conns, c)
			srv.mu.Unlock()
			g.sessions.Done()
			srv.sessions.Done()
		})
	}}
}

// Shutdown stops accepting, wakes idle clients with 421, lets messages that
// are being received or stored finish, sends what they bring about besides,
// and returns when all are gone. When ctx ends first, what is left is cut off:
// those messages were not acknowledged, those automatic mails are not sent.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.mu.Lock()
	srv.draining = true
	for l := range srv.listeners {
		l.Close()
	}
	for c := range srv.conns {
		c.drain()
	}
	srv.mu.Unlock()
	defer srv.current.Load().in.Close()
	defer srv.after.drain(ctx)
	done := make(chan struct{})
	go func() { srv.sessions.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		srv.mu.Lock()
		for c := range srv.conns {
			c.Close()
		}
		srv.mu.Unlock()
		return ctx.Err()
	}
}

// tracked tells the server when a connection is closed.
type tracked struct {
	*conn
	gone func()
}

func (t *tracked) Close() error {
	err := t.conn.Close()
	t.gone()
	return err
}

// handover is a listener that hands on what others have accepted.
type handover struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func newHandover() *handover {
	return &handover{conns: make(chan net.Conn), closed: make(chan struct{})}
}

func (h *handover) Accept() (net.Conn, error) {
	select {
	case c := <-h.conns:
		return c, nil
	case <-h.closed:
		return nil, net.ErrClosed
	}
}

func (h *handover) Close() error {
	h.once.Do(func() { close(h.closed) })
	return nil
}

func (h *handover) Addr() net.Addr { return &net.UnixAddr{Name: "handover", Net: "unix"} }

// serverLog takes what go-smtp prints: panics and broken connections.
type serverLog struct{ log *slog.Logger }

func (l serverLog) Printf(format string, v ...any) {
	l.log.Warn("connection ended by an error", "why", fmt.Sprintf(format, v...))
}

func (l serverLog) Println(v ...any) {
	l.log.Warn("connection ended by an error", "why", fmt.Sprint(v...))
}
