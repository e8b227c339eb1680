package lmtp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/emersion/go-smtp"
)

// recorder is a real LMTP server's backend that answers by local part and
// keeps what it got.
type recorder struct {
	mu       sync.Mutex
	from     string
	mail     smtp.MailOptions
	rcpts    []string
	content  []byte
	tls      bool
	sessions int
}

func (r *recorder) NewSession(c *smtp.Conn) (smtp.Session, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, r.tls = c.TLSConnectionState()
	r.sessions++
	return &session{r: r}, nil
}

type session struct {
	r     *recorder
	rcpts []string
}

func status(code int, enhanced smtp.EnhancedCode, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: enhanced, Message: text}
}

func (s *session) Mail(from string, o *smtp.MailOptions) error {
	s.r.mu.Lock()
	defer s.r.mu.Unlock()
	s.r.from, s.r.mail, s.rcpts = from, *o, nil
	if from == "refused@example.net" {
		return status(550, smtp.EnhancedCode{5, 7, 1}, "not you")
	}
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	switch user, _, _ := strings.Cut(to, "@"); user {
	case "unknown":
		return status(550, smtp.EnhancedCode{5, 1, 1}, "no such user")
	case "doubt":
		return status(451, smtp.EnhancedCode{4, 3, 0}, "try later")
	}
	s.rcpts = append(s.rcpts, to)
	return nil
}

func (s *session) Data(io.Reader) error { return errors.New("not used in LMTP") }

func (s *session) LMTPData(r io.Reader, c smtp.StatusCollector) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	s.r.mu.Lock()
	s.r.rcpts, s.r.content = s.rcpts, content
	s.r.mu.Unlock()
	seen := map[string]int{}
	for _, to := range s.rcpts {
		seen[to]++
		switch user, _, _ := strings.Cut(to, "@"); {
		case user == "full":
			c.SetStatus(to, status(552, smtp.EnhancedCode{5, 2, 2}, "mailbox is full"))
		case user == "twice" && seen[to] == 2:
			c.SetStatus(to, status(452, smtp.EnhancedCode{4, 2, 2}, "only once"))
		default:
			c.SetStatus(to, nil)
		}
	}
	return nil
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// serve starts a real LMTP server and gives its address.
func serve(t *testing.T, r *recorder, config *tls.Config) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(r)
	s.LMTP, s.Domain, s.TLSConfig, s.EnableSMTPUTF8 = true, "lmtp.example.com", config, true
	s.MaxMessageBytes = 1 << 20
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { s.Close(); <-done })
	return l.Addr().String()
}

