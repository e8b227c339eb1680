package directory

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// authority makes certificates.
type authority struct {
	t    *testing.T
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
	pem  []byte
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t}
	template := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a.pem, _ = a.sign(template)
	return a
}

// sign returns the certificate and its key. The first one is the authority's own.
func (a *authority) sign(template *x509.Certificate) (cert, keyPEM []byte) {
	a.t.Helper()
	fail := func(err error) {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	fail(err)
	template.SerialNumber, err = rand.Int(rand.Reader, big.NewInt(1<<60))
	fail(err)
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	if a.key == nil {
		a.key, a.cert = key, template
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	fail(err)
	if a.cert == template {
		a.cert, err = x509.ParseCertificate(der)
		fail(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	fail(err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})
}

// server returns a certificate for a name, or for 127.0.0.1.
func (a *authority) server(name string) (cert, key []byte) {
	c := &x509.Certificate{Subject: pkix.Name{CommonName: name}, KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if ip := net.ParseIP(name); ip != nil {
		c.IPAddresses = []net.IP{ip}
	} else {
		c.DNSNames = []string{name}
	}
	return a.sign(c)
}

func (a *authority) client(name string) (cert, key []byte) {
	return a.sign(&x509.Certificate{Subject: pkix.Name{CommonName: name, Organization: []string{"Example"}},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
}

// files writes them below one directory and returns their paths.
type files string

func (d files) write(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(string(d), name)
	// By renaming, as who renews certificates should.
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
	return path
}

// tlsSlapd starts a slapd with a certificate of the authority that also asks
// for one of the client.
func tlsSlapd(t *testing.T, d files, a *authority, name string) *testbed.SlapdServer {
	t.Helper()
	cert, key := a.server(name)
	return poolSlapd(t, testbed.SlapdOptions{
		CertFile: d.write(t, "server.pem", cert), KeyFile: d.write(t, "server.key", key), CAFile: d.write(t, "server-ca.pem", a.pem),
		// slapd itself has PLAIN checked against userPassword.
		Global: []string{"TLSVerifyClient try", "sasl-secprops none", "authz-regexp uid=([^,]*),cn=(external|plain),cn=auth uid=$1,ou=people,dc=example,dc=com", "authz-regexp cn=client,o=example uid=user3,ou=people,dc=example,dc=com"},
	})
}

// whoAmI asks on a connection of its own (RFC 4532).
func whoAmI(t *testing.T, p *Pool) string {
	t.Helper()
	if err := p.Ready(context.Background()); err != nil {
		t.Error(err)
		return ""
	}
	c, err := p.dial(context.Background(), p.active())
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	r, err := c.WhoAmI(nil)
	if err != nil {
		t.Error(err)
		return ""
	}
	return r.AuthzID
}

// TestConnect goes each way in, as each that we may be.
func TestConnect(t *testing.T) {
	d := files(t.TempDir())
	a := newAuthority(t, "Our CA")
	s := tlsSlapd(t, d, a, "127.0.0.1")
	cert, key := a.client("client")
	both := TLSFiles{CAFile: d.write(t, "ca.pem", a.pem), Cert: d.write(t, "client.pem", cert), Key: d.write(t, "client.key", key)}
	if err := os.Mkdir(string(d)+"/cadir", 0o700); err != nil {
		t.Fatal(err)
	}
	d.write(t, "cadir/other.pem", newAuthority(t, "Other CA").pem)
	d.write(t, "cadir/ours.pem", a.pem)
	simple := Bind{Method: BindSimple, DN: "uid=user2,ou=people,dc=example,dc=com", Password: Password("secret2")}
	peer := fmt.Sprintf("dn:gidNumber=%d+uidNumber=%d,cn=peercred,cn=external,cn=auth", os.Getegid(), os.Geteuid())
	external := Bind{Method: BindSASL, Mechanism: "external"}
	for name, c := range map[string]struct {
		settings Settings
		who      string
	}{
		"ldap":                    {Settings{URIs: []string{s.URI()}}, ""},
		"ldap, simple":            {Settings{URIs: []string{s.URI()}, Bind: simple}, "dn:" + simple.DN},
		"ldap, explicitly nobody": {Settings{URIs: []string{s.URI()}, Bind: Bind{Method: BindSimple}}, ""},
		"StartTLS":                {Settings{URIs: []string{s.URI()}, StartTLS: true, TLS: TLSFiles{CAFile: both.CAFile}, Bind: simple}, "dn:" + simple.DN},
		"StartTLS, CA directory":  {Settings{URIs: []string{s.URI()}, StartTLS: true, TLS: TLSFiles{CADir: string(d) + "/cadir"}}, ""},
		"StartTLS, external":      {Settings{URIs: []string{s.URI()}, StartTLS: true, TLS: both, Bind: external}, "dn:uid=user3,ou=people,dc=example,dc=com"},
		"ldaps":                   {Settings{URIs: []string{s.TLSURI()}, TLS: TLSFiles{CAFile: both.CAFile}}, ""},
		"ldaps, external":         {Settings{URIs: []string{s.TLSURI()}, TLS: both, Bind: external}, "dn:uid=user3,ou=people,dc=example,dc=com"},
		"ldaps, nothing checked":  {Settings{URIs: []string{s.TLSURI()}, NoVerify: true, Bind: simple}, "dn:" + simple.DN},
		"ldaps, PLAIN":            {Settings{URIs: []string{s.TLSURI()}, NoVerify: true, Bind: Bind{Method: BindSASL, Mechanism: "PLAIN", User: "user4", Password: Password("secret4")}}, "dn:uid=user4,ou=people,dc=example,dc=com"},
		"ldapi":                   {Settings{URIs: []string{s.SocketURI()}, StartTLS: true}, ""},
		"ldapi, simple":           {Settings{URIs: []string{s.SocketURI()}, Bind: simple}, "dn:" + simple.DN},
		"ldapi, external":         {Settings{URIs: []string{s.SocketURI()}, Bind: external}, peer},
	} {
		t.Run(name, func(t *testing.T) {
			if err := c.settings.Check(); err != nil {
				t.Error(err)
			}
			p := openPool(t, c.settings)
			if got, err := findIn(p, mailRequest("user7@example.com")); err != nil || got != user7 {
				t.Errorf("search: %q, %v", got, err)
			}
			if got := whoAmI(t, p); got != c.who {
				t.Errorf("we are %q instead of %q", got, c.who)
			}
		})
	}
}

// TestConnectRefused must not go on where there is doubt about the server, and
// never shows the password to it then.
func TestConnectRefused(t *testing.T) {
	d := files(t.TempDir())
	a := newAuthority(t, "Our CA")
	s := tlsSlapd(t, d, a, "ldap.example.com")
	ours, other := d.write(t, "ca.pem", a.pem), d.write(t, "other.pem", newAuthority(t, "Our CA").pem)
	for name, c := range map[string]struct {
		settings Settings
		why      string
	}{
		"another's certificate":     {Settings{URIs: []string{s.TLSURI()}, TLS: TLSFiles{CAFile: ours}}, "SANs"},
		"another's, StartTLS":       {Settings{URIs: []string{s.URI()}, StartTLS: true, TLS: TLSFiles{CAFile: ours}}, "SANs"},
		"another authority":         {Settings{URIs: []string{s.TLSURI()}, TLS: TLSFiles{CAFile: other}}, "certificate"},
		"the system's authorities":  {Settings{URIs: []string{s.TLSURI()}}, "certificate"},
		"no TLS there":              {Settings{URIs: []string{"ldaps://" + s.Addr()}, NoVerify: true}, "TLS"},
		"TLS there":                 {Settings{URIs: []string{"ldap://" + s.TLSAddr()}}, "probe"},
		"no CA file":                {Settings{URIs: []string{s.TLSURI()}, TLS: TLSFiles{CAFile: ours + "x"}}, "no such file"},
		"external without a client": {Settings{URIs: []string{s.TLSURI()}, NoVerify: true, Bind: Bind{Method: BindSASL, Mechanism: "EXTERNAL"}}, "bind"},
	} {
		t.Run(name, func(t *testing.T) {
			p := openPool(t, c.settings)
			if _, err := findIn(p, mailRequest("user7@example.com")); !errors.Is(err, ErrUnavailable) || !strings.Contains(err.Error(), c.why) {
				t.Errorf("instead of a reason with %q: %v", c.why, err)
			}
		})
	}
}

// TestNoClearText has a server that does not want TLS, or somebody in between
// who claims so: nothing but the request for StartTLS may be sent.
func TestNoClearText(t *testing.T) {
	refused, granted := answerTo(opExtendedResponse, 2), appendMessage(nil, 1, answerTo(opExtendedResponse, 0))
	for name, answer := range map[string][]byte{
		"refused":  appendMessage(nil, 1, refused),
		"granted":  granted, // and then no TLS
		"injected": append(granted, appendMessage(nil, 2, answerTo(opBindResponse, 0))...),
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			got := make(chan string, 100)
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						close(got)
						return
					}
					in := bufio.NewReader(c)
					readMessage(in)
					c.Write(answer)
					c.SetReadDeadline(time.Now().Add(time.Second))
					b := make([]byte, 2000)
					n, _ := in.Read(b)
					got <- string(b[:n])
					c.Close()
				}
			}()
			p := NewPool(Settings{URIs: []string{"ldap://" + l.Addr().String()}, StartTLS: true, NoVerify: true,
				Bind: Bind{Method: BindSimple, DN: "cn=me", Password: Password("open sesame")}}, nil)
			if _, err := findIn(p, mailRequest("user7@example.com")); !errors.Is(err, ErrUnavailable) {
				t.Error(err)
			}
			p.Close()
			l.Close()
			for text := range got {
				if strings.Contains(text, "cn=me") || strings.Contains(text, "sesame") {
					t.Errorf("sent in the clear: %q", text)
				}
			}
		})
	}
	_, err := Bind{Method: BindSASL, Mechanism: "PLAIN", User: "me", Password: Password("open sesame")}.request(false)
	if err == nil {
		t.Error("PLAIN was sent in the clear")
	}
}

// TestCertificatesChange rotates authority and client certificate under a
// running pool: connections are replaced, no search fails, and files that do
// not fit together change nothing.
func TestCertificatesChange(t *testing.T) {
	d := files(t.TempDir())
	a := newAuthority(t, "Our CA")
	s := tlsSlapd(t, d, a, "127.0.0.1")
	cert, key := a.client("client")
	tls := TLSFiles{CAFile: d.write(t, "ca.pem", newAuthority(t, "Old CA").pem), Cert: d.write(t, "client.pem", cert), Key: d.write(t, "client.key", key)}
	p := openPool(t, Settings{URIs: []string{s.TLSURI()}, TLS: tls, Bind: Bind{Method: BindSASL, Mechanism: "EXTERNAL"}, MaxIdle: 100 * time.Millisecond, pace: hurry})
	if _, err := findIn(p, mailRequest("user7@example.com")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("under an old authority: %v", err)
	}
	d.write(t, "ca.pem", a.pem)
	until(t, "the new authority is believed", answeredBy(p, s.TLSURI()))
	_, asked, failed := load(t, p)
	more(t, asked)
	generation := func() int {
		p.mu.Lock()
		defer p.mu.Unlock()
		lowest := 1000
		for _, c := range p.servers[0].conns {
			lowest = min(lowest, c.link.generation)
		}
		return lowest
	}
	before := generation()
	cert, key = a.client("other client")
	d.write(t, "client.pem", cert) // and for a moment the key does not fit
	more(t, asked)
	d.write(t, "client.key", key)
	until(t, "all connections have the new certificate", func() bool { return generation() > before && generation() < 1000 })
	if who := whoAmI(t, p); who != "dn:cn=other client,o=example" && who != "dn:o=example,cn=other client" {
		t.Errorf("we are %q", who)
	}
	more(t, asked)
	if n := failed.Load(); n > 0 {
		t.Errorf("%d searches failed", n)
	}
}
