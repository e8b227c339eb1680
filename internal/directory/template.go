package directory

import (
	"errors"
	"fmt"
	"strings"
)

// Template is a text with the substitutions of ldap_table(5): %s %u %d are the
// value (in a query: the key), %S %U %D the key, each whole, local part, and
// domain; %1 to %9 are labels of the key's domain from the right; %% is "%".
type Template struct {
	text  string
	parts []templatePart
	uses  uses
}

// templatePart is a literal text, or a substitution when letter is not 0.
type templatePart struct {
	literal string
	letter  byte
}

// uses are the substitutions in a template.
type uses struct {
	value, valueUser, valueDomain bool // %s, %u, %d
	key, keyUser, keyDomain       bool // %S, %U, %D
	labels                        int  // highest of %1 to %9
}

// ParseTemplate reads a template. Any other character after "%", also none, is
// an error, as in Postfix.
func ParseTemplate(text string) (*Template, error) {
	t := &Template{text: text}
	for rest := text; rest != ""; {
		percent := strings.IndexByte(rest, '%')
		if percent < 0 {
			t.literal(rest)
			break
		}
		t.literal(rest[:percent])
		if percent+1 == len(rest) {
			return nil, errors.New(`"%" at the end; write "%%" for a percent sign`)
		}
		letter := rest[percent+1]
		if letter == '%' {
			t.literal("%")
		} else if !t.substitution(letter) {
			return nil, fmt.Errorf("unknown substitution %q; known are %%s %%u %%d %%S %%U %%D %%1 to %%9 and %%%%", rest[percent:percent+2])
		}
		rest = rest[percent+2:]
	}
	return t, nil
}

func (t *Template) literal(text string) {
	if text != "" {
		t.parts = append(t.parts, templatePart{literal: text})
	}
}

func (t *Template) substitution(letter byte) bool {
	u := &t.uses
	switch {
	case letter == 's':
		u.value = true
	case letter == 'u':
		u.valueUser = true
	case letter == 'd':
		u.valueDomain = true
	case letter == 'S':
		u.key = true
	case letter == 'U':
		u.keyUser = true
	case letter == 'D':
		u.keyDomain = true
	case letter >= '1' && letter <= '9':
		u.labels = max(u.labels, int(letter-'0'))
	default:
		return false
	}
	t.parts = append(t.parts, templatePart{letter: letter})
	return true
}

// String returns the template as it was written.
func (t *Template) String() string { return t.text }

// Dynamic says whether what comes out depends on the key or value.
func (t *Template) Dynamic() bool { return t.uses != uses{} }

// Templates are the three templates of a table. What any of them needs of a
// key holds for all: a key without a domain is not asked for if the result
// wants the key's domain.
type Templates struct {
	Base   *Template // of the search base
	Filter *Template // of the search filter
	Result *Template // of each value found

	needUser, needDomain bool // of the key
	needLabels           int

	fixedBase string    // where the base does not depend on the key
	canonical *Template // of the filter; nil: there is none
}

// NewTemplates pools the needs of a table's templates.
func NewTemplates(base, filter, result *Template) *Templates {
	t := &Templates{Base: base, Filter: filter, Result: result, canonical: canonicalFilter(filter)}
	if !base.Dynamic() {
		t.fixedBase = string(base.expand(nil, Key{}, address{}, EscapeDN))
	}
	for _, query := range []*Template{base, filter} {
		t.needUser = t.needUser || query.uses.valueUser
		t.needDomain = t.needDomain || query.uses.valueDomain
	}
	for _, each := range []*Template{base, filter, result} {
		t.needUser = t.needUser || each.uses.keyUser
		t.needDomain = t.needDomain || each.uses.keyDomain || each.uses.labels > 0
		t.needLabels = max(t.needLabels, each.uses.labels)
	}
	return t
}

// Key is a look-up key, taken apart as a table's templates need it.
type Key struct {
	address
	labels []string // of the domain, the last ones
}

// address is a key or value with its parts; the last "@" divides it.
type address struct {
	whole, user, domain string
	at                  bool // has an "@"
}

func split(whole string) address {
	at := strings.LastIndexByte(whole, '@')
	if at < 0 {
		return address{whole: whole, user: whole}
	}
	return address{whole: whole, user: whole[:at], domain: whole[at+1:], at: true}
}

// Key takes a key apart. The reason says why there can be no answer for it: it
// is empty or lacks a part that a template needs. It is empty for a good key.
func (t *Templates) Key(text string) (key Key, reason string) {
	key.address = split(text)
	switch {
	case text == "":
		return key, "the key is empty"
	case t.needDomain && key.domain == "":
		return key, "the key has no domain"
	case t.needUser && key.at && key.user == "":
		return key, "the key has no local part"
	case t.needLabels == 0:
		return key, ""
	}
	// Empty labels do not count: "example..com" has two.
	key.labels = strings.FieldsFunc(key.domain, func(r rune) bool { return r == '.' })
	if len(key.labels) < t.needLabels {
		return key, fmt.Sprintf("the key's domain has fewer than %d labels", t.needLabels)
	}
	return key, ""
}

// Query expands base and filter for a key that Key has found good. What comes
// from the key is escaped; the filter is in the form of RFC 4515, however
// loosely the template is written (CanonicalFilter).
func (t *Templates) Query(key Key) (base, filter string, err error) {
	if base = t.fixedBase; t.Base.Dynamic() {
		base = string(t.Base.expand(nil, key, key.address, EscapeDN))
	}
	if t.canonical != nil && !key.lacks(t.canonical) {
		var short [256]byte // on the stack, enough for most
		return base, string(t.canonical.expand(short[:0], key, key.address, EscapeFilter)), nil
	}
	filter, err = CanonicalFilter(string(t.Filter.expand(nil, key, key.address, EscapeFilter)))
	if err != nil {
		return "", "", err
	}
	return base, filter, nil
}

// Append adds the result for one value to out, after a comma if that is not
// empty. It says false, and adds nothing, for a value that lacks a part which
// the template needs, and for an empty one.
func (t *Templates) Append(out []byte, key Key, value string) ([]byte, bool) {
	v := split(value)
	need := t.Result.uses
	if value == "" || need.valueDomain && v.domain == "" || need.valueUser && v.at && v.user == "" {
		return out, false
	}
	if len(out) > 0 {
		out = append(out, ',')
	}
	return t.Result.expand(out, key, v, func(s string) string { return s }), true
}

func (t *Template) expand(out []byte, key Key, value address, quote func(string) string) []byte {
	for _, p := range t.parts {
		if p.letter == 0 {
			out = append(out, p.literal...)
		} else {
			out = append(out, quote(key.part(p.letter, value))...)
		}
	}
	return out
}

// part is what stands for a substitution, given the value at hand.
func (k *Key) part(letter byte, value address) string {
	switch letter {
	case 's':
		return value.whole
	case 'u':
		return value.user
	case 'd':
		return value.domain
	case 'S':
		return k.whole
	case 'U':
		return k.user
	case 'D':
		return k.domain
	}
	return k.labels[len(k.labels)-int(letter-'0')]
}

// lacks says whether a substitution of a query is empty.
func (k *Key) lacks(t *Template) bool {
	for _, p := range t.parts {
		if p.letter != 0 && k.part(p.letter, k.address) == "" {
			return true
		}
	}
	return false
}

// Check says what is wrong with the filter, whatever the key is.
func (t *Templates) Check() error {
	key := Key{address: split("x@x"), labels: strings.Split(strings.Repeat("x", 9), "")}
	_, _, err := t.Query(key)
	return err
}
