//go:build !dmz

package main

import (
	"bytes"
	"fmt"
	"io"
	"path/filepath"
	"strings"
)

// print shows the files, unless they were written, and what differs.
func (p *lmtpdImport) print(w io.Writer) error {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, "%s\n", clean(fmt.Sprintf(format, args...))) }
	if !p.Written {
		line("# Nothing is written; with --out %s this would be:", shellWord(p.dir))
	}
	for _, f := range p.Files {
		switch {
		case p.Written:
			line("# wrote %s", f.Path)
		case f.Secret:
			line("")
			line("# ---- %s, mode 0600: the password, which is not shown", f.Path)
		default:
			line("")
			line("# ---- %s", f.Path)
			for l := range strings.Lines(f.Content) {
				line("%s", strings.TrimSuffix(l, "\n"))
			}
		}
	}
	line("")
	line("# ---- what differs, by key of %s", p.From)
	for _, d := range p.Keys {
		where := ""
		if d.Line > 0 {
			where = fmt.Sprintf("line %d, ", d.Line)
		}
		line("# - %s%s: %s", where, d.Key, d.Why)
	}
	line("")
	line("# ---- what differs in any case")
	for _, d := range p.Lmtpd {
		line("# - %s", d.Why)
	}
	line("")
	line("# ---- next")
	config := shellWord(filepath.Join(p.dir, "lmtpd.toml"))
	for _, f := range p.Files {
		if f.Secret {
			name := filepath.Base(f.Path)
			line("# The user of gatepost-lmtpd.service may not read %s; the unit passes /etc/gatepost/%s:", f.Path, name)
			line("# write credential:%s in place of the path.", name)
		}
	}
	if p.directory != nil {
		line("# sentinel in directory.toml: name an entry that is always there, by which lmtpd")
		line("# tells a directory that has lost its data, or us our rights.")
	}
	line("gatepost-lmtpd --config %s --check", config)
	line("# dbmail-lmtpd has its port until it is stopped. The two can also share the store,")
	line("# each on a port of its own, and users be moved one by one: contrib/postfix/README.md.")
	_, err := w.Write(b.Bytes())
	return err
}

// shellWord quotes a word for sh(1) where it needs that.
func shellWord(s string) string {
	if s != "" && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./") == "" {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
