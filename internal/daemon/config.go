package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Config is a configuration file that was read: it knows on which line each
// key stands, and collects what is wrong, so that an administrator sees all of
// it at once.
type Config struct {
	path     string
	problems Problems
	lines    map[string]int  // line of each key and table, by dotted key
	bad      map[string]bool // keys whose value could not be used
	broken   bool            // the file could not be read as TOML
}

// LoadConfig reads the TOML file at path over the defaults already in into, a
// pointer to a struct whose fields carry `toml:"key"` tags; a field of struct
// type is a table, an embedded struct's fields are its parent's. Reading is
// strict: unknown keys, wrong types and syntax errors are problems, all of
// them reported. What has a problem keeps its default.
//
// The Config is never nil, so that the caller may go on to validate the
// values it got: Problem leaves out what cannot be judged, and Problems then
// has everything.
func LoadConfig(path string, into any) (*Config, Problems) {
	c := &Config{path: path, lines: map[string]int{}, bad: map[string]bool{}}
	text, err := os.ReadFile(path)
	if err != nil {
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			err = pathError.Err
		}
		c.broken = true
		c.add(0, "", "cannot be read: %v; make it, or name another one", err)
		return c, c.Problems()
	}
	c.load(text, into)
	return c, c.Problems()
}

func (c *Config) load(text []byte, into any) {
	tree, text := c.parse(text)
	if c.broken {
		return
	}
	c.lines = keyLines(text)
	d := decoder{config: c, known: knownKeys(reflect.TypeOf(into).Elem(), "")}
	d.table("", tree, reflect.ValueOf(into).Elem())
}

// parse reads the text as TOML. A line that is wrong in itself is blanked, so
// that the lines after it are checked too; an error that reaches further, such
// as a bracket that is never closed, ends the search.
func (c *Config) parse(text []byte) (map[string]any, []byte) {
	for {
		tree := map[string]any{}
		err := toml.Unmarshal(text, &tree)
		if err == nil {
			return tree, text
		}
		var decodeError *toml.DecodeError
		if !errors.As(err, &decodeError) {
			c.broken = true
			c.add(0, "", "%s", what(err, true))
			return nil, text
		}
		line, _ := decodeError.Position()
		rest, key, ok := blank(text, line)
		if !ok {
			c.broken = true
			c.add(line, "", "%s", what(err, !wellFormed(lineOf(text, line))))
			return nil, text
		}
		c.add(line, key, "%s", what(err, true))
		if key != "" {
			c.bad[key] = true
		}
		text = rest
	}
}

// mending has what helps against a parser's complaint, by a part of it.
var mending = []struct{ complaint, mend string }{
	{"at start of value", "write text in quotes, numbers and true or false without"},
	{"strings cannot have new lines", "close the string on its line"},
	{"already defined", "give it once"},
	{"already exists", "join the two sections into one"},
	{"expected ']'", "close the bracket"},
	{"expected newline", "write one setting a line"},
	{"expected '='", "write key = value"},
}

// what gives a parser's complaint, and how to mend it where that is known.
// Where the line in itself is good, something above it is open.
func what(err error, lineIsBad bool) string {
	complaint := strings.TrimPrefix(err.Error(), "toml: ")
	if !lineIsBad && !strings.Contains(complaint, "already") {
		return complaint + "; if this line is good, close the bracket or string above it"
	}
	for _, m := range mending {
		if strings.Contains(complaint, m.complaint) {
			return complaint + "; " + m.mend
		}
	}
	return complaint
}

// IsSet says whether the file has the dotted key, such as "store.dsn", or
// anything below it. Elements of arrays are named "rule[0]".
func (c *Config) IsSet(key string) bool {
	_, ok := c.lines[key]
	return ok
}

// Problem adds a validation problem at the line of the dotted key; for a key
// that the file does not have, at the line of its table, or else of the file
// itself. The text says what is wrong and, after a semicolon, how to mend it.
// A key whose value could not be read is passed over: its problem is listed
// already, and its value is only the default.
func (c *Config) Problem(key, format string, args ...any) {
	line := 0
	for k := key; ; k = parent(k) {
		if c.bad[k] || c.broken {
			return
		}
		if line == 0 {
			line = c.lines[k]
		}
		if k == "" {
			break
		}
	}
	c.add(line, key, format, args...)
}

// Problems returns all problems of the file found so far, by line.
func (c *Config) Problems() Problems {
	sorted := slices.Clone(c.problems)
	slices.SortStableFunc(sorted, func(a, b Problem) int { return a.Line - b.Line })
	return sorted
}

func (c *Config) add(line int, key, format string, args ...any) {
	c.problems = append(c.problems, Problem{File: c.path, Line: line, Key: key, What: fmt.Sprintf(format, args...)})
}
