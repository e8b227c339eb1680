package daemon

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// keyLines gives the line of every key, table and array element of a valid
// TOML text, by its dotted key.
func keyLines(text []byte) map[string]int {
	w := lineWalk{lines: map[string]int{}, counts: map[string]int{}}
	for i, b := range text {
		if b == '\n' {
			w.ends = append(w.ends, i)
		}
	}
	w.parser.Reset(text)
	table, line := "", 0
	for w.parser.NextExpression() {
		node := w.parser.Expression()
		switch node.Kind {
		case unstable.Table:
			table, line = w.key("", node.Key())
			w.set(table, line)
		case unstable.ArrayTable:
			table, line = w.key("", node.Key())
			w.set(table, line)
			w.counts[table]++
			table = fmt.Sprintf("%s[%d]", table, w.counts[table]-1)
			w.set(table, line)
		case unstable.KeyValue:
			w.keyValue(table, node)
		}
	}
	return w.lines
}

type lineWalk struct {
	parser unstable.Parser
	ends   []int          // offsets of the line feeds
	lines  map[string]int // result
	counts map[string]int // elements of each array of tables so far
}

// key reads a dotted key under prefix and gives the line on which it stands. A
// part that is an array of tables means its last element.
func (w *lineWalk) key(prefix string, parts unstable.Iterator) (string, int) {
	key, line := prefix, 0
	for parts.Next() {
		if n := w.counts[key]; n > 0 {
			key = fmt.Sprintf("%s[%d]", key, n-1)
		}
		part := parts.Node()
		key = join(key, string(part.Data))
		line = w.line(part)
	}
	return key, line
}

func (w *lineWalk) keyValue(table string, node *unstable.Node) {
	key, line := w.key(table, node.Key())
	w.set(key, line)
	w.value(key, line, node.Value())
}

func (w *lineWalk) value(key string, line int, node *unstable.Node) {
	if node.Raw.Length > 0 {
		line = w.line(node)
	}
	w.set(key, line)
	children := node.Children()
	switch node.Kind {
	case unstable.InlineTable:
		for children.Next() {
			w.keyValue(key, children.Node())
		}
	case unstable.Array:
		for i := 0; children.Next(); i++ {
			w.value(fmt.Sprintf("%s[%d]", key, i), line, children.Node())
		}
	}
}

// set notes the first line of key and of the tables that it implies.
func (w *lineWalk) set(key string, line int) {
	for ; key != ""; key = parent(key) {
		if _, ok := w.lines[key]; !ok {
			w.lines[key] = line
		}
	}
}

func (w *lineWalk) line(node *unstable.Node) int {
	return sort.SearchInts(w.ends, int(node.Raw.Offset)) + 1
}

// join appends a part to a dotted key. A part that is not a bare key is quoted,
// as in the file, so that no two keys look alike.
func join(prefix, part string) string {
	if !bareKey.MatchString(part) {
		part = strconv.Quote(part)
	}
	if prefix == "" {
		return part
	}
	return prefix + "." + part
}

// parent cuts the last part off a dotted key: "rule[1].name" gives "rule[1]",
// that "rule", and that "".
func parent(key string) string {
	cut, quoted := 0, false
	for i := 0; i < len(key); i++ {
		switch c := key[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '.' || c == '['):
			cut = i
		}
	}
	return key[:cut]
}

var (
	bareKey      = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)
	keyValueLine = regexp.MustCompile(`^\s*([A-Za-z0-9_-]+(?:\s*\.\s*[A-Za-z0-9_-]+)*)\s*=\s*(.*)`)
	tableLine    = regexp.MustCompile(`(?m)^\s*\[\s*([A-Za-z0-9_.-]+)\s*\]`)
)

// blank empties the line, if that is a key with its value, and if nothing
// beyond the line can be at fault. It gives the key's dotted name, as far as it
// can tell.
func blank(text []byte, line int) (rest []byte, key string, ok bool) {
	lines := bytes.SplitAfter(text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return nil, "", false
	}
	match := keyValueLine.FindSubmatch(lines[line-1])
	if match == nil {
		return nil, "", false
	}
	before, after := bytes.Join(lines[:line-1], nil), bytes.Join(lines[line:], nil)
	key = strings.Join(strings.FieldsFunc(string(match[1]), func(r rune) bool { return strings.ContainsRune(". \t", r) }), ".")
	if tables := tableLine.FindAllSubmatch(before, -1); len(tables) > 0 {
		key = string(tables[len(tables)-1][1]) + "." + key
	}
	if !onlyHere(lines[line-1], string(match[2])) && !wellFormed(text) {
		return nil, key, false
	}
	return slices.Concat(before, []byte("\n"), after), key, true
}

// onlyHere says whether the line is wrong standing alone, without having begun
// a value that may span lines.
func onlyHere(line []byte, value string) bool {
	for _, opening := range []string{"[", "{", `"""`, "'''"} {
		if strings.HasPrefix(value, opening) {
			return false
		}
	}
	return !wellFormed(line)
}

// lineOf gives a line of the text, from 1; an empty one beyond its end.
func lineOf(text []byte, line int) []byte {
	lines := bytes.SplitAfter(text, []byte("\n"))
	if line < 1 || line > len(lines) {
		return nil
	}
	return lines[line-1]
}

// wellFormed says whether every expression parses, whatever they mean together.
func wellFormed(text []byte) bool {
	var p unstable.Parser
	p.Reset(text)
	for p.NextExpression() {
	}
	return p.Error() == nil
}
