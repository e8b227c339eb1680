//go:build !dmz

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gatepost/cmd/gatepost/dbmailconf"
	"gatepost/internal/daemon"
	"gatepost/internal/directory"
	"gatepost/lmtpd"
)

// lmtpdImport is what lmtpd import makes of a dbmail.conf, as JSON.
type lmtpdImport struct {
	From  string               `json:"from"`
	Files []*importedFile      `json:"files"`
	Keys  []importedDifference `json:"keys"`  // what has another meaning, or none
	Lmtpd []importedDifference `json:"lmtpd"` // what differs whatever the keys say
	// Written: the files are on disk.
	Written bool `json:"written"`

	conf     *dbmailconf.File
	dir      string
	problems daemon.Problems
	lmtpd    *importedFile
	// directory is nil unless there is one.
	directory *importedFile
}

// importedFile is a file to write.
type importedFile struct {
	Path string `json:"path"`
	// Content is empty for a secret.
	Content  string            `json:"content,omitempty"`
	Secret   bool              `json:"secret,omitempty"`
	settings []importedSetting // of a TOML file
	secret   string
}

// importedDifference is something that is not as it was.
type importedDifference struct {
	Key  string `json:"key,omitempty"`  // as in "[LMTP] port"
	Line int    `json:"line,omitempty"` // in dbmail.conf; 0: not set there
	Why  string `json:"why"`
}

// newLmtpdImportPlan makes the plan for files in dir. Errors are
// daemon.Problems with lines of dbmail.conf.
func newLmtpdImportPlan(conf *dbmailconf.File, dir string) (*lmtpdImport, error) {
	p := lmtpdImportFor(conf, dir)
	if err := p.problems.Err(); err != nil {
		return nil, err
	}
	if err := p.try(); err != nil {
		return nil, err
	}
	return p, nil
}

func lmtpdImportFor(conf *dbmailconf.File, dir string) *lmtpdImport {
	p := &lmtpdImport{From: conf.Name, conf: conf, dir: dir, Keys: []importedDifference{}}
	p.lmtpd = &importedFile{Path: filepath.Join(dir, "lmtpd.toml")}
	p.Files = []*importedFile{p.lmtpd}
	p.auth()
	p.store()
	p.server()
	p.delivery()
	p.outside()
	if p.directory != nil {
		p.accounts()
	}
	p.rest()
	p.always()
	for _, f := range p.Files {
		if !f.Secret {
			f.Content = f.render(conf.Name)
		}
	}
	return p
}

// auth says who knows the users.
func (p *lmtpdImport) auth() {
	v := p.conf.Own("DBMAIL", "authdriver")
	switch strings.ToLower(v.Text) {
	case "sql":
		p.lmtpd.set("", "recipients", "sql", v)
	case "ldap":
		p.lmtpd.set("", "recipients", "directory", v)
		p.directory = &importedFile{Path: filepath.Join(p.dir, "directory.toml")}
		p.Files = append(p.Files, p.directory)
	default:
		p.wrong(v, "authdriver", "is not set to sql or ldap; one of the two says who knows the users")
	}
}

// secret adds a file that holds a password and gives its path.
func (p *lmtpdImport) secret(name, password string) string {
	path := filepath.Join(p.dir, name)
	p.Files = append(p.Files, &importedFile{Path: path, Secret: true, secret: password})
	return path
}

// wrong adds a problem of dbmail.conf. It must not show a secret.
func (p *lmtpdImport) wrong(v dbmailconf.Value, key, format string, args ...any) {
	p.problems = append(p.problems, daemon.Problem{File: p.conf.Name, Line: v.Line, Key: key, What: fmt.Sprintf(format, args...)})
}

// differs notes that a key has another meaning or none. It must not show a
// secret.
func (p *lmtpdImport) differs(section, key string, v dbmailconf.Value, format string, args ...any) {
	if v.Set() {
		section, key = v.Section, v.Key
	}
	p.Keys = append(p.Keys, importedDifference{Key: "[" + section + "] " + key, Line: v.Line, Why: fmt.Sprintf(format, args...)})
}

// try has the daemons read what we made, and tells of their problems at the
// lines of dbmail.conf.
func (p *lmtpdImport) try() error {
	dir, err := os.MkdirTemp("", "gatepost-import")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	trial := lmtpdImportFor(p.conf, dir)
	if err := trial.write(false); err != nil {
		return err
	}
	_, problems := lmtpd.LoadConfig(trial.lmtpd.Path)
	p.blame(trial.lmtpd, problems)
	if trial.directory != nil {
		_, problems := directory.LoadConfig(trial.directory.Path)
		p.blame(trial.directory, problems)
	}
	return p.problems.Err()
}

// blame finds the keys of dbmail.conf that problems come from.
func (p *lmtpdImport) blame(f *importedFile, problems daemon.Problems) {
	for _, problem := range problems {
		key, from := filepath.Base(f.Path), dbmailconf.Value{}
		for _, s := range f.settings {
			if s.dotted() == problem.Key {
				from = s.from
			}
		}
		if from.Set() {
			key = from.Key
		}
		p.wrong(from, key, "would be %s in %s: %s", problem.Key, filepath.Base(f.Path), problem.What)
	}
}
