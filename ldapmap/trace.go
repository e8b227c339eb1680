package ldapmap

import (
	"context"
	"slices"
	"sync"
	"time"

	"gatepost/internal/directory"
)

// Trace records what a look-up does, for who wants to have it explained. It
// may be read when the look-up has returned.
type Trace struct {
	// NoCache has every search asked of a server.
	NoCache bool

	mu       sync.Mutex
	searches []*TracedSearch
	more     int // searches beyond maxTraced
	skipped  []SkippedKey
}

// maxTraced bounds the searches that are remembered, maxTracedDNs the entries
// of each.
const (
	maxTraced    = 1000
	maxTracedDNs = 10
)

// TracedSearch is one search of a look-up.
type TracedSearch struct {
	Base, Filter string
	Scope        string // "sub", "one", "base" or "children"
	Attributes   []string
	Depth        int    // 1 for the search for the key, more for what it led to
	Server       string // that answered, in the end
	Entries      int
	DNs          []string      // of the first few
	Took         time.Duration // as seen here, from the cache too
	Cached       bool
	Stale        bool
	Err          error

	begun time.Time
}

// SkippedKey is a key that has no answer without a search.
type SkippedKey struct {
	Key, Why string
}

type traceKey struct{}

// WithTrace returns a context whose look-ups are recorded.
func WithTrace(ctx context.Context, t *Trace) context.Context {
	return context.WithValue(ctx, traceKey{}, t)
}

func traceOf(ctx context.Context) *Trace {
	t, _ := ctx.Value(traceKey{}).(*Trace)
	return t
}

// Searches returns the searches in the order in which they began.
func (t *Trace) Searches() []TracedSearch {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]TracedSearch, len(t.searches))
	for i, s := range t.searches {
		list[i] = *s
	}
	return list
}

// More says how many searches were made beyond those that are remembered.
func (t *Trace) More() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.more
}

// Skipped returns the keys that were not searched for.
func (t *Trace) Skipped() []SkippedKey {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.skipped)
}

func (t *Trace) skip(key, why string) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.skipped = append(t.skipped, SkippedKey{key, why})
}

func (t *Trace) begin(r *directory.Request, depth int) *TracedSearch {
	s := &TracedSearch{Base: r.Base, Filter: r.Filter, Scope: scopeNames[r.Scope], Attributes: r.Attributes, Depth: depth, begun: time.Now()}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.searches) == maxTraced {
		t.more++
	} else {
		t.searches = append(t.searches, s)
	}
	return s
}

var scopeNames = map[directory.Scope]string{
	directory.ScopeSub: "sub", directory.ScopeOne: "one", directory.ScopeBase: "base", directory.ScopeChildren: "children",
}

func (t *Trace) end(s *TracedSearch, answer *directory.Answer, err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	s.Took, s.Err = time.Since(s.begun), err
	if answer != nil {
		s.Server, s.Entries, s.Cached, s.Stale = answer.Server, len(answer.Entries), answer.Cached, answer.Stale
		for _, e := range answer.Entries[:min(len(answer.Entries), maxTracedDNs)] {
			s.DNs = append(s.DNs, e.DN)
		}
	}
}

// traced records the searches of look-ups whose context has a Trace, for
// tables that do not search themselves.
type traced struct{ directory.Searcher }

// Search implements directory.Searcher.
func (s traced) Search(ctx context.Context, r *directory.Request) (*directory.Answer, error) {
	t := traceOf(ctx)
	if t == nil {
		return s.Searcher.Search(ctx, r)
	}
	own := *r
	own.NoCache = own.NoCache || t.NoCache
	record := t.begin(&own, 1)
	answer, err := s.Searcher.Search(ctx, &own)
	t.end(record, answer, err)
	return answer, err
}
