package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Answers of the nouns that are definite and not yes.
var (
	// ErrNotFound: a complete answer holds no such thing.
	ErrNotFound = errors.New("not found")
	// ErrAmbiguous: several entries claim what only one can have.
	ErrAmbiguous = errors.New("several entries match")
	// ErrMalformed: an entry cannot be understood.
	ErrMalformed = errors.New("an entry cannot be understood")
	// ErrTooLarge: a group has more members or levels than is allowed.
	ErrTooLarge = errors.New("the group is too large")
)

// Bounds of the walk through a group.
type Bounds struct {
	Depth   int           // levels of groups in groups
	Entries int           // members and groups that are looked at
	Time    time.Duration // in all
}

// DefaultBounds allow lists of some ten thousand members.
func DefaultBounds() Bounds { return Bounds{Depth: 20, Entries: 50_000, Time: 20 * time.Second} }

// Nouns are what mail asks a directory about.
type Nouns struct {
	Accounts *Accounts
	Groups   *Groups
	Domains  *Domains

	finder finder
}

// NewNouns makes them of a searcher, which should be cached.
func NewNouns(s Searcher, p Preset, b Bases) *Nouns {
	n := &Nouns{Accounts: &Accounts{asker{searcher: s, preset: p, base: b.Accounts}}, Domains: &Domains{asker{searcher: s, preset: p, base: b.Domains}}}
	n.finder = newFinder(s, p, b)
	n.Groups = &Groups{asker: asker{searcher: s, preset: p, base: b.Groups}, accounts: n.Accounts, finder: &n.finder, bounds: DefaultBounds(), ofMember: ofMember(p)}
	return n
}

// ForAuthorisation returns nouns whose answers grant something (relay,
// sender, service), so that they are never much out of date.
func (n *Nouns) ForAuthorisation() *Nouns {
	accounts, groups, domains := *n.Accounts, *n.Groups, *n.Domains
	accounts.authorises, groups.authorises, domains.authorises = true, true, true
	groups.accounts = &accounts
	finder := n.finder
	finder.authorises = true
	return &Nouns{Accounts: &accounts, Groups: &groups, Domains: &domains, finder: finder}
}

// asker is what all nouns search with.
type asker struct {
	searcher   Searcher
	preset     Preset
	base       string
	authorises bool
	staleNo    bool // see Request
	noCache    bool
}

// find searches below the base.
func (a *asker) find(ctx context.Context, table, filter string, attributes []string) ([]*Entry, error) {
	answer, err := a.searcher.Search(ctx, &Request{Base: a.base, Scope: ScopeSub, Filter: filter,
		Attributes: attributes, Table: table, Authorises: a.authorises, StaleNo: a.staleNo, NoCache: a.noCache})
	if err != nil {
		return nil, err
	}
	return answer.Entries, nil
}

// read gets one entry, or nil when there is none with that DN that matches
// the filter.
func (a *asker) read(ctx context.Context, table, dn, filter string, attributes []string) (*Entry, error) {
	answer, err := a.searcher.Search(ctx, &Request{Base: dn, Scope: ScopeBase, Filter: filter,
		Attributes: attributes, Table: table, Authorises: a.authorises, BaseFromKey: true})
	if err != nil {
		return nil, err
	}
	if len(answer.Entries) == 0 {
		return nil, nil
	}
	return answer.Entries[0], nil
}

// lacks says whether it is proven that an entry has none of some attributes. To
// a server that does not know one, or does not let us search it, it is not true
// that the entry has it not (see evaluable).
func (a *asker) lacks(ctx context.Context, dn string, attributes []string) (bool, error) {
	var none strings.Builder
	for _, name := range attributes {
		none.WriteString("(!" + present(name) + ")")
	}
	e, err := a.read(ctx, "lacks", dn, "(&"+anyEntry+none.String()+")", []string{"objectClass"})
	if errors.Is(err, ErrDoubt) {
		return false, nil
	}
	return e != nil, err
}

// one makes sure that an answer is one entry.
func one(entries []*Entry, what string) (*Entry, error) {
	switch len(entries) {
	case 0:
		return nil, fmt.Errorf("%s: %w", what, ErrNotFound)
	case 1:
		return entries[0], nil
	}
	return nil, fmt.Errorf("%s: %w: %q and %q", what, ErrAmbiguous, entries[0].DN, entries[1].DN)
}

// equals is a filter: any of the attributes has any of the values. It is empty
// without attributes or values.
func equals(attributes []string, values ...string) string {
	var b strings.Builder
	for _, value := range values {
		addEquals(&b, attributes, value)
	}
	if len(attributes)*len(values) > 1 {
		return "(|" + b.String() + ")"
	}
	return b.String()
}

// addEquals writes what is true where any of the attributes has the value.
func addEquals(b *strings.Builder, attributes []string, value string) {
	escaped := EscapeFilter(value)
	for _, attribute := range attributes {
		b.WriteByte('(')
		b.WriteString(attribute)
		b.WriteByte('=')
		if strings.EqualFold(attribute, "proxyAddresses") && strings.Contains(value, "@") {
			b.WriteString("smtp:") // matches "SMTP:" too
		}
		b.WriteString(escaped)
		b.WriteByte(')')
	}
}

// anyOf joins filters; empty ones do not count.
func anyOf(filters ...string) string {
	return join('|', filters)
}

// allOf joins filters; empty ones do not count.
func allOf(filters ...string) string {
	return join('&', filters)
}

func join(operator byte, filters []string) string {
	filters = slices.DeleteFunc(filters, func(f string) bool { return f == "" })
	switch len(filters) {
	case 0:
		return ""
	case 1:
		return filters[0]
	}
	return "(" + string(operator) + strings.Join(filters, "") + ")"
}

// isClass is a filter for entries of any of the object classes.
func isClass(classes []string) string { return equals([]string{"objectClass"}, classes...) }

// valuesOf gives an entry's values of any of the attributes, in the order of
// the names, without regard to options such as ";lang-de". Values that are
// not there are an empty list: the entry has none, or we may not see them.
func valuesOf(e *Entry, names []string) []string {
	var values []string
	for _, name := range names {
		for _, a := range e.Attributes {
			if isNamed(a.Name, name) {
				for _, v := range a.Values {
					values = append(values, string(v))
				}
			}
		}
	}
	return values
}

// isNamed says whether an attribute's description is a name, with options
// perhaps (RFC 4512 2.5).
func isNamed(description, name string) bool {
	n := len(name)
	return len(description) >= n && (len(description) == n || description[n] == ';') && strings.EqualFold(description[:n], name)
}

// firstOf gives the first value, or "".
func firstOf(e *Entry, names []string) string {
	for _, name := range names {
		for _, a := range e.Attributes {
			if len(a.Values) > 0 && isNamed(a.Name, name) {
				return string(a.Values[0])
			}
		}
	}
	return ""
}

// hasClass says whether an entry is of any of the object classes.
func hasClass(e *Entry, classes []string) bool {
	for _, a := range e.Attributes {
		if !isNamed(a.Name, "objectClass") {
			continue
		}
		for _, v := range a.Values {
			for _, class := range classes {
				if len(v) == len(class) && strings.EqualFold(string(v), class) {
					return true
				}
			}
		}
	}
	return false
}

// malformed names the entry and attribute that cannot be understood.
func malformed(e *Entry, attribute, value string) error {
	if len(value) > 100 {
		value = value[:100]
	}
	return fmt.Errorf("%w: %q has %s %q", ErrMalformed, e.DN, attribute, value)
}
