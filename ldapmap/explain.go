package ldapmap

import (
	"context"
	"time"
)

// Explanation tells how a look-up came to its reply, for an administrator: it
// names servers, entries and causes, which no reply does.
type Explanation struct {
	Table string       `json:"table"`
	Class Class        `json:"class"`
	Key   string       `json:"key"`
	Tried []TriedKey   `json:"tried"` // in their order
	Reply Reply        `json:"reply"`
	Why   string       `json:"why,omitempty"` // what kept it from telling, or from trying a key
	Took  Milliseconds `json:"ms"`
}

// Reply is what Postfix gets.
type Reply struct {
	Status string `json:"status"`         // OK, NOTFOUND, TEMP or PERM
	Text   string `json:"text,omitempty"` // the result, or what went wrong
}

// TriedKey is one key that a look-up asked the table for.
type TriedKey struct {
	Key string `json:"key"`
	// Again: the walk was done once more because the directory cannot tell,
	// with an old "no" for a key taken, and only its outcome judged.
	Again    bool             `json:"again,omitempty"`
	Found    bool             `json:"found"`
	Result   string           `json:"result,omitempty"`  // as it is in the table; the class may add an extension
	Skipped  string           `json:"skipped,omitempty"` // why there was nothing to search for
	Why      string           `json:"why,omitempty"`     // what kept it from telling
	Took     Milliseconds     `json:"ms"`
	Searches []ExplainedQuery `json:"searches,omitempty"`
	More     int              `json:"more_searches,omitempty"` // that are not listed
}

// ExplainedQuery is one search for a key: the first, or one for what an entry
// leads to.
type ExplainedQuery struct {
	Base       string       `json:"base"`
	Scope      string       `json:"scope"` // "sub", "one", "base" or "children"
	Filter     string       `json:"filter"`
	Attributes []string     `json:"attributes"`
	Depth      int          `json:"depth"` // 1 for the first search
	Server     string       `json:"server,omitempty"`
	Entries    int          `json:"entries"`
	DNs        []string     `json:"dns,omitempty"` // of the first few entries
	Cached     bool         `json:"cached,omitempty"`
	Stale      bool         `json:"stale,omitempty"`
	Why        string       `json:"why,omitempty"` // there is no answer
	Took       Milliseconds `json:"ms"`
}

// Milliseconds is a time as a number of them, to the microsecond.
type Milliseconds float64

func milliseconds(d time.Duration) Milliseconds {
	return Milliseconds(float64(d.Microseconds()) / 1000)
}

// Explain looks a key up as Lookup does, within the same deadline, and tells
// how. With noCache every search is asked of a server, whatever is known; the
// answers are then what is known. It is not counted.
func (m *Map) Explain(ctx context.Context, key string, noCache bool) *Explanation {
	ctx, cancel := context.WithTimeout(ctx, m.deadline)
	defer cancel()
	e := &Explanation{Table: m.name, Class: m.keys.class, Key: key, Tried: []TriedKey{}}
	began := time.Now()
	r := answer(m.lookup(ctx, &explainer{m.table, noCache, e}, key))
	e.Took, e.Reply = milliseconds(time.Since(began)), Reply{r.status, r.data}
	switch {
	case r.why != nil:
		e.Why = r.why.Error()
	case len(e.Tried) > 0:
	case key == "":
		e.Why = "the key is empty"
	default:
		e.Why = "the key is not UTF-8"
	}
	return e
}

// explainer is a table that tells what it is asked for.
type explainer struct {
	table   Lookuper
	noCache bool
	into    *Explanation
}

// Lookup implements Lookuper.
func (x *explainer) Lookup(ctx context.Context, key string) (data string, found bool, err error) {
	trace := &Trace{NoCache: x.noCache}
	began := time.Now()
	data, found, err = x.table.Lookup(WithTrace(ctx, trace), key)
	tried := TriedKey{Key: key, Again: takesStaleNo(ctx), Found: found, Result: data, Took: milliseconds(time.Since(began)), More: trace.More()}
	if err != nil {
		tried.Why = err.Error()
	}
	for _, s := range trace.Skipped() {
		tried.Skipped = s.Why
	}
	for _, s := range trace.Searches() {
		q := ExplainedQuery{Base: s.Base, Scope: s.Scope, Filter: s.Filter, Attributes: s.Attributes, Depth: s.Depth, Server: s.Server,
			Entries: s.Entries, DNs: s.DNs, Cached: s.Cached, Stale: s.Stale, Took: milliseconds(s.Took)}
		if s.Err != nil {
			q.Why = s.Err.Error()
		}
		tried.Searches = append(tried.Searches, q)
	}
	x.into.Tried = append(x.into.Tried, tried)
	return data, found, err
}

// Candidates lists the keys that a key stands for, as Postfix would ask an
// ldap: table for them while it finds none.
func (m *Map) Candidates(key string) (keys []string) {
	_, _, _ = m.keys.Lookup(context.Background(), lookupFunc(func(_ context.Context, key string) (string, bool, error) {
		keys = append(keys, key)
		return "", false, nil
	}), key)
	return keys
}

// LookupIn looks a key up in another table in the place of ours, by the keys
// and with the results of the same class.
func (m *Map) LookupIn(ctx context.Context, table Lookuper, key string) (data string, found bool, err error) {
	return m.keys.Lookup(ctx, table, key)
}

type lookupFunc func(ctx context.Context, key string) (string, bool, error)

// Lookup implements Lookuper.
func (f lookupFunc) Lookup(ctx context.Context, key string) (string, bool, error) { return f(ctx, key) }
