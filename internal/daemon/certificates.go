package daemon

import (
	"crypto/tls"
	"errors"
	"log/slog"
)

// CertFiles name the PEM files of a TLS server.
type CertFiles struct {
	Certificate string `toml:"certificate"` // the server's chain, its own first
	Key         string `toml:"key"`
	ClientCA    string `toml:"client_ca"` // if set, clients must show a certificate of these authorities
}

// Certificates are a server's certificate and key, read again when the files change.
type Certificates struct{}

// LoadCertificates reads the files.
func LoadCertificates(files CertFiles, log *slog.Logger) (*Certificates, error) {
	return nil, errors.New("not written yet")
}

// ServerConfig returns a configuration for TLS 1.2 and later that always uses
// the current files.
func (c *Certificates) ServerConfig() *tls.Config { return nil }
