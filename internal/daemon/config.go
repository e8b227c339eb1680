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
		c.add(0, "", "cannot be read: %v; name an existing file with --config", err)
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
			c.add(0, "", "%s", what(err))
			return nil, text
		}
		line, _ := decodeError.Position()
		rest, key, ok := blank(text, line)
		c.add(line, key, "%s", what(err))
		if !ok {
			c.broken = true
			return nil, text
		}
		if key != "" {
			c.bad[key] = true
		}
		text = rest
	}
}

// what gives a parser's complaint without its prefix.
func what(err error) string { return strings.TrimPrefix(err.Error(), "toml: ") }

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
