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
func (n *headerNames) load(ctx context.Context, s *Store) error {
	ids := map[string]uint64{}
	rows, err := s.db.QueryContext(ctx, "SELECT id, headername FROM "+s.t.headername)
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
// transaction, in sorted order, each by a statement that ignores a row which
// another writer made first: nobody waits for a name until somebody's COMMIT.
func (n *headerNames) ensure(ctx context.Context, s *Store, group []*job) error {
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
		if _, err := s.write.ExecContext(ctx, s.d.ignore+" INTO "+s.t.headername+" (headername) VALUES (?)", name); err != nil {
			return err
		}
	}
	return n.load(ctx, s)
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

type valueSet struct {
	stored map[valueKey]uint64
	rows   map[valueKey]headerValue
	order  []valueKey
}

func (s *Store) findHeaderValues(ctx context.Context, group []*job) (*valueSet, error) {
	v := &valueSet{stored: map[valueKey]uint64{}, rows: map[valueKey]headerValue{}}
	for _, j := range group {
		for _, h := range j.values {
			k := valueKey{h.hash, h.value}
			if _, ok := v.rows[k]; !ok {
				v.rows[k] = h
				v.order = append(v.order, k)
			}
		}
	}
	err := chunked(v.order, 1000, func(keys []valueKey) error {
		hashes := make([]any, len(keys))
		for i, k := range keys {
			hashes[i] = k.hash
		}
		rows, err := s.db.QueryContext(ctx, "SELECT id, hash, headervalue FROM "+s.t.headervalue+
			" WHERE hash IN ("+placeholders(len(hashes))+") ORDER BY id", hashes...)
		return collect(rows, err, func(r *sql.Rows) error {
			var id uint64
			var k valueKey
			if err := r.Scan(&id, &k.hash, &k.value); err != nil {
				return err
			}
			if _, wanted := v.rows[k]; wanted {
				if _, have := v.stored[k]; !have {
					v.stored[k] = id
				}
			}
			return nil
		})
	})
	return v, err
}

// headers inserts the values that are not stored yet and links all of them.
func (w *writer) headers(group []*job, v *valueSet) error {
	var fresh []valueKey
	var args []any
	bytes := 0
	flush := func() error {
		if len(fresh) == 0 {
			return nil
		}
		ids, err := w.insertIDs(w.s.t.headervalue, "hash, headervalue, sortfield, datefield", "id", len(fresh), 4, args)
		if err != nil {
			return err
		}
		for i, k := range fresh {
			v.stored[k] = ids[i]
		}
		fresh, args, bytes = fresh[:0], args[:0], 0
		return nil
	}
	for _, k := range v.order {
		if _, ok := v.stored[k]; ok {
			continue
		}
		if bytes+len(k.value) > w.s.d.maxBytes || len(fresh) == 500 {
			if err := flush(); err != nil {
				return err
			}
		}
		h := v.rows[k]
		fresh = append(fresh, k)
		args = append(args, h.hash, h.value, h.sort, h.date)
		bytes += len(h.value)
	}
	if err := flush(); err != nil {
		return err
	}
	type link struct{ name, value uint64 }
	var rows []any
	for g, j := range group {
		linked := make(map[link]bool, len(j.values))
		for _, h := range j.values {
			name, ok := w.s.names.id(h.name)
			if !ok {
				return fmt.Errorf("header name %q has no id", h.name)
			}
			l := link{name, v.stored[valueKey{h.hash, h.value}]}
			if !linked[l] {
				linked[l] = true
				rows = append(rows, w.phys[g], l.name, l.value)
			}
		}
	}
	return w.insert("INSERT", w.s.t.header, "physmessage_id, headername_id, headervalue_id", 3, rows)
}
