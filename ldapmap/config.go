package ldapmap

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/directory"
)

// TableConfig is a table as its file describes it (ldap_table(5)).
type TableConfig struct {
	Name string // the file's name without ".cf"
	File string
	// Comments are the lines "# gatepost: name = value" of the file, which
	// Postfix does not see.
	Comments map[string]Setting

	uris     []string
	startTLS bool
	verify   bool
	tls      directory.TLSFiles
	bind     directory.Bind
	password string

	templates *directory.Templates
	scope     directory.Scope
	deref     int
	timeout   time.Duration // of one search
	// Attributes by what they mean, in the order in which they are tried.
	terminal, leaf, regular, special          []string
	sizeLimit, expansionLimit, recursionLimit int
	domains                                   *domainList
	// hopeless says why no look-up can work, with these settings, neither
	// here nor in Postfix, which opens such a table all the same.
	hopeless string
}

// ReadTable reads a table file.
func ReadTable(path string) (c *TableConfig, warnings, problems daemon.Problems) {
	f, err := os.Open(path)
	if err != nil {
		return nil, nil, daemon.Problems{{File: path, What: fmt.Sprintf("cannot be read: %v", err)}}
	}
	defer f.Close()
	return ParseTable(path, f)
}

// ParseTable reads a table from the text of its file; path is only a name.
// There are problems where Postfix would refuse to open the table, and for
// what Postfix does and we do not; then there is no table. Warnings are for
// what is taken otherwise than it is written.
func ParseTable(path string, r io.Reader) (c *TableConfig, warnings, problems daemon.Problems) {
	p := &params{cfFile: readFile(path, r), known: map[string]bool{}}
	c = &TableConfig{Name: strings.TrimSuffix(filepath.Base(path), ".cf"), File: path, Comments: p.comments}
	p.servers(c)
	p.table(c)
	p.rest()
	byLine := func(a, b daemon.Problem) int { return a.Line - b.Line }
	slices.SortStableFunc(p.warnings, byLine)
	slices.SortStableFunc(p.problems, byLine)
	if len(p.problems) > 0 {
		return nil, p.warnings, p.problems
	}
	if err := c.Settings().Check(); err != nil && c.hopeless == "" {
		p.warn(0, "", fmt.Sprintf("look-ups will be temporary errors until this is mended: %v", err))
	}
	return c, p.warnings, nil
}

// Settings are those of the servers that the table asks. Tables with the same
// PoolKey share one pool. What Check says of them is among the warnings: a file
// of certificates that is missing may come later, as for Postfix.
func (c *TableConfig) Settings() directory.Settings {
	return directory.Settings{
		URIs:     c.uris,
		StartTLS: c.startTLS,
		TLS:      c.tls,
		NoVerify: !c.verify,
		Bind:     c.bind,
		Timeout:  c.timeout,
	}
}

// PoolKey is equal for tables whose Settings are. It holds the password: it is
// not for logs.
func (c *TableConfig) PoolKey() string {
	b := c.bind
	return fmt.Sprintf("%q %t %t %q %d %q %q %q %q %q %s", c.uris, c.startTLS, c.verify, c.tls, b.Method, b.DN, c.password, b.Mechanism, b.User, b.Authz, c.timeout)
}
