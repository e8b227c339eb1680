//go:build !dmz

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"gatepost/cmd/gatepost/dbmailconf"
)

// importedSetting is a line of a TOML file.
type importedSetting struct {
	table, key string
	value      any // string, bool or []string
	from       dbmailconf.Value
}

func (s *importedSetting) dotted() string {
	if s.table == "" {
		return s.key
	}
	return s.table + "." + s.key
}

// set adds a setting; from is the key of dbmail.conf that it comes from.
func (f *importedFile) set(table, key string, value any, from dbmailconf.Value) {
	f.settings = append(f.settings, importedSetting{table, key, value, from})
}

// render writes the settings as TOML, each with the line that it comes from.
func (f *importedFile) render(from string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Made of %s by gatepost lmtpd import. What is not set here has its default;\n# the sample %s has all keys.\n\n", clean(from), filepath.Base(f.Path))
	tables := []string{""}
	for _, s := range f.settings {
		known := false
		for _, t := range tables {
			known = known || t == s.table
		}
		if !known {
			tables = append(tables, s.table)
		}
	}
	for _, table := range tables {
		if table != "" {
			fmt.Fprintf(&b, "\n[%s]\n", table)
		}
		for _, s := range f.settings {
			if s.table != table {
				continue
			}
			fmt.Fprintf(&b, "%s = %s", s.key, tomlValue(s.value))
			if s.from.Set() {
				fmt.Fprintf(&b, "  # line %d, %s", s.from.Line, clean(s.from.Key))
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

// write puts the files on disk; without force only if none of them is there.
func (p *lmtpdImport) write(force bool) error {
	if !force {
		var there []string
		for _, f := range p.Files {
			if _, err := os.Lstat(f.Path); err == nil {
				there = append(there, f.Path)
			}
		}
		if len(there) > 0 {
			return fmt.Errorf("nothing was written: %s there already; --force overwrites", strings.Join(there, ", ")+isAre(len(there)))
		}
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return fmt.Errorf("nothing was written: %w", err)
	}
	// Secrets first: a configuration that names them is only there with them.
	for _, secrets := range []bool{true, false} {
		for _, f := range p.Files {
			if f.Secret != secrets {
				continue
			}
			if err := f.write(force); err != nil {
				return err
			}
		}
	}
	p.Written = true
	return nil
}

func isAre(n int) string {
	if n == 1 {
		return " is"
	}
	return " are"
}

// write puts one file on disk, whole or not at all. It belongs to nobody else
// from the first moment, if it is a secret.
func (f *importedFile) write(force bool) error {
	content, mode := f.Content, os.FileMode(0o644)
	if f.Secret {
		content, mode = f.secret+"\n", 0o600
	}
	temp, err := os.CreateTemp(filepath.Dir(f.Path), ".import-") // mode 0600
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	defer os.Remove(temp.Name())
	_, err = temp.WriteString(content)
	err = errors.Join(err, temp.Chmod(mode), temp.Sync(), temp.Close())
	if err == nil && force {
		err = os.Rename(temp.Name(), f.Path)
	} else if err == nil {
		err = os.Link(temp.Name(), f.Path) // fails if it is there
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", f.Path, err)
	}
	return nil
}
