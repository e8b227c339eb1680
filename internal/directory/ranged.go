package directory

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// revision changes with every change of an entry on an Active Directory server.
const revision = "uSNChanged"

// allValues gives all values of an attribute, from an entry that was read with
// it. Active Directory answers a long list in parts named "member;range=0-1499"
// ([MS-ADTS] 3.1.1.3.1.3.3): the others are fetched. All parts are of one
// version of the list, or it is an error.
func (g *Groups) allValues(ctx context.Context, e *Entry, name string) ([]string, error) {
	const attempts = 3
	for attempt := 1; ; attempt++ {
		values, whole, err := g.parts(ctx, e, name, attempt > 1)
		if err != nil || whole {
			return values, err
		}
		if attempt == attempts {
			return nil, fmt.Errorf("%w: %q of %q changes while it is read", ErrMalformed, name, e.DN)
		}
		// From the beginning, of what the server has now.
		fresh, err := g.part(ctx, e.DN, name, true)
		if err != nil {
			return nil, err
		}
		if fresh == nil {
			return nil, fmt.Errorf("group %q: %w", e.DN, ErrNotFound)
		}
		e = fresh
	}
}

// parts collects them from the first on; whole is false when they do not
// belong together.
func (g *Groups) parts(ctx context.Context, e *Entry, name string, noCache bool) (values []string, whole bool, err error) {
	version := firstOf(e, []string{revision})
	for {
		part, low, high, found := rangeOf(e, name)
		switch {
		case !found && len(values) == 0:
			return valuesOf(e, []string{name}), true, nil
		case !found, low != len(values), high >= 0 && high-low+1 != len(part):
			return nil, false, nil
		}
		if len(values)+len(part) > g.bounds.Entries {
			return nil, false, fmt.Errorf("%w: %q has more than %d members", ErrTooLarge, e.DN, g.bounds.Entries)
		}
		values = append(values, part...)
		if high < 0 {
			return values, true, nil
		}
		next, err := g.part(ctx, e.DN, fmt.Sprintf("%s;range=%d-*", name, high+1), noCache)
		if err != nil {
			return nil, false, err
		}
		if next == nil || firstOf(next, []string{revision}) != version {
			return nil, false, nil
		}
		e = next
	}
}

// part reads some values of an entry, and its version.
func (g *Groups) part(ctx context.Context, dn, attribute string, noCache bool) (*Entry, error) {
	answer, err := g.searcher.Search(ctx, &Request{Base: dn, Scope: ScopeBase, Filter: "(objectClass=*)",
		Attributes: []string{attribute, revision}, Table: "member", Authorises: g.authorises, BaseFromKey: true, NoCache: noCache})
	if err != nil {
		return nil, err
	}
	if len(answer.Entries) == 0 {
		return nil, nil
	}
	return answer.Entries[0], nil
}

// rangeOf finds the part of an attribute that an entry has. high is -1 for the
// last part, "member;range=1500-*".
func rangeOf(e *Entry, name string) (values []string, low, high int, found bool) {
	for _, a := range e.Attributes {
		base, options, _ := strings.Cut(a.Name, ";")
		if !strings.EqualFold(base, name) || len(options) < 6 || !strings.EqualFold(options[:6], "range=") {
			continue
		}
		from, to, _ := strings.Cut(options[6:], "-")
		low, err := strconv.Atoi(from)
		if err != nil || low < 0 {
			continue
		}
		high := -1
		if to != "*" {
			if high, err = strconv.Atoi(to); err != nil || high < low {
				continue
			}
		}
		for _, v := range a.Values {
			values = append(values, string(v))
		}
		return values, low, high, true
	}
	return nil, 0, 0, false
}
