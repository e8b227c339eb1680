package directory

import (
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// change is an entry as it is now, or that it is no more.
type change struct {
	uuid    [16]byte
	dn      string // folded
	deleted bool
	// above says that there may be entries below it. If it was renamed their
	// names have changed, and nobody says so.
	above bool
	added bool
	names map[string]*changedAttribute // by name without options, as it is and in lower case
}

type changedAttribute struct {
	values []string // folded
	exotic bool     // some value compares by rules that we do not know
}

func newChange(e *ldap.Entry, state *ldap.ControlSyncState) *change {
	c := &change{uuid: state.EntryUUID, dn: foldDN(e.DN),
		deleted: state.State == ldap.SyncStateDelete, added: state.State == ldap.SyncStateAdd}
	if c.deleted {
		return c
	}
	c.names = make(map[string]*changedAttribute)
	c.above = !c.added
	for _, a := range e.Attributes {
		asIs, _, _ := strings.Cut(a.Name, ";")
		name := strings.ToLower(asIs)
		if name == "hassubordinates" {
			c.above = c.above && len(a.Values) == 1 && !strings.EqualFold(a.Values[0], "FALSE")
			continue
		}
		attribute := c.names[name]
		if attribute == nil {
			attribute = new(changedAttribute)
			c.names[name] = attribute
		}
		c.names[asIs] = attribute // most filters write it the same way: nothing to fold
		for _, v := range a.Values {
			folded, plain := foldValue(v)
			attribute.exotic = attribute.exotic || !plain
			attribute.values = append(attribute.values, folded)
		}
	}
	return c
}

// maxReadable bounds the names that a follower knows.
const maxReadable = 1000

// touched returns what a batch of changes makes wrong: answers that hold a
// changed entry, and answers that it may belong to from now on.
func (f *follower) touched(batch []*change) func(*item) bool {
	ids := make(map[[16]byte]bool)
	dns := make(map[string]bool)
	var alive []*change
	renamed := false
	if f.readable == nil {
		f.readable = make(map[string]bool)
	}
	for _, c := range batch {
		ids[c.uuid] = true
		if c.dn != "" {
			dns[c.dn] = true
		}
		if c.deleted {
			continue
		}
		alive = append(alive, c)
		renamed = renamed || !c.added
		if c.above {
			f.cache.expire()
		}
		for name := range c.names {
			if len(f.readable) < maxReadable {
				f.readable[name] = true
			}
		}
	}
	return func(i *item) bool {
		if i.wide {
			return true
		}
		for _, e := range i.entries {
			if e.uuid == ([16]byte{}) {
				// It may be the entry that is called otherwise by now.
				if renamed || dns[foldDN(e.DN)] {
					return true
				}
			} else if ids[e.uuid] {
				return true
			}
		}
		for _, c := range alive {
			if c.mayAnswer(&i.request, f.readable) {
				return true
			}
		}
		return false
	}
}

// mayAnswer tells whether r may find the entry. It errs on the side of yes:
// what it does not know of the server's rules is a yes.
func (c *change) mayAnswer(r *Request, readable map[string]bool) bool {
	if !strings.ContainsAny(r.Base, `\"#`) {
		base := foldDN(r.Base)
		switch {
		case !belowDN(c.dn, base),
			r.Scope == ScopeBase && c.dn != base,
			r.Scope == ScopeOne && (c.dn == base || parentDN(c.dn) != base && !strings.ContainsAny(c.dn, `\"`)):
			return false
		}
	}
	p := matcher{change: c, readable: readable, filter: r.Filter}
	return p.part() || p.failed
}

// matcher evaluates a filter (RFC 4515) on a change.
type matcher struct {
	change   *change
	readable map[string]bool
	filter   string
	at       int
	failed   bool // it is not a filter that we understand
}

// part evaluates what stands in parentheses, and leaves it behind.
func (m *matcher) part() bool {
	if !m.take('(') {
		m.failed = true
		return true
	}
	if m.at >= len(m.filter) {
		m.failed = true
		return true
	}
	switch operator := m.filter[m.at]; operator {
	case '&', '|', '!':
		m.at++
		all, any := true, false
		for !m.failed && m.at < len(m.filter) && m.filter[m.at] == '(' {
			one := m.part()
			all, any = all && one, any || one
		}
		if !m.take(')') {
			m.failed = true
		}
		switch operator {
		case '&':
			return all
		case '|':
			return any
		}
		return true // "not perhaps" is perhaps
	}
	end := strings.IndexByte(m.filter[m.at:], ')')
	if end < 0 {
		m.failed = true
		return true
	}
	test := m.filter[m.at : m.at+end]
	m.at += end + 1
	return m.test(test)
}

func (m *matcher) take(c byte) bool {
	if m.at < len(m.filter) && m.filter[m.at] == c {
		m.at++
		return true
	}
	return false
}

func (m *matcher) test(text string) bool {
	equals := strings.IndexByte(text, '=')
	if equals <= 0 || strings.IndexByte("<>~:", text[equals-1]) >= 0 {
		return true
	}
	name, value := text[:equals], text[equals+1:]
	if strings.EqualFold(name, "entryDN") {
		return !isPlainDN(value) || !isPlainDN(m.change.dn) || foldDN(value) == m.change.dn
	}
	if semicolon := strings.IndexByte(name, ';'); semicolon >= 0 {
		name = name[:semicolon]
	}
	attribute := m.change.names[name]
	switch {
	case attribute == nil && m.readable[name]:
		return false
	case attribute == nil:
		name = strings.ToLower(name)
		if attribute = m.change.names[name]; attribute == nil {
			// Either it has none, or it is hidden from us, or it goes by another name.
			return !m.readable[name]
		}
	}
	switch {
	case attribute.exotic, len(name) == len("objectClass") && strings.EqualFold(name, "objectClass"), strings.IndexByte(value, '*') >= 0:
		return true // classes have superclasses
	}
	for _, v := range attribute.values {
		if mayEqual(v, value) {
			return true
		}
	}
	return false
}

// foldValue makes a value comparable under the usual rules (RFC 4517: case,
// spaces, hyphens of a telephone number); false where other rules may hold,
// for DNs and for what is not ASCII.
func foldValue(v string) (string, bool) {
	out := make([]byte, 0, len(v))
	for n := range len(v) {
		c := v[n]
		switch {
		case c == ' ' || c == '-':
		case c < ' ' || c > '~' || c == '=' || c == '\\':
			return "", false
		case 'A' <= c && c <= 'Z':
			out = append(out, c+'a'-'A')
		default:
			out = append(out, c)
		}
	}
	return string(out), true
}

// mayEqual compares a folded value with one of a filter, in place.
func mayEqual(folded, value string) bool {
	at := 0
	for n := 0; n < len(value); n++ {
		c := value[n]
		switch {
		case c == ' ' || c == '-':
			continue
		case c == '\\':
			if n+2 >= len(value) {
				return true
			}
			c = unhex(value[n+1])<<4 | unhex(value[n+2])
			n += 2
			if c == ' ' || c == '-' {
				continue
			}
		}
		switch {
		case c < ' ' || c > '~' || c == '=' || c == '\\':
			return true
		case 'A' <= c && c <= 'Z':
			c += 'a' - 'A'
		}
		if at >= len(folded) || folded[at] != c {
			return false
		}
		at++
	}
	return at == len(folded)
}

func unhex(c byte) byte {
	switch {
	case c >= 'a':
		return c - 'a' + 10
	case c >= 'A':
		return c - 'A' + 10
	}
	return c - '0'
}
