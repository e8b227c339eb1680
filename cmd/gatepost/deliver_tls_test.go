//go:build !dmz

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"testing"
	"time"

	"gatepost/lmtpd"
)

// TestDeliverOverTLS delivers to an lmtpd that demands a client certificate,
// with and without one.
func TestDeliverOverTLS(t *testing.T) {
	dsn := newTestStore(t)
	good(t, "store", "user", "add", "alice", "--alias", "alice@example.com", "--store", dsn)
	file := writeFile(t, "message.eml", "Subject: hello\n\nworld\n")
	cert, key := pemFiles(t)
	otherCert, otherKey := pemFiles(t)

	config := lmtpd.DefaultConfig()
	config.Store.DSN = dsn
	config.TLS = lmtpd.TLSConfig{Certificate: cert, Key: key, ClientCA: cert, Required: true}
	strict := serve(t, &config)
	config.TLS = lmtpd.TLSConfig{Certificate: cert, Key: key}
	open := serve(t, &config)
	plain := serveStore(t, dsn)

	deliver := []string{"deliver", "--to", "alice@example.com", file, "--lmtp"}
	for _, tc := range []struct {
		name     string
		args     []string
		code     int
		out, err string
	}{
		{"certificate shown", []string{strict, "--cert", cert, "--key", key}, 0, "accepted", "encrypted with TLS 1.3"},
		{"no certificate", []string{strict}, 75, "", "certificate required"},
		{"wrong certificate", []string{strict, "--cert", otherCert, "--key", otherKey}, 75, "", "tls"},
		{"offered", []string{open}, 0, "accepted", "encrypted with TLS 1.3"},
		{"not offered", []string{plain}, 0, "accepted", ""},
		{"not offered, certificate", []string{plain, "--cert", cert, "--key", key}, 75, "", "the server offers no STARTTLS; nothing was delivered"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gatepost(t, append(deliver, tc.args...)...).expect(t, tc.code, tc.out, tc.err)
		})
	}
}

// pemFiles makes a self-signed certificate and its key.
func pemFiles(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"lmtpd.example.com"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writeFile(t, "cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))),
		writeFile(t, "key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})))
}
