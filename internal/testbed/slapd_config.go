package testbed

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
	"strings"
	"time"
)

// slapdSchemaDir is where Debian's slapd has its schema files.
const slapdSchemaDir = "/etc/ldap/schema"

func (s *SlapdServer) configFile() string { return filepath.Join(s.scratch.dir, "slapd.conf") }

// hasTLS says whether the configuration names a certificate; without one
// slapd would not start with an ldaps listener.
func (s *SlapdServer) hasTLS() bool {
	return s.options.Config == "" || strings.Contains(s.options.Config, "TLSCertificateFile")
}

// writeConfig writes slapd.conf from the options, or from the whole given.
func (s *SlapdServer) writeConfig() error {
	text := s.options.Config
	if text == "" {
		text = s.ownConfig()
	}
	text = strings.NewReplacer("@DIR@", s.options.Dir, "@RUN@", s.scratch.dir).Replace(text)
	if err := os.WriteFile(s.configFile(), []byte(text), 0o600); err != nil {
		return fmt.Errorf("configure slapd: %w", err)
	}
	return nil
}

func (s *SlapdServer) ownConfig() string {
	o := s.options
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	for _, name := range []string{"core", "cosine", "nis", "inetorgperson"} {
		line("include %s/%s.schema", slapdSchemaDir, name)
	}
	for _, path := range o.Schema {
		line("include %q", path)
	}
	line("pidfile @RUN@/slapd.pid\nargsfile @RUN@/slapd.args\nmodulepath /usr/lib/ldap\nmoduleload back_mdb\nloglevel none")
	line("TLSCertificateFile %q\nTLSCertificateKeyFile %q\nTLSVerifyClient allow", o.CertFile, o.KeyFile)
	if o.CAFile != "" {
		line("TLSCACertificateFile %q", o.CAFile)
	}
	if o.Syncprov {
		line("moduleload syncprov")
	}
	for _, module := range o.Modules {
		line("moduleload %s", module)
	}
	lines(&b, "", o.Global)
	line("database config\nrootpw %s", AdminPassword)
	// Tests do not outlive a machine, so nothing waits for the disk.
	line("database mdb\nsuffix %q\nrootdn %q\nrootpw %s\ndirectory @RUN@/data\nmaxsize 1073741824\ndbnosync",
		s.BaseDN, s.AdminDN, AdminPassword)
	line("index objectClass,entryCSN,entryUUID eq")
	lines(&b, "index ", o.Index)
	lines(&b, "limits ", o.Limits)
	if o.Access == nil {
		line("access to * by * read")
	}
	lines(&b, "access ", o.Access)
	if p := o.Consumes; p != nil {
		line("syncrepl rid=001 provider=%s type=refreshAndPersist retry=\"1 +\" searchbase=%q bindmethod=simple binddn=%q credentials=%s",
			p.URI(), p.BaseDN, p.AdminDN, AdminPassword)
	}
	lines(&b, "", o.Database)
	if o.Syncprov {
		line("overlay syncprov")
	}
	return b.String()
}

func lines(b *strings.Builder, word string, rest []string) {
	for _, l := range rest {
		b.WriteString(word + l + "\n")
	}
}

// makeCertificates writes a certificate authority of a day and a server
// certificate for localhost that it signed.
func makeCertificates(dir string) (caFile, certFile, keyFile string, err error) {
	fail := func(err error) (string, string, string, error) {
		return "", "", "", fmt.Errorf("make certificates: %w", err)
	}
	caKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return fail(err)
	}
	now := time.Now()
	ca := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano()), Subject: pkix.Name{CommonName: "Test CA"},
		NotBefore: now.Add(-time.Hour), NotAfter: now.Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	server := &x509.Certificate{SerialNumber: big.NewInt(now.UnixNano() + 1), Subject: pkix.Name{CommonName: "localhost"},
		NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		DNSNames:    []string{"localhost"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1), net.IPv6loopback}}
	caDER, err := x509.CreateCertificate(rand.Reader, ca, ca, &caKey.PublicKey, caKey)
	if err != nil {
		return fail(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, server, ca, &key.PublicKey, caKey)
	if err != nil {
		return fail(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return fail(err)
	}
	caFile, certFile, keyFile = filepath.Join(dir, "ca.pem"), filepath.Join(dir, "server.pem"), filepath.Join(dir, "server.key")
	for path, block := range map[string]*pem.Block{
		caFile:   {Type: "CERTIFICATE", Bytes: caDER},
		certFile: {Type: "CERTIFICATE", Bytes: der},
		keyFile:  {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			return fail(err)
		}
	}
	return caFile, certFile, keyFile, nil
}
