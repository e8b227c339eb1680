package directory

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"syscall"
	"time"
)

// TLSFiles are PEM files. Without CAFile and CADir the system's authorities
// are believed.
type TLSFiles struct {
	CAFile string // authorities of the servers
	CADir  string // or a directory of such files
	Cert   string // our own certificate, if servers ask for one
	Key    string // its private key
}

// maxCAFiles bounds what is read of a directory.
const maxCAFiles = 4096

// read makes a client's configuration of the files, without a server's name.
func (f TLSFiles) read(noVerify bool) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: noVerify}
	files, err := f.authorities()
	if err != nil {
		return nil, err
	}
	if f.CAFile != "" || f.CADir != "" {
		config.RootCAs = x509.NewCertPool()
		found := false
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, fmt.Errorf("read CA: %w", err)
			}
			found = config.RootCAs.AppendCertsFromPEM(text) || found
		}
		if !found {
			return nil, fmt.Errorf("read CA: no certificate in %s", f.CAFile+f.CADir)
		}
	}
	if f.Cert != "" || f.Key != "" {
		pair, err := tls.LoadX509KeyPair(f.Cert, f.Key)
		if err != nil {
			return nil, fmt.Errorf("read client certificate and key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

// authorities lists the CA files.
func (f TLSFiles) authorities() ([]string, error) {
	var files []string
	if f.CAFile != "" {
		files = append(files, f.CAFile)
	}
	if f.CADir == "" {
		return files, nil
	}
	entries, err := os.ReadDir(f.CADir)
	if err != nil {
		return nil, fmt.Errorf("read CA directory: %w", err)
	}
	if len(entries) > maxCAFiles {
		return nil, fmt.Errorf("read CA directory: more than %d files in %s", maxCAFiles, f.CADir)
	}
	for _, e := range entries {
		path := filepath.Join(f.CADir, e.Name())
		// Through symbolic links: c_rehash makes them.
		if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
			files = append(files, path)
		}
	}
	return files, nil
}

// stamp tells one version of a file from another.
type stamp struct {
	path     string
	modified time.Time
	size     int64
	inode    uint64
}

func (a stamp) equal(b stamp) bool {
	return a.path == b.path && a.modified.Equal(b.modified) && a.size == b.size && a.inode == b.inode
}

// stamps of all files; one that is not there has no more than its name.
func (f TLSFiles) stamps() []stamp {
	files, _ := f.authorities()
	for _, path := range []string{f.CADir, f.Cert, f.Key} {
		if path != "" {
			files = append(files, path)
		}
	}
	stamps := make([]stamp, len(files))
	for i, path := range files {
		stamps[i].path = path
		if info, err := os.Stat(path); err == nil {
			stamps[i] = stampOf(path, info)
		}
	}
	return stamps
}

func stampOf(path string, info fs.FileInfo) stamp {
	s := stamp{path: path, modified: info.ModTime(), size: info.Size()}
	if sys, ok := info.Sys().(*syscall.Stat_t); ok {
		s.inode = sys.Ino
	}
	return s
}

// tlsState is the configuration made of the files as they are. While changed
// files do not fit together, what was read before stays in use.
type tlsState struct {
	files    TLSFiles
	noVerify bool
	log      *slog.Logger

	mu         sync.Mutex
	config     *tls.Config // nil until files could be read
	err        error       // why not
	stamps     []stamp
	generation int // counts the configurations
}

// current returns the configuration for the files as they are now, and its number.
func (t *tlsState) current() (*tls.Config, int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	// Stamped before read: files that change in between look changed again
	// the next time.
	stamps := t.files.stamps()
	if (t.config != nil || t.err != nil) && slices.EqualFunc(stamps, t.stamps, stamp.equal) {
		return t.config, t.generation, t.err
	}
	t.stamps = stamps
	config, err := t.files.read(t.noVerify)
	switch {
	case err == nil:
		if t.config != nil {
			t.log.Info("directory TLS files read again", "ca", t.files.CAFile+t.files.CADir, "certificate", t.files.Cert)
		}
		t.config, t.err = config, nil
		t.generation++
	case t.config != nil:
		t.log.Error("directory TLS files not usable, the old ones stay", "why", err.Error())
	default:
		t.err = err
	}
	return t.config, t.generation, t.err
}

// forHost returns the configuration for one server, whose certificate must
// name the host. Being a copy it also keeps its sessions to itself.
func forHost(config *tls.Config, host string) *tls.Config {
	c := config.Clone()
	c.ServerName = host
	return c
}
