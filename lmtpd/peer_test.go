package lmtpd

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/lmtpd/recipient"
)

func TestPeers(t *testing.T) {
	serverSide, clientSide := serverTLS(t)
	serverSide.ClientAuth = tls.VerifyClientCertIfGiven
	here := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	there := []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
	anonymous := &tls.Config{RootCAs: clientSide.RootCAs, ServerName: clientSide.ServerName}
	for _, tc := range []struct {
		name  string
		peers []Peer
		tls   *tls.Config // nil: none
		mail  string
		list  string
	}{
		{"no peers", nil, nil, "250", "250"},
		{"network", []Peer{{Networks: here}}, nil, "250", "450 4.7.1"},
		{"network, lists", []Peer{{Networks: here, Lists: true}}, nil, "250", "250"},
		{"other network", []Peer{{Networks: there, Unix: true}}, nil, "450 4.7.1", ""},
		{"no TLS", []Peer{{Networks: here, Certificates: []string{"mx.example.org"}}}, nil, "454 4.7.0", ""},
		{"no certificate", []Peer{{Networks: here, Certificates: []string{"mx.example.org"}}}, anonymous, "454 4.7.0", ""},
		{"its certificate", []Peer{{Networks: here, Certificates: []string{"other.example.org", "MX.example.org"}, Lists: true}}, clientSide, "250", "250"},
		{"another's certificate", []Peer{{Networks: here, Certificates: []string{"example.org", "*.example.org"}}}, clientSide, "454 4.7.0", ""},
		{"its certificate from elsewhere", []Peer{{Networks: there, Certificates: []string{"mx.example.org"}}}, clientSide, "450 4.7.1", ""},
		{"the first that fits", []Peer{{Networks: here, Certificates: []string{"mx.example.org"}, Lists: true}, {Networks: here}}, clientSide, "250", "250"},
		{"the second that fits", []Peer{{Networks: here, Certificates: []string{"mx.example.org"}, Lists: true}, {Networks: here}}, nil, "250", "450 4.7.1"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := listBench(t, func(set *Settings) { set.TLS, set.Peers = serverSide, tc.peers })
			crowd(t, b, 1, recipient.List{Address: "all@example.org"})
			c := b.dial()
			c.send("LHLO x", "250")
			if tc.tls != nil {
				c.send("STARTTLS", "220")
				tc := tls.Client(c.c, tc.tls)
				if err := tc.Handshake(); err != nil {
					t.Fatal(err)
				}
				c.c = tc
				c.r.Reset(tc)
				c.send("LHLO x", "250")
			}
			c.send("MAIL FROM:<a@b.test>", tc.mail)
			if tc.mail != "250" {
				c.send("RCPT TO:<alice@example.org>", "502")
				return
			}
			c.send("RCPT TO:<alice@example.org>", "250")
			c.send("RCPT TO:<all@example.org>", tc.list)
		})
	}
}

func TestPeerConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtpd.toml")
	load := func(text string) (*Config, string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text+"\n[store]\ndsn = \"sqlite:/srv/store.db\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		c, problems := LoadConfig(path)
		if err := problems.Err(); err != nil {
			return nil, err.Error()
		}
		return &c, ""
	}
	c, _ := load("")
	if p := c.peers(); len(p) != 2 || !p[0].Lists || !p[0].Unix || p[1].Lists {
		t.Errorf("default peers %+v", p)
	}
	c, why := load("allow = [\"192.0.2.1/32\"]\n[tls]\ncertificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n[[peer]]\ncertificates = \"gw.example.org\"\nlists = true\n[[peer]]\nnetworks = [\"unix\", \"198.51.100.7\"]\n")
	if why != "" {
		t.Fatal(why)
	}
	p := c.peers()
	if len(p) != 2 || len(p[0].Networks) != 1 || !p[0].Unix || !p[0].Lists || p[1].Networks[0].String() != "198.51.100.7/32" || !p[1].Unix || p[1].Lists {
		t.Errorf("peers %+v", p)
	}
	if g := c.Guard(); len(g.Allow) != 2 {
		t.Errorf("guard %+v", g)
	}
	c, _ = load("[[peer]]\nnetworks = \"unix\"\n")
	if g := c.Guard(); len(g.Allow) == 0 || g.Allow[0].Contains(netip.MustParseAddr("127.0.0.1")) {
		t.Errorf("unix alone: guard %+v", g)
	}
	for text, want := range map[string]string{
		"[[peer]]\nnetworks = [\"everywhere\"]\n":         "peer[0].networks: \"everywhere\" is no network",
		"[[peer]]\ncertificates = [\"gw.example.org\"]\n": "peer[0].certificates: needs tls.client_ca",
		"[[peer]]\nlist = true\n":                         "list: unknown",
		"[[peer]]\ncertificates = [\"\"]\n":               "peer[0].certificates: \"\" is no name",
	} {
		if _, why := load(text); !strings.Contains(why, want) {
			t.Errorf("%q: %q, want %q", text, why, want)
		}
	}
}

// A certificate without any name is nobody's.
func TestNamelessCertificate(t *testing.T) {
	for _, wanted := range []string{"", "."} {
		if hasName(&x509.Certificate{}, []string{wanted}) {
			t.Errorf("it has the name %q", wanted)
		}
	}
}
