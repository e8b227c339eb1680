package ldapmap

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

// maxDomainFile bounds a file of domains, in bytes.
const maxDomainFile = 64 << 20

// domainList is the value of "domain", a list of patterns as in Postfix's
// string_list: names, "/file" of further patterns, "type:table" that holds
// names, each negated by "!". The first that matches decides.
type domainList struct {
	given    bool // there is such a parameter: keys without a domain have no answer
	patterns []domainPattern
	notes    []string // for the administrator
}

type domainPattern struct {
	negated bool
	name    string // folded; empty for a table
	table   map[string]bool
	broken  error // the table always fails: it might have matched
}

// newDomainList reads the list, and the files and tables that it names. One
// that cannot be read is an error, as for Postfix, and so is a table of a type
// that is not supported.
func newDomainList(text string) (*domainList, error) {
	l := &domainList{given: text != ""}
	return l, l.add(text, false, 0)
}

// maxDomainFiles bounds how deep files of patterns may name each other.
const maxDomainFiles = 10

func (l *domainList) add(text string, negated bool, depth int) error {
	for _, word := range words(text) {
		item := strings.TrimLeft(word, "!")
		not := negated != ((len(word)-len(item))%2 == 1)
		switch {
		case item == "":
			return fmt.Errorf("nothing follows %q", word)
		case item[0] == '/':
			if err := l.addFile(item, not, depth+1); err != nil {
				return err
			}
		case item[0] != '[' && strings.Contains(item, ":"):
			if err := l.addTable(item, not); err != nil {
				return err
			}
		default:
			folded, _ := Fold(item)
			l.patterns = append(l.patterns, domainPattern{negated: not, name: folded})
		}
	}
	return nil
}

// addFile adds the patterns in a file, except in lines that begin with "#".
func (l *domainList) addFile(path string, negated bool, depth int) error {
	if depth > maxDomainFiles {
		return fmt.Errorf("%s: files name each other too deeply", path)
	}
	lines, err := readLines(path)
	if err != nil {
		return err
	}
	for _, line := range lines {
		if !strings.HasPrefix(line, "#") {
			if err := l.add(line, negated, depth); err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
		}
	}
	return nil
}

// addTable adds a table of names. Of Postfix's indexed types the text file is
// read that postmap(1) makes the index of.
func (l *domainList) addTable(item string, negated bool) error {
	kind, path, _ := strings.Cut(strings.TrimPrefix(item, "proxy:"), ":")
	fold := true // postmap folds the keys of an index
	switch kind {
	case "texthash":
		fold = false
	case "hash", "btree", "lmdb", "cdb", "dbm", "sdbm":
		l.notes = append(l.notes, fmt.Sprintf("of %s the text is read, when the table is loaded, not the index that postmap makes of it", item))
	case "fail":
		l.patterns = append(l.patterns, domainPattern{negated: negated, broken: fmt.Errorf("%s always fails", item)})
		l.notes = append(l.notes, "look-ups that come to "+item+" will be temporary errors")
		return nil
	default:
		return fmt.Errorf("%s: a table of that type cannot be read here; one of texthash can, and the text of hash, btree, lmdb and cdb", item)
	}
	lines, err := readLines(path)
	if err != nil {
		return fmt.Errorf("%s: %w", item, err)
	}
	table := map[string]bool{}
	for _, line := range joined(lines) {
		// A right side may not be missing (postmap(1)).
		fields := strings.Fields(line)
		if len(fields) < 2 {
			l.notes = append(l.notes, fmt.Sprintf("%s: there is nothing after %q, which is left out", item, fields[0]))
			continue
		}
		key := fields[0]
		if fold {
			key, _ = Fold(key)
		} else if folded, _ := Fold(key); folded != key {
			l.notes = append(l.notes, fmt.Sprintf("%s: %q has capitals, and never matches", item, key))
		}
		table[key] = true
	}
	l.patterns = append(l.patterns, domainPattern{negated: negated, table: table})
	return nil
}

// joined puts continued lines together and leaves comments out, and a first
// line that continues nothing.
func joined(lines []string) (out []string) {
	for _, line := range lines {
		trimmed := strings.TrimLeft(line, space)
		switch {
		case trimmed == "" || trimmed[0] == '#':
		case len(trimmed) < len(line):
			if len(out) > 0 {
				out[len(out)-1] += line
			}
		default:
			out = append(out, line)
		}
	}
	return out
}

func readLines(path string) (lines []string, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil {
		return nil, err
	} else if info.Size() > maxDomainFile || info.IsDir() {
		return nil, fmt.Errorf("%s: no file of at most %d bytes", path, maxDomainFile)
	}
	scanner := bufio.NewScanner(f)
	scanner.Buffer(nil, maxFileSize)
	for scanner.Scan() {
		lines = append(lines, scanner.Text())
	}
	return lines, scanner.Err()
}

// match says whether the table is for keys of a domain, which is folded. It
// cannot tell when it comes to a table that always fails.
func (l *domainList) match(domain string) (bool, error) {
	for _, p := range l.patterns {
		switch {
		case p.broken != nil:
			return false, p.broken
		case p.table != nil && p.table[domain], p.table == nil && p.name == domain:
			return !p.negated, nil
		}
	}
	return false, nil
}
