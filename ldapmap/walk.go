package ldapmap

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"gatepost/internal/directory"
)

const (
	// maxSearches bounds the searches of one look-up: groups that hold each
	// other many times over have more members than anybody can mean.
	maxSearches = 50_000
	// maxResult bounds what one look-up gathers, in bytes; Postfix takes
	// 100,000 at most.
	maxResult = 1 << 20
)

// walk is one look-up: it gathers the values of the entries found, and of
// those that they lead to. Members are read ahead, several at a time, and
// taken in their order.
type walk struct {
	table *Table
	key   directory.Key
	trace *Trace

	slots    chan struct{} // one for each search under way; nil until there are members
	searches atomic.Int64

	out        []byte
	expansions int // values in out

	// What every look-up needs, and most need no more of, in one piece.
	first   step
	request directory.Request // of the first step
	short   [96]byte          // where out begins
}

// step is one search and the one that led to it.
type step struct {
	base       string
	scope      directory.Scope
	filter     string
	attributes []string
	fromKey    bool // noSuchObject means no more than that there is nothing
	from       *step
	depth      int  // of the entries found: those of the first search are at 1
	rest       bool // more values of an entry that was found
}

// ask makes the search of a step.
func (w *walk) ask(ctx context.Context, s *step) (*directory.Answer, error) {
	if w.searches.Add(1) > maxSearches {
		return nil, fmt.Errorf("%w: more than %d searches", errLimit, maxSearches)
	}
	r := &w.request
	if s != &w.first {
		r = new(directory.Request)
	}
	*r = directory.Request{
		Base:        s.base,
		Scope:       s.scope,
		Filter:      s.filter,
		Attributes:  s.attributes,
		SizeLimit:   w.table.sizeLimit,
		Deref:       w.table.deref,
		Table:       w.table.Name,
		Authorises:  w.table.Authorises,
		BaseFromKey: s.fromKey,
		StaleNo:     takesStaleNo(ctx),
	}
	if len(r.Attributes) == 0 {
		r.Attributes = noAttributes
	}
	if w.trace == nil {
		return w.search(ctx, r)
	}
	r.NoCache = w.trace.NoCache
	record := w.trace.begin(r, s.depth)
	answer, err := w.search(ctx, r)
	w.trace.end(record, answer, err)
	return answer, err
}

// noAttributes asks for none, where an empty list would mean all (RFC 4511
// section 4.5.1.8).
var noAttributes = []string{"1.1"}

func (w *walk) search(ctx context.Context, r *directory.Request) (*directory.Answer, error) {
	answer, err := w.table.searcher.Search(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case r.SizeLimit > 0 && len(answer.Entries) > r.SizeLimit:
		return nil, fmt.Errorf("%w: the server gave more entries than size_limit", errLimit)
	}
	return answer, nil
}

// entries takes what a step has found, in the server's order.
func (w *walk) entries(ctx context.Context, answer *directory.Answer, from *step) error {
	var few [4]item
	items := few[:0]
	for _, e := range answer.Entries {
		items = w.table.items(items, e, from)
	}
	var ahead *ahead // nil without members
	if slices.ContainsFunc(items, func(it item) bool { return it.step != nil }) {
		ahead = w.readAhead(ctx, items)
		defer ahead.cancel()
	}
	for _, it := range items {
		switch {
		case it.err != nil:
			return it.err
		case it.step == nil:
			if err := w.value(it.value); err != nil {
				return err
			}
		default:
			found, err := ahead.take()
			if err != nil {
				return fmt.Errorf("%q: %w", it.value, err)
			}
			if len(found.Entries) == 0 && it.step.rest {
				return fmt.Errorf("%q: %w", it.value, errGone)
			}
			if len(found.Entries) == 0 && it.step.scope == directory.ScopeBase {
				w.table.debug("member not found, left out", "member", it.value)
			}
			if err := w.entries(ctx, found, it.step); err != nil {
				return err
			}
		}
	}
	return nil
}

// errGone is the error of an entry that goes away while its values are read.
var errGone = errors.New("an entry went away while it was read")

// value adds one value to the result.
func (w *walk) value(text string) error {
	out, added := w.table.templates.Append(w.out, w.key, text)
	if !added {
		if text == "" {
			w.table.debug("empty value left out")
		}
		return nil
	}
	w.out = out
	if w.expansions++; w.table.expansionLimit > 0 && w.expansions > w.table.expansionLimit {
		return fmt.Errorf("%w: more values than expansion_limit", errLimit)
	}
	if len(out) > maxResult {
		return fmt.Errorf("%w: the result has more than %d bytes", errLimit, maxResult)
	}
	return nil
}
