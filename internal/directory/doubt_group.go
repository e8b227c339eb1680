package directory

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"
)

// group is the searches that vouch for each other: of one table, below one
// base, by the same attributes. An answer that was found by login says nothing
// about the right to search by address.
type group struct {
	table string
	names []string // attributes of the filter

	mu      sync.Mutex
	recents []*recent
	changed time.Time // recents, when they were full
	provers map[string]*prover
}

// recent is a search that found something: the entry dn, by request.
type recent struct {
	name    string // DN as the server wrote it
	dn      string // folded
	request Request
	gone    time.Time // since when it is not found any more; zero: it is
	until   time.Time // not good for proof afterwards; zero: no end
}

const (
	maxRecents = 8    // of a group; they are asked in one search if it can be
	maxRecalls = 3    // searches for them, if their bases differ
	maxGroups  = 1000 // there are as many as an administrator wrote filters
	maxFilter  = 1000 // bytes of a recent's filter
	maxFound   = 4    // entries of an answer that is remembered
)

func (d *Doubt) group(r *Request) *group {
	names := filterAttributes(r.Filter)
	key := r.Table + "\x00" + strings.Join(names, "\x00")
	if !r.BaseFromKey {
		key += "\x00\x00" + r.Base
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	g := d.groups[key]
	if g == nil {
		if len(d.groups) >= maxGroups {
			for other := range d.groups {
				delete(d.groups, other)
				break
			}
		}
		g = &group{table: r.Table, names: names, provers: make(map[string]*prover)}
		d.groups[key] = g
	}
	return g
}

// remember keeps what r found for later proofs. Once there are enough, one is
// exchanged at most each second, so that the group remembers more than the
// last moment: a server that is being loaded has some of it.
func (g *group) remember(r *Request, a *Answer) {
	if len(a.Entries) > maxFound || len(r.Filter) > maxFilter {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	full := len(g.recents) >= maxRecents
	if full && time.Since(g.changed) < time.Second {
		return
	}
	dn := strings.Clone(a.Entries[0].DN)
	g.keep(&recent{name: dn, dn: foldDN(dn), request: probeRequest(r)})
}

// has tells whether r is one of the recents.
func (g *group) has(r *Request) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.ContainsFunc(g.recents, func(one *recent) bool { return sameSearch(&one.request, r) })
}

// keep is called with the lock held.
func (g *group) keep(new *recent) {
	for n, old := range g.recents {
		if old.dn == new.dn {
			g.recents[n] = new
			return
		}
	}
	if len(g.recents) < maxRecents {
		g.recents = append(g.recents, new)
		return
	}
	g.changed = time.Now()
	g.recents[rand.IntN(len(g.recents))] = new
}

// probeRequest is r asked for no more than which entries there are.
func probeRequest(r *Request) Request {
	return Request{
		Base: strings.Clone(r.Base), Scope: r.Scope, Filter: strings.Clone(r.Filter), Deref: r.Deref,
		Attributes: []string{noAttributes}, BaseFromKey: r.BaseFromKey, Table: r.Table,
	}
}

// current returns the recents that are good for proof.
func (g *group) current() []*recent {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	g.recents = slices.DeleteFunc(g.recents, func(one *recent) bool {
		return !one.until.IsZero() && now.After(one.until)
	})
	return slices.Clone(g.recents)
}

// mark notes which recents are there and which are not, and tells whether the
// latter have been away for longer than settle.
func (g *group) mark(found, gone []*recent, settle time.Duration) (settled bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	for _, one := range found {
		one.gone = time.Time{}
	}
	settled = true
	for _, one := range gone {
		if one.gone.IsZero() {
			one.gone = now
		}
		settled = settled && now.Sub(one.gone) >= settle
	}
	return settled
}

func (g *group) forget(one *recent) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.recents = slices.DeleteFunc(g.recents, func(other *recent) bool { return other == one })
}

// recall asks the server for the recents and sorts them: those it finds, and
// on which it can evaluate every name, and those others. A filter that tests
// several names is true as soon as one of them is, which says nothing of the
// right to search by the rest. What differs in the filter only is one search.
func (g *group) recall(ctx context.Context, next servers, server string, recents []*recent) (found, lost []*recent, err error) {
	for range maxRecalls {
		if len(recents) == 0 {
			break
		}
		all := recents[0].request
		var filter strings.Builder
		var together, later []*recent
		for _, one := range recents {
			if sameBut(&one.request, &all) {
				together = append(together, one)
				filter.WriteString(one.request.Filter)
			} else {
				later = append(later, one)
			}
		}
		recents = later
		if len(together) > 1 {
			all.Filter = "(|" + filter.String() + ")"
		}
		if len(g.names) > 1 {
			all.Filter = "(&" + all.Filter + evaluable(g.names) + ")"
		}
		a, err := next.SearchOn(ctx, server, &all)
		if err != nil && !isNoBase(err) {
			return nil, nil, err
		}
		there := make(map[string]bool)
		if err == nil {
			for _, e := range a.Entries {
				there[foldDN(e.DN)] = true
			}
		}
		for _, one := range together {
			if there[one.dn] {
				found = append(found, one)
			} else {
				lost = append(lost, one)
			}
		}
	}
	return found, lost, nil
}

// sameBut tells whether two searches differ in the filter only.
func sameBut(a, b *Request) bool {
	return a.Base == b.Base && a.Scope == b.Scope && a.Deref == b.Deref && a.BaseFromKey == b.BaseFromKey
}
