package daemon

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// pair is a self-signed certificate, usable for servers, clients and as an
// authority of itself.
func pair(t *testing.T, name string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

// put replaces a file as a program that renews certificates does.
func put(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// handshake gives the name of the certificate that the server shows.
func handshake(t *testing.T, config *tls.Config, client *tls.Config) (string, error) {
	t.Helper()
	near, far := net.Pipe()
	served := make(chan error, 1)
	go func() {
		defer far.Close()
		server := tls.Server(far, config)
		err := server.Handshake()
		if err == nil {
			_, err = server.Write([]byte("x"))
		}
		served <- err
	}()
	client = client.Clone()
	client.InsecureSkipVerify = true
	conn := tls.Client(near, client)
	_, err := io.ReadAll(conn)
	near.Close()
	if served := <-served; served != nil {
		err = served
	}
	if err != nil {
		return "", err
	}
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName, nil
}

func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	files := CertFiles{Certificate: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key")}
	certA, keyA := pair(t, "a.test")
	certB, keyB := pair(t, "b.test")
	put(t, files.Certificate, certA)
	put(t, files.Key, keyA)
	var log safeBuffer
	certificates, err := LoadCertificates(files, slog.New(slog.NewTextHandler(&log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	certificates.now = func() time.Time { return now }
	config := certificates.ServerConfig()
	expect := func(want string, after time.Duration) {
		t.Helper()
		now = now.Add(after)
		if got, err := handshake(t, config, &tls.Config{}); err != nil || got != want {
			t.Errorf("server shows %q, %v; want %q", got, err, want)
		}
	}

	expect("a.test", 2*recheck)
	put(t, files.Certificate, certB) // its key is not there yet
	expect("a.test", 2*recheck)
	expect("a.test", 2*recheck)
	if n := strings.Count(log.String(), "certificate not usable"); n != 1 {
		t.Errorf("the bad pair is logged %d times: %s", n, log.String())
	}
	put(t, files.Key, keyB)
	expect("a.test", recheck/2) // not looked at again so soon
	expect("b.test", recheck)
	if err := os.Remove(files.Key); err != nil {
		t.Fatal(err)
	}
	expect("b.test", 2*recheck)
	put(t, files.Certificate, certA)
	put(t, files.Key, keyA)
	expect("a.test", 2*recheck)
	if n := strings.Count(log.String(), "certificate not usable"); n != 2 {
		t.Errorf("two bad states are logged %d times: %s", n, log.String())
	}
	if d := time.Until(certificates.NotAfter()); d < 50*time.Minute || d > time.Hour {
		t.Errorf("expires in %v", d)
	}
	if _, err := handshake(t, config, &tls.Config{MaxVersion: tls.VersionTLS11}); err == nil {
		t.Error("TLS 1.1 is spoken")
	}
	if _, err := handshake(t, config, &tls.Config{MaxVersion: tls.VersionTLS12}); err != nil {
		t.Errorf("TLS 1.2: %v", err)
	}
}

func TestClientCertificates(t *testing.T) {
	dir := t.TempDir()
	files := CertFiles{Certificate: filepath.Join(dir, "cert"), Key: filepath.Join(dir, "key"), ClientCA: filepath.Join(dir, "ca")}
	cert, key := pair(t, "server.test")
	gatewayCert, gatewayKey := pair(t, "gateway.test")
	strangerCert, strangerKey := pair(t, "stranger.test")
	put(t, files.Certificate, cert)
	put(t, files.Key, key)
	put(t, files.ClientCA, gatewayCert)
	certificates, err := LoadCertificates(files, slog.New(slog.NewTextHandler(io.Discard, nil)))
	if err != nil {
		t.Fatal(err)
	}
	client := func(cert, key []byte) *tls.Config {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{pair}}
	}
	config := certificates.ServerConfig()
	if _, err := handshake(t, config, client(gatewayCert, gatewayKey)); err != nil {
		t.Errorf("the gateway: %v", err)
	}
	if _, err := handshake(t, config, client(strangerCert, strangerKey)); err == nil {
		t.Error("a stranger's certificate is accepted")
	}
	if _, err := handshake(t, config, &tls.Config{}); err == nil {
		t.Error("no certificate is accepted")
	}
}

func TestLoadCertificatesErrors(t *testing.T) {
	dir := t.TempDir()
	cert, key := pair(t, "a.test")
	_, otherKey := pair(t, "b.test")
	for name, content := range map[string][]byte{"cert": cert, "key": key, "other": otherKey, "junk": []byte("junk")} {
		put(t, filepath.Join(dir, name), content)
	}
	for _, test := range []struct{ cert, key, ca, want string }{
		{"none", "key", "", "no such file"},
		{"cert", "none", "", "no such file"},
		{"cert", "key", "none", "no such file"},
		{"cert", "other", "", "does not match"},
		{"junk", "key", "", "read certificate and key"},
		{"cert", "key", "junk", "no certificate in"},
	} {
		files := CertFiles{Certificate: filepath.Join(dir, test.cert), Key: filepath.Join(dir, test.key)}
		if test.ca != "" {
			files.ClientCA = filepath.Join(dir, test.ca)
		}
		if _, err := LoadCertificates(files, slog.Default()); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
