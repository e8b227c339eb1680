package lmtp

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"
)

// scripted is a server that answers each line with the next reply, whatever it
// says, and hangs up when it has no more.
func scripted(t testing.TB, replies ...string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		lines := bufio.NewReader(conn)
		content := false
		for i, reply := range replies {
			if _, err := io.WriteString(conn, reply); err != nil || i == len(replies)-1 {
				return
			}
			for {
				line, err := lines.ReadString('\n')
				if err != nil {
					return
				}
				if content = content && line != ".\r\n"; !content {
					content = strings.HasPrefix(reply, "354") && line != ".\r\n"
					if !content {
						break
					}
				}
			}
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return l.Addr().String()
}

const hello = "250-me\r\n250 ENHANCEDSTATUSCODES\r\n"

func TestUnfriendlyServers(t *testing.T) {
	for _, tc := range []struct {
		name    string
		script  []string
		connect string   // part of Dial's error
		replies []string // else
		broken  bool     // Send has an error too
	}{
		{name: "busy", script: []string{"421 4.3.2 busy\r\n"}, connect: "greeting: the server answered 421 4.3.2 busy"},
		{name: "not LMTP", script: []string{"220 smtp\r\n", "502 5.5.1 what?\r\n"}, connect: "LHLO: the server answered 502 5.5.1 what?"},
		{name: "not a mail server", script: []string{"SSH-2.0-OpenSSH\r\n"}, connect: "greeting: read the reply"},
		{name: "silent end", script: nil, connect: "greeting: read the reply: unexpected EOF"},
		{name: "endless greeting", script: []string{strings.Repeat("220-x\r\n", 1<<15)}, connect: "greeting: read the reply"},
		{
			name: "421 at RCPT", script: []string{"220 a\r\n", hello, "250 ok\r\n", "250 ok\r\n", "421 bye\r\n"},
			replies: []string{"a@x RCPT 421 bye", "b@x RCPT 421 bye", "c@x RCPT 421 bye"}, broken: true,
		},
		{
			name: "refused at DATA", script: []string{"220 a\r\n", hello, "250 ok\r\n", "250 ok\r\n", "550 5.1.1 no\r\n", "250 ok\r\n", "552 5.3.4 too big\r\n", "250 reset\r\n", "221 bye\r\n"},
			replies: []string{"a@x DATA 552 5.3.4 too big", "b@x RCPT 550 5.1.1 no", "c@x DATA 552 5.3.4 too big"},
		},
		{
			name: "gone after the first final reply", script: []string{"220 a\r\n", hello, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "250 2.1.5 yours\r\n"},
			replies: []string{"a@x content 250 2.1.5 yours", "b@x content no reply: content: read the reply: unexpected EOF", "c@x content no reply: content: read the reply: unexpected EOF"}, broken: true,
		},
		{
			name: "DBMail's replies", script: []string{"220 a\r\n", hello, "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "250 ok\r\n", "354 go\r\n", "215 Recipient <a@x> OK\r\n422 full\r\n511 bad\r\n", "221 bye\r\n"},
			replies: []string{"a@x content 215 Recipient <a@x> OK", "b@x content 422 full", "c@x content 511 bad"},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c, err := Dial(t.Context(), "tcp", scripted(t, tc.script...), Options{Hostname: "x"})
			if tc.connect != "" {
				if err == nil || !strings.Contains(err.Error(), tc.connect) {
					t.Fatalf("got %v, want %s", err, tc.connect)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			replies, err := c.Send("s@x", []string{"a@x", "b@x", "c@x"}, []byte("x: y\n"))
			if (err != nil) != tc.broken {
				t.Errorf("error %v", err)
			}
			if got := strs(replies); !slices.Equal(got, tc.replies) {
				t.Errorf("replies:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(tc.replies, "\n"))
			}
		})
	}
}

// certificates makes a server that demands a client certificate, and a client
// that has one.
func certificates(t *testing.T) (server, client *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	pair := []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}
	return &tls.Config{Certificates: pair, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool},
		&tls.Config{Certificates: pair, ServerName: "localhost", RootCAs: pool}
}

// canned is a connection on which a server has said all it will ever say.
type canned struct {
	net.Conn
	io.Reader
}

func (c canned) Read(p []byte) (int, error)       { return c.Reader.Read(p) }
func (c canned) Write(p []byte) (int, error)      { return len(p), nil }
func (c canned) Close() error                     { return nil }
func (c canned) SetDeadline(time.Time) error      { return nil }
func (c canned) SetReadDeadline(time.Time) error  { return nil }
func (c canned) SetWriteDeadline(time.Time) error { return nil }

// FuzzServer: whatever a server says, each recipient has exactly one verdict,
// and "accepted" only for a 2xx after the content.
func FuzzServer(f *testing.F) {
	f.Add("220 a\r\n250-b\r\n250 SIZE\r\n250 ok\r\n250 ok\r\n550 5.1.1 no\r\n354 go\r\n250 2.0.0 done\r\n")
	f.Add("220 a\r\n250 b\r\n421 4.3.2 bye\r\n")
	f.Add("220 a\r\n250 b\r\n250 c\r\n250 d\r\n250 e\r\n354 f\r\n999 \xff\x1b[2J\r\n250-4.0\r\n250 .1.2\r\n")
	f.Fuzz(func(t *testing.T, said string) {
		c := &Client{release: func() bool { return true }}
		c.use(canned{Reader: strings.NewReader(said)})
		if err := c.begin(t.Context(), Options{Hostname: "x"}); err != nil {
			return
		}
		to := []string{"a@x", "b@x"}
		replies, err := c.Send("s@x", to, []byte("x: y\n"))
		if len(replies) != len(to) {
			t.Fatalf("%d replies, error %v", len(replies), err)
		}
		for i, r := range replies {
			if r.Recipient != to[i] || r.Stage == "" {
				t.Errorf("reply %d: %+v", i, r)
			}
			if r.Accepted() && (r.Stage != stageContent || r.Code < 200 || r.Code > 299 || r.Rejected()) {
				t.Errorf("accepted: %+v", r)
			}
			if err == nil && r.Code == 0 {
				t.Errorf("no reply and no error: %+v", r)
			}
			if strings.Contains(r.String(), "\n") {
				t.Errorf("two lines: %q", r.String())
			}
		}
		var refused *ReplyError
		if errors.As(err, &refused) && refused.Reply.Code/100 == 2 {
			t.Errorf("refused with %v", refused.Reply)
		}
	})
}
