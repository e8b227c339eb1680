package lmtpd_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// TestOnlyTheGatewayDelivers: Postfix with the certificate that lmtpd expects
// from where it connects can deliver. Another certificate, another's
// authority, no certificate, no TLS and another network cannot; that mail
// stays in the queue, and goes when the configuration is mended.
func TestOnlyTheGatewayDelivers(t *testing.T) {
	s := newSite(t, testbed.MariaDB(t))
	ours, theirs := newAuthority(t), newAuthority(t)
	server := ours.sign("store", "localhost")
	way := func(network string) *daemon {
		d := launch(t, "inet:127.0.0.1:0", map[string]string{"lmtpd.toml": fmt.Sprintf("hostname = \"store.test\"\n[store]\ndsn = %q\n"+
			"[tls]\ncertificate = %q\nkey = %q\nclient_ca = %q\n[[peer]]\nnetworks = [%q]\ncertificates = [\"gateway.example.org\"]\n",
			s.dsn(s.server.Socket()), server.cert, server.key, ours.file, network)})
		d.listen = "inet:" + regexp.MustCompile(`msg=listening address=inet:(\S+)`).FindStringSubmatch(d.log())[1]
		return d
	}
	here, elsewhere := way("127.0.0.0/8"), way("192.0.2.0/24")
	clients := []struct {
		name string
		to   *daemon
		is   certificate
		why  string // in lmtpd's log; "": it delivers
	}{
		{"right", here, ours.sign("right", "gateway.example.org"), ""},
		{"second", here, ours.sign("second", "mx.example.org", "gateway.example.org"), ""},
		{"other", here, ours.sign("other", "webmail.example.org"), "none of the names"},
		{"foreign", here, theirs.sign("foreign", "gateway.example.org"), ""}, // not even a session
		{"nobody", here, certificate{}, "no certificate"},
		{"plain", here, certificate{}, "STARTTLS"},
		{"elsewhere", elsewhere, ours.sign("elsewhere", "gateway.example.org"), ""}, // likewise
	}
	var master, transports []string
	for _, c := range clients {
		s.user(c.name, 0)
		line := fmt.Sprintf("%s unix - - n - - lmtp -o lmtp_tls_CAfile=%s -o lmtp_tls_security_level=", c.name, ours.file)
		switch c.name {
		case "plain":
			line += "none"
		case "nobody":
			line += "secure -o lmtp_tls_secure_cert_match=localhost"
		default:
			line += fmt.Sprintf("secure -o lmtp_tls_secure_cert_match=localhost -o lmtp_tls_cert_file=%s -o lmtp_tls_key_file=%s", c.is.cert, c.is.key)
		}
		master = append(master, line)
		transports = append(transports, fmt.Sprintf("{ %s@example.org = %s:%s }", c.name, c.name, c.to.listen))
	}
	p := postfixWith(t, testbed.PostfixOptions{Master: master, Main: map[string]string{
		"virtual_mailbox_domains": "example.org", "transport_maps": "inline:{ " + strings.Join(transports, ", ") + " }"}})
	for _, c := range clients {
		post(t, p, "nora@sender.test", []string{c.name + "@example.org"}, strings.ReplaceAll(simple(c.name), "\r\n", "\n"))
	}
	goes := map[string]bool{"right": true, "second": true}
	last := map[string]fate{}
	eventually(t, "each was tried", func() (bool, string) {
		for rcpt, all := range fates(p.Log()) {
			last[rcpt] = all[len(all)-1]
		}
		return len(last) == len(clients), fmt.Sprint(last)
	})
	for _, c := range clients {
		rcpt := c.name + "@example.org"
		want, copies := "deferred", 0
		if goes[c.name] {
			want, copies = "sent", 1
		}
		if f := last[rcpt]; f.status != want || f.status == "deferred" && f.dsn[0] != '4' {
			t.Errorf("%s: %v; want it %s", rcpt, f, want)
		}
		noInside(t, "Postfix's log", last[rcpt].said())
		if n := len(s.stored(c.name, "")); n != copies {
			t.Errorf("%s: %d copies, want %d", rcpt, n, copies)
		}
		if !strings.Contains(c.to.log(), c.why) {
			t.Errorf("%s: lmtpd's log does not say %q: %s", c.name, c.why, tail(c.to.log(), 20))
		}
	}
	queued, err := p.Queue()
	if err != nil || len(queued) != len(clients)-len(goes) {
		t.Errorf("%d messages in the queue, %v, want %d", len(queued), err, len(clients)-len(goes))
	}

	// The configuration is mended: all that waited goes.
	for _, d := range []*daemon{here, elsewhere} {
		path := filepath.Join(d.dir, "lmtpd.toml")
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		config, _, _ := strings.Cut(string(text), "[[peer]]")
		config = strings.Replace(config, fmt.Sprintf("client_ca = %q\n", ours.file), "", 1)
		if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
			t.Fatal(err)
		}
		d.kill()
		d.start()
	}
	queueEmpties(t, p)
	for _, c := range clients {
		if n := len(s.stored(c.name, "")); n != 1 {
			t.Errorf("%s: %d copies in the end, want 1", c.name, n)
		}
	}
	s.verify()
}

// authority signs certificates for a day.
type authority struct {
	t    *testing.T
	dir  string
	file string // its own certificate
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	next int64
}

// certificate is what it signed: two files.
type certificate struct{ cert, key string }

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: shortDir(t), cert: &x509.Certificate{Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}}
	a.key = newKey(t)
	a.file = a.write("ca.pem", "CERTIFICATE", a.create(a.cert, a.key))
	return a
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func (a *authority) create(template *x509.Certificate, key *ecdsa.PrivateKey) []byte {
	a.t.Helper()
	a.next++
	template.SerialNumber, template.NotBefore, template.NotAfter = big.NewInt(a.next), time.Now().Add(-time.Hour), time.Now().Add(24*time.Hour)
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return der
}

func (a *authority) write(name, kind string, der []byte) string {
	a.t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		a.t.Fatal(err)
	}
	if kind == "CERTIFICATE" {
		if err := os.Chmod(path, 0o644); err != nil { // no secret
			a.t.Fatal(err)
		}
	}
	return path
}

// sign makes a certificate with these DNS names, for servers and clients.
func (a *authority) sign(file string, names ...string) certificate {
	a.t.Helper()
	key := newKey(a.t)
	der := a.create(&x509.Certificate{Subject: pkix.Name{CommonName: names[0]}, DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}, key)
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		a.t.Fatal(err)
	}
	return certificate{a.write(file+".pem", "CERTIFICATE", der), a.write(file+".key", "PRIVATE KEY", private)}
}
