// Package dbmailconf reads dbmail.conf as DBMail 3.x does: a file of GLib's
// key files (sections in brackets, key = value), in which a "#" ends the
// value wherever it stands.
package dbmailconf

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"gatepost/internal/daemon"
)

const (
	// maxFile bounds the file, in bytes.
	maxFile = 1 << 20
	// maxValue is what DBMail keeps of a value, in bytes.
	maxValue = 1023
)

// Value is what a key is set to.
type Value struct {
	Section, Key string // as they stand in the file
	Line         int    // from 1; 0 is a key that is not set
	Text         string
}

// Set says whether the file has the key.
func (v Value) Set() bool { return v.Line > 0 }

// Yes says whether DBMail takes the value for "yes".
func (v Value) Yes() bool { return strings.EqualFold(v.Text, "yes") }

// File is a dbmail.conf.
type File struct {
	Name     string
	sections map[string]map[string]Value
	used     map[string]bool // section NUL key, of what was asked for
}

// Read reads the file at path and reports all that is wrong with it.
func Read(path string) (*File, daemon.Problems) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, daemon.Problems{{File: path, What: fmt.Sprintf("cannot be read: %v", unwrapped(err))}}
	}
	return Parse(path, text)
}

// unwrapped leaves out the path, which the problem names.
func unwrapped(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}

// Parse reads the text of a file that is called name in problems. They never
// show a value, which may be a secret.
func Parse(name string, text []byte) (*File, daemon.Problems) {
	f := &File{Name: name, sections: map[string]map[string]Value{}, used: map[string]bool{}}
	var problems daemon.Problems
	if len(text) > maxFile {
		return f, daemon.Problems{{File: name, What: fmt.Sprintf("is longer than %d bytes; this is no dbmail.conf", maxFile)}}
	}
	n, section := 0, ""
	for line := range bytes.Lines(text) {
		n++
		what := ""
		switch line := strings.TrimRight(string(line), "\r\n"); {
		case !utf8.ValidString(line):
			what = "is not UTF-8"
		case strings.ContainsRune(line, 0):
			what = "has a NUL"
		default:
			section, what = f.line(section, line, n)
		}
		if what != "" {
			problems = append(problems, daemon.Problem{File: name, Line: n, What: what})
		}
	}
	return f, problems
}

// line takes in one line and gives the section that the next one is in, and
// what is wrong.
func (f *File) line(section, line string, n int) (in, wrong string) {
	line = strings.TrimLeft(line, " \t\f\v")
	if line == "" || line[0] == '#' {
		return section, ""
	}
	if line[0] == '[' {
		name, ok := strings.CutSuffix(strings.TrimRight(line, " \t"), "]")
		if name = name[1:]; !ok || name == "" || strings.ContainsAny(name, "[]") {
			return section, "is no section; want for example [DBMAIL], and nothing after it"
		}
		if f.sections[name] == nil {
			f.sections[name] = map[string]Value{}
		}
		return name, ""
	}
	key, text, ok := strings.Cut(line, "=")
	key = strings.TrimRight(key, " \t")
	switch {
	case !ok:
		return section, "is neither a section, nor key = value, nor a comment; DBMail does not start with it"
	case key == "" || strings.ContainsAny(key, "[]"):
		return section, "has no key before its ="
	case section == "":
		return section, "stands before the first section; DBMail does not start with it"
	}
	// DBMail looks for the # in the part that it keeps.
	text = strings.TrimLeft(text, " \t\f\v")
	if i := strings.IndexByte(text, '#'); i >= 0 {
		text = text[:i]
	}
	text = strings.TrimSpace(text)
	if len(text) > maxValue {
		return section, fmt.Sprintf("is longer than %d bytes, of which DBMail keeps no more", maxValue)
	}
	f.sections[section][key] = Value{Section: section, Key: key, Line: n, Text: text} // the last one counts
	return section, ""
}

// Get finds a key as DBMail does for a service: in its section, then in
// [DBMAIL]; in either as it is written here, in upper and in lower case. An
// empty value counts as one.
func (f *File) Get(service, key string) Value {
	own, general := f.Own(service, key), f.Own("DBMAIL", key)
	if own.Set() {
		return own
	}
	return general
}

// Own finds a key in one section alone.
func (f *File) Own(section, key string) Value {
	var found Value
	for _, k := range []string{key, strings.ToUpper(key), strings.ToLower(key)} {
		v, ok := f.sections[section][k]
		if ok {
			f.used[section+"\x00"+k] = true
			if !found.Set() {
				found = v
			}
		}
	}
	return found
}

// Sections lists the names of the sections, sorted.
func (f *File) Sections() []string { return slices.Sorted(maps.Keys(f.sections)) }

// Unused lists the keys of a section that nobody has asked for, by line.
func (f *File) Unused(section string) []Value {
	var out []Value
	for k, v := range f.sections[section] {
		if !f.used[section+"\x00"+k] {
			out = append(out, v)
		}
	}
	slices.SortFunc(out, func(a, b Value) int { return a.Line - b.Line })
	return out
}
