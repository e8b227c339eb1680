package dbmail

import (
	"context"
	"database/sql"
	"fmt"
	"sort"
	"strings"
	"sync"
)

// cachedNames are the header names that DBMail caches unless
// header_cache_readonly=no, in the order in which its daemons make them.
var cachedNames = []string{
	"return-path", "reply-to", "in-reply-to", "references", "content-disposition", "content-type",
	"subject", "date", "bcc", "cc", "to", "from",
}

// headerNames maps header names to their ids. Names are only ever added.
type headerNames struct {
	mu  sync.RWMutex
	ids map[string]uint64
}

func (n *headerNames) id(name string) (uint64, bool) {
	n.mu.RLock()
	defer n.mu.RUnlock()
	id, ok := n.ids[name]
	return id, ok
}

// load reads all names.
func (n *headerNames) load(ctx context.Context, s *Store, on runner) error {
	ids := map[string]uint64{}
	rows, err := on.QueryContext(ctx, "SELECT id, headername FROM "+s.t.headername)
	err = collect(rows, err, func(r *sql.Rows) error {
		var id uint64
		var name string
		err := r.Scan(&id, &name)
		ids[strings.ToLower(name)] = id
		return err
	})
	if err != nil {
		return err
	}
	n.mu.Lock()
	n.ids = ids
	n.mu.Unlock()
	return nil
}

// ensure makes the names of a group known. Missing ones are added outside the
// transaction, on the writer's own connection, in sorted order, each by a statement that ignores a row which
// another writer made first: nobody waits for a name until somebody's COMMIT.
func (n *headerNames) ensure(ctx context.Context, s *Store, on runner, group []*job) error {
	missing := map[string]bool{}
	for _, j := range group {
		for _, v := range j.values {
			if _, ok := n.id(v.name); !ok {
				missing[v.name] = true
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	names := make([]string, 0, len(missing))
	for name := range missing {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if _, err := on.ExecContext(ctx, s.d.ignore+" INTO "+s.t.headername+" (headername) VALUES (?)", name); err != nil {
			return err
		}
	}
	return n.load(ctx, s, on)
}

// CachedHeader says whether a header of this lower-case name goes into the
// header cache of this store.
func (s *Store) CachedHeader(name string) bool {
	if s.opt.CacheAllHeaders {
		return len(name) <= 255 && !strings.ContainsAny(name, " \t")
	}
	if _, ok := s.names.id(name); ok {
		return true
	}
	for _, c := range cachedNames {
		if c == name {
			return true
		}
	}
	return false
}

// valueKey finds a header value: hash and text together.
type valueKey struct{ hash, value string }

// valueSet is what is known of a group's header values, as blobSet of blobs.
type valueSet struct {
	rows   map[valueKey]headerValue
	order  []valueKey
	stored map[valueKey]uint64
}

func newValueSet(group []*job) *valueSet {
	v := &valueSet{rows: map[valueKey]headerValue{}, stored: map[valueKey]uint64{}}
	for _, j := range group {
		for _, h := range j.values {
			k := valueKey{h.hash, h.value}
			if _, ok := v.rows[k]; !ok {
				v.rows[k] = h
				v.order = append(v.order, k)
			}
		}
	}
	return v
}

// lookForValues finds and locks stored header values, by hash and text; of several the
// first made.
func (s *Store) lookForValues(b *batch, set *valueSet) {
	_ = chunked(set.order, 1000, func(keys []valueKey) error {
		hashes := make([]any, len(keys))
		for i, k := range keys {
			hashes[i] = k.hash
		}
		b.query(func(r *sql.Rows) error {
			var id uint64
			var k valueKey
			var linked bool
			if err := r.Scan(&id, &k.hash, &k.value, &linked); err != nil {
				return err
			}
			if _, wanted := set.rows[k]; !wanted || !linked {
				return nil
			}
			if have, ok := set.stored[k]; ok {
				id = min(id, have)
			}
			set.stored[k] = id
			return nil
		}, "SELECT v.id, v.hash, v.headervalue, "+s.locked(s.t.header, "headervalue_id")+" FROM "+s.t.headervalue+" v WHERE v.hash IN ("+placeholders(len(hashes))+")", hashes...)
		return nil
	})
}

// insertValues inserts the values that are not stored yet.
func (w *writer) insertValues(b *batch) {
	var fresh []valueKey
	var args []any
	for _, k := range w.values.order {
		if _, ok := w.values.stored[k]; !ok {
			h := w.values.rows[k]
			fresh = append(fresh, k)
			args = append(args, h.hash, h.value, h.sort, h.date)
		}
	}
	n := 0
	b.insert("INSERT", w.s.t.headervalue, "hash, headervalue, sortfield, datefield", "id", 4, args, func(id uint64) {
		w.values.stored[fresh[n]] = id
		n++
	})
}

// linkHeaders writes the header cache.
func (w *writer) linkHeaders(b *batch) error {
	type link struct{ name, value uint64 }
	var rows []any
	for g, j := range w.group {
		linked := make(map[link]bool, len(j.values))
		for _, h := range j.values {
			name, ok := w.s.names.id(h.name)
			if !ok {
				return fmt.Errorf("header name %q has no id", h.name)
			}
			l := link{name, w.values.stored[valueKey{h.hash, h.value}]}
			if !linked[l] {
				linked[l] = true
				rows = append(rows, w.phys[g], l.name, l.value)
			}
		}
	}
	b.insert("INSERT", w.s.t.header, "physmessage_id, headername_id, headervalue_id", "", 3, rows, nil)
	return nil
}
