package ldapmap

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"gatepost/internal/daemon"
)

// maxFileSize bounds a table file, in bytes.
const maxFileSize = 1 << 20

// Setting is a value in a table file and the line where it begins.
type Setting struct {
	Value string
	Line  int
}

// cfFile is what stands in a file of Postfix's form "name = value"
// (ldap_table(5), postconf(5)), before anything is known of the names.
type cfFile struct {
	path     string
	settings map[string]Setting
	comments map[string]Setting // of the lines "# gatepost: name = value"
	warnings daemon.Problems
	problems daemon.Problems
}

// readFile reads a file as Postfix does: a line that begins with white space
// continues the one before, comments and empty lines count for nothing, of two
// lines with one name the later one counts, and "$" has no meaning.
func readFile(path string, r io.Reader) *cfFile {
	f := &cfFile{path: path, settings: map[string]Setting{}, comments: map[string]Setting{}}
	text, err := io.ReadAll(io.LimitReader(r, maxFileSize+1))
	if err != nil {
		f.problem(0, "", err.Error())
		return f
	}
	if len(text) > maxFileSize {
		f.problem(0, "", fmt.Sprintf("it has more than %d bytes; this is no table", maxFileSize))
		return f
	}
	var logical []byte
	start := 0
	for i, line := range bytes.Split(text, []byte("\n")) {
		trimmed := bytes.TrimLeft(line, space)
		switch {
		case len(trimmed) == 0:
		case trimmed[0] == '#':
			f.comment(string(trimmed[1:]), i+1)
		case len(trimmed) < len(line) && start > 0:
			logical = append(logical, line...)
		default:
			f.line(logical, start)
			logical, start = append(logical[:0], line...), i+1
		}
	}
	f.line(logical, start)
	return f
}

// space are the bytes of white space of C.
const space = " \t\n\v\f\r"

// line takes a logical line that began at the given line; 0 is none.
func (f *cfFile) line(logical []byte, start int) {
	if start == 0 {
		return
	}
	if before, _, found := bytes.Cut(logical, []byte{0}); found {
		f.warn(start, "", "a NUL byte ends the line, as it does for Postfix")
		logical = before
	}
	text := string(logical)
	if strings.TrimLeft(text, space) != text {
		f.warn(start, "", "the line is ignored: it begins with white space and continues nothing")
		return
	}
	name, value, found := cutPair(text)
	switch {
	case name == "":
		f.problem(start, "", `there is no name before "="`)
	case !found:
		f.problem(start, "", fmt.Sprintf(`no "=" follows the name %q`, name))
	default:
		if old, ok := f.settings[name]; ok && old.Value != value {
			f.warn(start, name, fmt.Sprintf("this replaces the value of line %d", old.Line))
		}
		f.settings[name] = Setting{Value: value, Line: start}
	}
}

// cutPair divides "name = value". The name ends at white space or "=".
func cutPair(text string) (name, value string, found bool) {
	end := strings.IndexAny(text, space+"=")
	if end < 0 {
		return text, "", false
	}
	value, found = strings.CutPrefix(strings.TrimLeft(text[end:], space), "=")
	return text[:end], strings.Trim(value, space), found
}

// comment takes a comment that may be one of ours.
func (f *cfFile) comment(text string, line int) {
	text, ours := strings.CutPrefix(strings.TrimLeft(text, space), "gatepost:")
	if !ours {
		return
	}
	name, value, found := cutPair(strings.TrimLeft(text, space))
	if name == "" || !found {
		f.problem(line, "", `a comment for Gatepost has the form "# gatepost: name = value"`)
		return
	}
	if old, ok := f.comments[name]; ok && old.Value != value {
		f.warn(line, name, fmt.Sprintf("this replaces the value of line %d", old.Line))
	}
	f.comments[name] = Setting{Value: value, Line: line}
}

func (f *cfFile) warn(line int, key, what string) {
	f.warnings = append(f.warnings, daemon.Problem{File: f.path, Line: line, Key: key, What: what})
}

func (f *cfFile) problem(line int, key, what string) {
	f.problems = append(f.problems, daemon.Problem{File: f.path, Line: line, Key: key, What: what})
}