func connect(t *testing.T, address string, o Options) *Client {
	t.Helper()
	o.Hostname = "client.example.net"
	c, err := Dial(t.Context(), "tcp", address, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func strs(replies []Reply) []string {
	var out []string
	for _, r := range replies {
		out = append(out, r.Recipient+" "+r.Stage+" "+r.String())
	}
	return out
}

func TestEachRecipientGetsItsReply(t *testing.T) {
	r := &recorder{}
	c := connect(t, serve(t, r, nil), Options{})
	to := []string{"a@example.com", "unknown@example.com", "full@example.com", "twice@example.com", "doubt@example.com", "twice@example.com"}
	replies, err := c.Send("s@example.net", to, []byte("Subject: x\n\nbody\n"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"a@example.com content 250 2.0.0 <a@example.com> OK: queued",
		"unknown@example.com RCPT 550 5.1.1 no such user",
		"full@example.com content 552 5.2.2 <full@example.com> mailbox is full",
		"twice@example.com content 250 2.0.0 <twice@example.com> OK: queued",
		"doubt@example.com RCPT 451 4.3.0 try later",
		"twice@example.com content 452 4.2.2 <twice@example.com> only once",
	}
	if got := strs(replies); !slices.Equal(got, want) {
		t.Errorf("replies:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for i, want := range []struct{ accepted, rejected bool }{{true, false}, {false, true}, {false, true}, {true, false}, {false, false}, {false, false}} {
		if r := replies[i]; r.Accepted() != want.accepted || r.Rejected() != want.rejected {
			t.Errorf("%s: accepted %v, rejected %v; want %+v", r.Recipient, r.Accepted(), r.Rejected(), want)
		}
	}
}

func TestConnectionServesFurtherMessages(t *testing.T) {
	r := &recorder{}
	c := connect(t, serve(t, r, nil), Options{})
	for _, m := range []struct{ from, to, want string }{
		{"refused@example.net", "a@example.com", "a@example.com MAIL 550 5.7.1 not you"},
		{"s@example.net", "unknown@example.com", "unknown@example.com RCPT 550 5.1.1 no such user"},
		{"", "a@example.com", "a@example.com content 250 2.0.0 <a@example.com> OK: queued"},
	} {
		replies, err := c.Send(m.from, []string{m.to}, []byte("x: y\n"))
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if got := strs(replies); got[0] != m.want {
			t.Errorf("%+v: got %s", m, got[0])
		}
	}
	if r.sessions != 1 {
		t.Errorf("%d sessions, want one for all", r.sessions)
	}
}

func TestContentArrivesByteForByte(t *testing.T) {
	for _, tc := range []struct{ name, sent, want string }{
		{"empty", "", ""},
		{"LF", "a: b\n\nc\n", "a: b\r\n\r\nc\r\n"},
		{"CRLF", "a: b\r\n\r\nc\r\n", "a: b\r\n\r\nc\r\n"},
		{"mixed", "a\r\nb\nc\r\n", "a\r\nb\r\nc\r\n"},
		{"no line end", "a\n\nb", "a\r\n\r\nb\r\n"},
		{"dots", ".\n..\n.a\n\n.\n", ".\r\n..\r\n.a\r\n\r\n.\r\n"},
		{"bare CR", "a\rb\n\r\n", "a\rb\r\n\r\n"},
		{"dot after bare CR", "a\r.\nb\n", "a\r.\r\nb\r\n"},
		{"CR CR LF", "a\r\r\nb\n", "a\r\r\nb\r\n"},
		{"smuggling", "a\n.\nMAIL FROM:<x>\n", "a\r\n.\r\nMAIL FROM:<x>\r\n"},
		{"8-bit", "\xff\xfe\x80\n", "\xff\xfe\x80\r\n"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &recorder{}
			c := connect(t, serve(t, r, nil), Options{})
			if _, err := c.Send("s@example.net", []string{"a@example.com"}, []byte(tc.sent)); err != nil {
				t.Fatal(err)
			}
			if string(r.content) != tc.want {
				t.Errorf("arrived %q, want %q", r.content, tc.want)
			}
			if r.mail.Size != int64(len(tc.want)) {
				t.Errorf("SIZE=%d, want %d", r.mail.Size, len(tc.want))
			}
			if wantBody := tc.name == "8-bit"; (r.mail.Body == smtp.Body8BitMIME) != wantBody {
				t.Errorf("BODY=%s", r.mail.Body)
			}
		})
	}
}

func TestAddresses(t *testing.T) {
	r := &recorder{}
	c := connect(t, serve(t, r, nil), Options{})
	replies, err := c.Send("s@example.net", []string{"jürgen@example.com"}, []byte("x: y\n"))
	if err != nil {
		t.Fatal(err)
	}
	if !replies[0].Accepted() || !r.mail.UTF8 {
		t.Errorf("%v, SMTPUTF8 %v", replies[0], r.mail.UTF8)
	}
	for _, bad := range []string{"a@b\r\nRCPT TO:<c@d>", "a b@c", "<a@b>", "a@b\x00"} {
		if _, err := c.Send("", []string{bad}, nil); !errors.Is(err, ErrAddress) {
			t.Errorf("recipient %q: %v", bad, err)
		}
		if _, err := c.Send(bad, []string{"a@b"}, nil); !errors.Is(err, ErrAddress) {
			t.Errorf("sender %q: %v", bad, err)
		}
	}
}

func TestTLS(t *testing.T) {
	server, client := certificates(t)
	for _, tc := range []struct {
		name    string
		server  *tls.Config
		options Options
		tls     bool
		fails   bool
	}{
		{"offered and used", server, Options{TLS: client}, true, false},
		{"not wanted", server, Options{}, false, false},
		{"not offered", nil, Options{TLS: client}, false, false},
		{"not offered but required", nil, Options{TLS: client, TLSRequired: true}, false, true},
		{"certificate of ours missing", server, Options{TLS: &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}}, false, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			r := &recorder{}
			tc.options.Hostname = "client.example.net"
			c, err := Dial(t.Context(), "tcp", serve(t, r, tc.server), tc.options)
			if tc.fails {
				if err == nil {
					c.Close()
					t.Fatal("connected")
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			replies, err := c.Send("", []string{"a@example.com"}, []byte("x: y\n"))
			if err != nil || !replies[0].Accepted() {
				t.Fatal(replies, err)
			}
			if _, ok := c.TLS(); ok != tc.tls || r.tls != tc.tls {
				t.Errorf("TLS: client %v, server %v, want %v", ok, r.tls, tc.tls)
			}
		})
	}
}

func TestContextEndsTheConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // accepts and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	accepted := make(chan net.Conn, 1)
	go func() {
		if conn, err := l.Accept(); err == nil {
			accepted <- conn
			cancel()
		}
	}()
	_, err = Dial(ctx, "tcp", l.Addr().String(), Options{Hostname: "x"})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	(<-accepted).Close()
}
