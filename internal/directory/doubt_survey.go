package directory

import (
	"context"
	"errors"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// How a survey looks: a few entries that have what is searched for, else a
// sample of what there is.
const (
	surveyFound  = 2
	surveySample = 64
	surveyEvery  = time.Minute // without anything found
	maxDepth     = 32          // RDNs of a base
)

// survey looks for an entry with which the server proves that it is able to
// find, when nothing is known that it found before: after a start, or in a
// table that has no entry at all.
//
// Best is an entry that has one of the attributes searched by, and on which
// all of them can be evaluated. If there is none, the table may just be empty,
// as virtual aliases of a new site are, and mail must go on; then the server
// must at least be able to evaluate the attributes on half of the first
// entries that it shows below the base. It cannot where it does not know an
// attribute or does not let us search by it; empty says that such a proof is
// enough. What proved it is asked again the next time.
func (p *prover) survey(ctx context.Context, sample *Request, empty bool) error {
	g, next := p.group, p.doubt.next
	r := Request{Base: sample.Base, Scope: sample.Scope, Deref: sample.Deref, Attributes: []string{noAttributes}}
	if r.Scope == ScopeBase || sample.BaseFromKey {
		r.Scope = ScopeSub
	}
	ask := func(filter string, limit int) (*Answer, error) {
		r := r
		r.Filter, r.SizeLimit = filter, limit
		a, err := next.SearchOn(ctx, p.server, &r)
		if a != nil && isLimit(err) {
			err = nil
		}
		return a, err
	}
	a, err := ask(having(g.names), surveyFound)
	for depth := 0; sample.BaseFromKey && isNoBase(err) && depth < maxDepth; depth++ {
		// The base was made from a key that does not exist: begin at what does.
		if r.Base = parentDN(r.Base); r.Base == "" {
			return inDoubt("nothing of the base %q exists", sample.Base)
		}
		a, err = ask(having(g.names), surveyFound)
	}
	switch {
	case isNoBase(err):
		return inDoubt("the base %q is gone", r.Base)
	case err != nil:
		return err
	case len(a.Entries) > 0:
		p.found(a.Entries, having(g.names), time.Time{})
		return nil
	case !empty:
		return inDoubt("nothing is left that %v could find", g.names)
	}

	visible, err := ask(anyEntry, surveySample)
	if err != nil {
		return err
	}
	able, err := ask(evaluable(g.names), surveySample)
	if err != nil {
		return err
	}
	seen := make(map[string]bool)
	for _, e := range visible.Entries {
		seen[e.DN] = true
	}
	var both []*Entry
	for _, e := range able.Entries {
		if seen[e.DN] {
			both = append(both, e)
		}
	}
	if len(both) == 0 || len(both) < (len(seen)+1)/2 {
		return inDoubt("%v can be searched on %d of the first %d entries below %q", g.names, len(both), len(seen), r.Base)
	}
	p.found(both[len(both)/2:], evaluable(g.names), time.Now().Add(surveyEvery))
	return nil
}

// found remembers entries that a survey found, each to be asked for by its DN.
func (p *prover) found(entries []*Entry, filter string, until time.Time) {
	p.group.mu.Lock()
	defer p.group.mu.Unlock()
	for _, e := range entries[:min(len(entries), surveyFound)] {
		p.group.keep(&recent{name: e.DN, dn: foldDN(e.DN), until: until, request: Request{
			Base: e.DN, Scope: ScopeBase, Filter: filter, Attributes: []string{noAttributes}, Table: p.group.table,
		}})
	}
}

// isSizeLimit: there is more than the search asked for.
func isSizeLimit(err error) bool { return hasCode(err, ldap.LDAPResultSizeLimitExceeded) }

// isLimit: what came is not all, which is enough for a survey.
func isLimit(err error) bool {
	return isSizeLimit(err) || hasCode(err, ldap.LDAPResultAdminLimitExceeded) ||
		hasCode(err, ldap.LDAPResultTimeLimitExceeded)
}

func hasCode(err error, code int) bool {
	var result *ResultError
	return errors.As(err, &result) && result.Code == code
}
