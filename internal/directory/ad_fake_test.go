package directory

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// adFake is an Active Directory in memory, as far as our searches go: it
// cannot be run here. Long attributes come in parts of 1,500 values
// ([MS-ADTS] 3.1.1.3.1.3.3), and it follows groups in groups.
type adFake struct {
	entries []*Entry
	asked   atomic.Int32
	// onPart is called before a later part is answered.
	onPart func(from int)

	once  sync.Once
	byKey map[string]*Entry
}

const adPart = 1500

func (f *adFake) entry(dn string) *Entry {
	f.once.Do(func() {
		f.byKey = map[string]*Entry{}
		for _, e := range f.entries {
			f.byKey[dnKey(e.DN)] = e
		}
	})
	return f.byKey[dnKey(dn)]
}

func (f *adFake) Search(ctx context.Context, r *Request) (*Answer, error) {
	f.asked.Add(1)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, ctx.Err())
	}
	filter, err := ldap.CompileFilter(r.Filter)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	answer := &Answer{}
	candidates := f.entries
	if r.Scope == ScopeBase {
		candidates = nil
		if e := f.entry(r.Base); e != nil {
			candidates = []*Entry{e}
		}
	}
	for _, e := range candidates {
		if below(e.DN, r.Base, r.Scope) && f.matches(e, filter) {
			answer.Entries = append(answer.Entries, f.shape(e, r.Attributes))
		}
	}
	return answer, nil
}

// shape gives the attributes that are asked for, long ones in part.
func (f *adFake) shape(e *Entry, names []string) *Entry {
	out := &Entry{DN: e.DN}
	for _, name := range names {
		base, options, ranged := strings.Cut(name, ";range=")
		from := 0
		if ranged {
			from, _ = strconv.Atoi(strings.TrimSuffix(options, "-*"))
			if f.onPart != nil {
				f.onPart(from)
			}
		}
		for _, a := range e.Attributes {
			if !strings.EqualFold(a.Name, base) {
				continue
			}
			if len(a.Values) <= adPart && !ranged {
				out.Attributes = append(out.Attributes, a)
				continue
			}
			if from >= len(a.Values) {
				continue
			}
			to, label := from+adPart, strconv.Itoa(from+adPart-1)
			if to >= len(a.Values) {
				to, label = len(a.Values), "*"
			}
			if !ranged {
				out.Attributes = append(out.Attributes, Attribute{Name: a.Name}) // without values, beside the part
			}
			out.Attributes = append(out.Attributes, Attribute{Name: fmt.Sprintf("%s;range=%d-%s", a.Name, from, label), Values: a.Values[from:to]})
		}
	}
	return out
}

func (f *adFake) matches(e *Entry, filter *ber.Packet) bool {
	text := func(i int) string { return ber.DecodeString(filter.Children[i].Data.Bytes()) }
	switch filter.Tag {
	case ldap.FilterAnd, ldap.FilterOr:
		for _, child := range filter.Children {
			if f.matches(e, child) != (filter.Tag == ldap.FilterAnd) {
				return filter.Tag == ldap.FilterOr
			}
		}
		return filter.Tag == ldap.FilterAnd
	case ldap.FilterNot:
		return !f.matches(e, filter.Children[0])
	case ldap.FilterPresent:
		name := ber.DecodeString(filter.Data.Bytes())
		return name == "objectClass" || len(valuesOf(e, []string{name})) > 0
	case ldap.FilterEqualityMatch:
		for _, v := range valuesOf(e, []string{text(0)}) {
			if unaccented.Replace(strings.ToLower(v)) == unaccented.Replace(strings.ToLower(text(1))) || strings.Contains(v, "=") && dnKey(v) == dnKey(text(1)) {
				return true
			}
		}
	case ldap.FilterExtensibleMatch:
		var rule, value string
		for _, child := range filter.Children {
			switch child.Tag {
			case ldap.MatchingRuleAssertionMatchingRule:
				rule = ber.DecodeString(child.Data.Bytes())
			case ldap.MatchingRuleAssertionMatchValue:
				value = ber.DecodeString(child.Data.Bytes())
			}
		}
		return rule == matchInChain && f.inChain(e.DN, value, map[string]bool{})
	}
	return false
}

// unaccented is how Active Directory compares.
var unaccented = strings.NewReplacer("ü", "u", "é", "e")

// inChain says whether an entry is in a group, through others.
func (f *adFake) inChain(dn, group string, seen map[string]bool) bool {
	g := f.entry(group)
	if g == nil || seen[dnKey(group)] {
		return false
	}
	seen[dnKey(group)] = true
	for _, m := range valuesOf(g, []string{"member"}) {
		if dnKey(m) == dnKey(dn) || f.inChain(dn, m, seen) {
			return true
		}
	}
	return false
}
