package directory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

const (
	// searches is how many searches of one group are under way at a time.
	searches = 8
	// together is how many members one search reads: an answer is small
	// enough for the cache, and below the limits that servers have by default.
	together = 100
)

// readLevel finds the entries of each name. Many are read in one search; what
// that does not find is asked for by itself, so that what is missing is proven
// as everywhere.
func (w *walk) readLevel(ctx context.Context, names []named) ([]reading, error) {
	results := make([]reading, len(names))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var apart atomic.Bool // the server cannot be searched by DN
	var tasks []func() error
	for _, b := range w.groups.portions(names) {
		tasks = append(tasks, func() error {
			if !b.byDN || !apart.Load() {
				able, err := w.groups.readTogether(ctx, b, names, results)
				if err != nil {
					return err
				}
				if !able {
					apart.Store(true)
				}
			}
			return nil
		})
	}
	if err := atATime(ctx, cancel, tasks); err != nil {
		return nil, err
	}
	tasks = nil
	for i := range names {
		if results[i].read || names[i].address != "" {
			continue
		}
		tasks = append(tasks, func() (err error) {
			results[i], err = w.groups.readOne(ctx, names[i])
			return err
		})
	}
	if err := atATime(ctx, cancel, tasks); err != nil {
		return nil, err
	}
	for _, r := range results {
		if err := w.add(max(0, len(r.entries)-1)); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// reading is what a name of a member leads to; err is of this member alone.
type reading struct {
	entries []*Entry
	err     error
	read    bool
}

// atATime runs some tasks at the same time. The first error ends them all.
func atATime(ctx context.Context, cancel context.CancelCauseFunc, tasks []func() error) error {
	var wait sync.WaitGroup
	next := make(chan func() error)
	for range min(searches, len(tasks)) {
		wait.Go(func() {
			for task := range next {
				if err := task(); err != nil {
					cancel(err)
				}
			}
		})
	}
feed:
	for _, task := range tasks {
		select {
		case next <- task:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	wait.Wait()
	return context.Cause(ctx)
}

// portion is members that one search reads.
type portion struct {
	at   []int // of names
	byDN bool
	base string // of the search by DN
}

// portions says what is read together: by DN below the bases, by login, and by
// address. A DN elsewhere is read by itself.
func (g *Groups) portions(names []named) []portion {
	bases := []string{g.accounts.base}
	if dnKey(g.base) != dnKey(g.accounts.base) {
		bases = append(bases, g.base)
	}
	var all []portion
	pending := map[string]*portion{}
	put := func(kind string, i int, b portion) {
		p := pending[kind]
		if p == nil {
			p = &b
			pending[kind] = p
		}
		if p.at = append(p.at, i); len(p.at) == together {
			all = append(all, *p)
			delete(pending, kind)
		}
	}
	for i, n := range names {
		switch {
		case n.login != "":
			put("login", i, portion{})
		case n.address != "":
			put("address", i, portion{})
		case n.dn != "" && len(g.preset.Attributes.EntryDN) > 0:
			for _, base := range bases {
				if strings.HasSuffix(","+n.id, ","+dnKey(base)) || base == "" {
					put(base, i, portion{byDN: true, base: base})
					break
				}
			}
		}
	}
	for _, kind := range slices.Sorted(maps.Keys(pending)) {
		all = append(all, *pending[kind])
	}
	return all
}

// readTogether reads members together. able is false when the server cannot do
// that, so that each has to be read by itself.
func (g *Groups) readTogether(ctx context.Context, b portion, names []named, results []reading) (able bool, err error) {
	if b.byDN {
		return g.readByDN(ctx, b, names, results)
	}
	asked := make([]Name, len(b.at))
	for k, i := range b.at {
		asked[k] = Name{Login: names[i].login, Address: names[i].address}
	}
	finder := *g.finder
	finder.authorises, finder.staleNo = g.authorises, asked[0].Address != ""
	found, err := finder.holders(ctx, "member", asked, g.ofMember)
	if err != nil {
		return true, err
	}
	for k, i := range b.at {
		results[i].set(found[k], describe(asked[k:k+1]))
	}
	return true, nil
}

// readByDN reads members by what has an entry's own DN. The base is asked for
// too: where not even that is found, the server cannot search so, or does not
// let us.
func (g *Groups) readByDN(ctx context.Context, b portion, names []named, results []reading) (able bool, err error) {
	at := &g.preset.Attributes
	dns := make([]string, 0, len(b.at)+1)
	want := make(map[string]int, len(b.at))
	for _, i := range b.at {
		dns = append(dns, names[i].dn)
		want[names[i].id] = i
	}
	answer, err := g.searcher.Search(ctx, &Request{Base: b.base, Filter: equals(at.EntryDN[:1], append(dns, b.base)...),
		Attributes: g.ofMember, Table: "member", Authorises: g.authorises})
	switch {
	case errors.Is(err, ErrDoubt), errors.Is(err, ErrRefused):
		return false, nil
	case err != nil:
		return false, err
	}
	for _, e := range answer.Entries {
		if i, ok := want[dnKey(e.DN)]; ok {
			results[i] = reading{entries: []*Entry{e}, read: true}
		}
	}
	return len(answer.Entries) > 0, nil
}

// set notes who has a login or address. Of one that nobody has, more may be
// asked.
func (r *reading) set(entries []*Entry, what string) {
	switch len(entries) {
	case 0:
	case 1:
		*r = reading{entries: entries, read: true}
	default:
		*r = reading{read: true, err: fmt.Errorf("%s: %w: %q and %q", what, ErrAmbiguous, entries[0].DN, entries[1].DN)}
	}
}

// readOne asks for one member by itself.
func (g *Groups) readOne(ctx context.Context, n named) (r reading, err error) {
	switch {
	case n.dn != "":
		e, err := g.read(ctx, "member", n.dn, anyEntry, g.ofMember)
		if e != nil {
			r.entries = []*Entry{e}
		}
		return r, err
	case n.login != "":
		finder := *g.finder
		finder.authorises = g.authorises
		asked := []Name{{Login: n.login}}
		found, err := finder.holders(ctx, "member", asked, g.ofMember)
		if err == nil {
			r.set(found[0], describe(asked))
		}
		return r, err
	}
	answer, err := g.searcher.Search(ctx, &Request{Base: n.query.Base, Scope: n.query.Scope, Filter: n.query.Filter,
		Attributes: g.ofMember, Table: "member", Authorises: g.authorises})
	if err != nil {
		return r, err
	}
	r.entries = answer.Entries
	return r, nil
}
