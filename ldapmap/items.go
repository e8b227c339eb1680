package ldapmap

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"gatepost/internal/directory"
)

// item is what one value of an entry comes to: a value of the result, a search
// to make, or a fault.
type item struct {
	value string // as it stands in the entry
	step  *step
	err   error
}

var errLoop = errors.New("a group is its own member")

// items adds what an entry of a step's answer comes to, in the server's order
// of attributes and values. What kind an attribute is of says the first name
// that matches it among terminal, leaf, regular and special ones.
func (t *Table) items(items []item, e *directory.Entry, from *step) []item {
	terminal := has(e, t.terminal)
	leaf := terminal || len(t.leaf) == 0 || !has(e, t.special)
	for _, a := range e.Attributes {
		kind := t.kind(a.Name)
		switch {
		case len(a.Values) == 0 || kind == other:
			continue
		case terminal && kind != isTerminal, !leaf && (kind == isLeaf || kind == isTerminal):
			continue
		}
		for _, v := range a.Values {
			// Postfix has strings that end at a NUL.
			text, _, _ := bytes.Cut(v, []byte{0})
			it := item{value: string(text)}
			if kind == isSpecial {
				if it = t.follow(it.value, from); it.step == nil && it.err == nil {
					continue
				}
			}
			items = append(items, it)
			if it.err != nil {
				return items
			}
		}
		if next := rest(a.Name); next != "" {
			items = append(items, item{value: e.DN, step: &step{
				base: e.DN, scope: directory.ScopeBase, filter: anyEntry, attributes: []string{next},
				from: from, depth: from.depth, rest: true,
			}})
		}
	}
	return items
}

// anyEntry is the filter for an entry by its name.
const anyEntry = "(objectClass=*)"

// kinds of attributes.
type kind int

const (
	isTerminal kind = iota
	isLeaf
	isRegular
	isSpecial
	other
)

func (t *Table) kind(name string) kind {
	for k, list := range [...][]string{t.terminal, t.leaf, t.regular, t.special} {
		for _, asked := range list {
			if covers(asked, name) {
				return kind(k)
			}
		}
	}
	return other
}

// covers says whether an attribute is the one that was asked for, or that with
// an option: "description" covers "description;lang-de" (RFC 4512 2.5.2).
func covers(asked, name string) bool {
	return len(name) >= len(asked) && strings.EqualFold(name[:len(asked)], asked) &&
		(len(name) == len(asked) || name[len(asked)] == ';')
}

// has says whether an entry has a value of one of the attributes, by its exact
// name; part of an attribute is the attribute.
func has(e *directory.Entry, names []string) bool {
	for _, name := range names {
		for _, a := range e.Attributes {
			if len(a.Values) > 0 && (strings.EqualFold(a.Name, name) || rest(a.Name) != "" && covers(name, a.Name)) {
				return true
			}
		}
	}
	return false
}

// follow makes the search that a special value asks for, a DN or an LDAP URL.
// There is none for a URL whose attributes nobody wants.
func (t *Table) follow(value string, from *step) item {
	if from.depth >= t.recursionLimit {
		return item{value: value, err: fmt.Errorf("%w: recursion_limit, at %q", errLimit, value)}
	}
	s := &step{base: value, scope: directory.ScopeBase, filter: anyEntry, attributes: t.attributes}
	if directory.IsURL(value) {
		u, err := directory.ParseURL(value)
		if err != nil {
			return item{value: value, err: err}
		}
		if s.filter, err = directory.CanonicalFilter(u.Filter); err != nil {
			return item{value: value, err: err}
		}
		s.base, s.scope = u.Base, u.Scope
		if len(u.Attributes) > 0 {
			if s.attributes = t.common(u.Attributes); len(s.attributes) == 0 {
				return item{}
			}
		}
	}
	s.from, s.depth, s.fromKey = from, from.depth+1, true
	if s.repeats() {
		return item{value: value, err: fmt.Errorf("%w: %q", errLoop, value)}
	}
	return item{value: value, step: s}
}

// common gives the attributes that both a URL and the table name; the one with
// more options where they differ in that.
func (t *Table) common(named []string) (list []string) {
	for _, a := range named {
		for _, b := range t.attributes {
			if covers(a, b) {
				list = append(list, b)
			} else if covers(b, a) {
				list = append(list, a)
			}
		}
	}
	return list
}

// repeats says whether one of the searches that led to a step is the same.
// Then Postfix would go round until its recursion_limit.
func (s *step) repeats() bool {
	for before := s.from; before != nil; before = before.from {
		if before.base == s.base && before.scope == s.scope && before.filter == s.filter &&
			strings.Join(before.attributes, ",") == strings.Join(s.attributes, ",") {
			return true
		}
	}
	return false
}

// rest gives the attribute to ask for when a server has given only a part of
// the values, as Active Directory does ("member;range=0-1499" of more); empty
// when there is no more.
func rest(name string) string {
	for i := strings.IndexByte(name, ';'); i >= 0 && i < len(name); {
		option := name[i+1:]
		end := strings.IndexByte(option, ';')
		if end < 0 {
			end = len(option)
		}
		if value, ok := cutPrefixFold(option[:end], "range="); ok {
			_, last, _ := strings.Cut(value, "-")
			n, err := strconv.ParseUint(last, 10, 31)
			if err != nil {
				return "" // "*": that was all
			}
			return fmt.Sprintf("%s;range=%d-*%s", name[:i], n+1, option[end:])
		}
		i += 1 + end
	}
	return ""
}

func cutPrefixFold(text, prefix string) (after string, found bool) {
	if len(text) < len(prefix) || !strings.EqualFold(text[:len(prefix)], prefix) {
		return text, false
	}
	return text[len(prefix):], true
}
