package daemon

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"syscall"
	"time"
)

// CertFiles name the PEM files of a TLS server.
type CertFiles struct {
	Certificate string `toml:"certificate"` // the server's chain, its own certificate first
	Key         string `toml:"key"`         // the private key
	ClientCA    string `toml:"client_ca"`   // if set, clients must show a certificate of these authorities
	// ClientMay: clients need not show one; who uses the connection looks.
	ClientMay bool `toml:"-"`
}

// recheck is how often handshakes look at the files at most.
const recheck = time.Second

// Certificates are a server's certificate and key, read again when the files
// change, without a reload: who renews certificates need not know who uses
// them. While the new files do not fit together the old ones stay in use.
type Certificates struct {
	files CertFiles
	log   *slog.Logger
	now   func() time.Time

	mu      sync.Mutex
	current *tls.Config
	leaf    *x509.Certificate
	stamps  []stamp   // of the files as last read, fitting or not
	looked  time.Time // when the files were last looked at
}

// stamp tells one version of a file from another.
type stamp struct {
	modified time.Time
	size     int64
	inode    uint64
}

// LoadCertificates reads the files. Later changes that do not fit are logged,
// each once.
func LoadCertificates(files CertFiles, log *slog.Logger) (*Certificates, error) {
	c := &Certificates{files: files, log: log, now: time.Now}
	stamps, err := c.look()
	if err != nil {
		return nil, err
	}
	if err := c.read(); err != nil {
		return nil, err
	}
	c.stamps, c.looked = stamps, c.now()
	return c, nil
}

// ServerConfig returns a configuration for TLS 1.2 and later that uses the
// files as they are at each handshake.
func (c *Certificates) ServerConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return c.fresh(), nil
		},
		// Never asked, as the configuration above is used, but servers look
		// whether there is a certificate at all.
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &c.fresh().Certificates[0], nil
		},
	}
}

// NotAfter returns when the certificate in use expires.
func (c *Certificates) NotAfter() time.Time {
	c.fresh()
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.leaf.NotAfter
}

// fresh returns the configuration for the files as they are now.
func (c *Certificates) fresh() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now().Sub(c.looked) < recheck {
		return c.current
	}
	c.looked = c.now()
	// Looked at before read: files that change in between look changed again
	// the next time.
	stamps, err := c.look()
	if err == nil && equal(stamps, c.stamps) {
		return c.current
	}
	if err == nil {
		err = c.read()
	}
	switch {
	case err == nil:
		c.log.Info("certificate read again", "file", c.files.Certificate, "expires", c.leaf.NotAfter)
	case !equal(stamps, c.stamps):
		c.log.Error("certificate not usable, the old one stays", "file", c.files.Certificate, "why", err.Error())
	}
	c.stamps = stamps
	return c.current
}

// look stamps the files; a file that is not there has the zero stamp.
func (c *Certificates) look() ([]stamp, error) {
	var stamps []stamp
	var errs []error
	for _, path := range []string{c.files.Certificate, c.files.Key, c.files.ClientCA} {
		if path == "" && len(stamps) == 2 {
			continue // no client certificates
		}
		info, err := os.Stat(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("look at certificate: %w", err))
			stamps = append(stamps, stamp{})
			continue
		}
		stamps = append(stamps, stampOf(info))
	}
	return stamps, errors.Join(errs...)
}

func stampOf(info fs.FileInfo) stamp {
	s := stamp{modified: info.ModTime(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

func equal(a, b []stamp) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].modified.Equal(b[i].modified) || a[i].size != b[i].size || a[i].inode != b[i].inode {
			return false
		}
	}
	return true
}

// read makes a configuration of the files; after an error nothing has changed.
func (c *Certificates) read() error {
	pair, err := tls.LoadX509KeyPair(c.files.Certificate, c.files.Key)
	if err != nil {
		return fmt.Errorf("read certificate and key: %w", err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		return fmt.Errorf("read certificate: %w", err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}
	if c.files.ClientCA != "" {
		text, err := os.ReadFile(c.files.ClientCA)
		if err != nil {
			return fmt.Errorf("read client CA: %w", err)
		}
		config.ClientCAs = x509.NewCertPool()
		if !config.ClientCAs.AppendCertsFromPEM(text) {
			return fmt.Errorf("read client CA: no certificate in %s", c.files.ClientCA)
		}
		config.ClientAuth = tls.RequireAndVerifyClientCert
		if c.files.ClientMay {
			config.ClientAuth = tls.VerifyClientCertIfGiven
		}
	}
	c.current, c.leaf = config, leaf
	return nil
}
