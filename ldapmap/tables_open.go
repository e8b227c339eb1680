package ldapmap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"gatepost/internal/directory"
)

// maxLDAPConnections is how many connections all tables together keep to the
// servers in use, if they connect in no more than so many ways.
const maxLDAPConnections = 4

// cachePlan is what all caches together may use, and whether they hear of
// changes.
type cachePlan struct {
	directory.CacheOptions
	coherence bool
}

// Live are tables that are open: they look up.
type Live struct {
	Maps   map[string]*Map
	groups map[string]*directory.Directory // by how they connect
}

// Open opens the tables. Tables that connect alike share one directory, with
// its cache; what previous has open, it keeps. The servers need not be there.
func (p *Plan) Open(previous *Live, metrics *Metrics, log *slog.Logger) *Live {
	live := &Live{Maps: map[string]*Map{}, groups: map[string]*directory.Directory{}}
	origins := p.origins()
	cache := p.cache.CacheOptions
	cache.MaxBytes /= max(1, len(origins))
	for key, k := range origins {
		id := fmt.Sprintf("%s %v %s %+v", key, k.settings.Timeout, k.sentinel, p.cache)
		if previous != nil && previous.groups[id] != nil {
			live.groups[id] = previous.groups[id]
		} else {
			live.groups[id] = open(k, cache, len(origins), log)
			if p.cache.coherence {
				for _, base := range k.bases() {
					live.groups[id].Follow(base)
				}
			}
		}
		for _, t := range k.tables {
			table := NewTable(t.TableConfig, live.groups[id])
			table.Authorises, table.Log = t.authorises, log
			live.Maps[t.Name] = NewMap(t.Name, t.keys, table, t.deadline, metrics)
			live.Maps[t.Name].group = id
		}
	}
	p.openPresets(live, previous, metrics, log)
	live.introduce()
	return live
}

// openPresets opens the tables that need directory.toml, which says itself how
// to connect and how long answers live.
func (p *Plan) openPresets(live, previous *Live, metrics *Metrics, log *slog.Logger) {
	if !slices.ContainsFunc(p.tables, func(t plannedTable) bool { return t.preset != "" }) {
		return
	}
	id := fmt.Sprintf("directory.toml %+v", *p.shared)
	var d *directory.Directory
	if previous != nil {
		d = previous.groups[id]
	}
	if d == nil {
		d = p.shared.Open(log)
	}
	live.groups[id] = d
	nouns := directory.NewNouns(traced{d}, p.shared.Kind(), p.shared.Bases())
	for _, t := range p.tables {
		if t.preset != "" {
			live.Maps[t.Name] = NewMap(t.Name, t.keys, newPresetTable(t.preset, nouns, t.authorises), t.deadline, metrics)
			live.Maps[t.Name].group = id
		}
	}
}

// origin is a way to connect, and the tables that connect so.
type origin struct {
	settings directory.Settings
	sentinel string
	tables   []plannedTable
}

// origins sorts tables by how they connect. The time-out of a search is not part
// of that: each table's deadline ends its own.
func (p *Plan) origins() map[string]*origin {
	origins := map[string]*origin{}
	for _, t := range p.tables {
		if t.preset != "" {
			continue
		}
		same := *t.TableConfig
		same.timeout = 0
		k := origins[same.PoolKey()]
		if k == nil {
			k = &origin{settings: t.Settings()}
			origins[same.PoolKey()] = k
		}
		k.settings.Timeout = max(k.settings.Timeout, t.Settings().Timeout)
		if k.sentinel == "" {
			k.sentinel = t.sentinel
		}
		k.tables = append(k.tables, t)
	}
	return origins
}

func open(k *origin, cache directory.CacheOptions, of int, log *slog.Logger) *directory.Directory {
	s := k.settings
	s.Connections = max(1, min(directory.DefaultConnections, maxLDAPConnections/of))
	cache.Timeout = max(cache.Timeout, s.Timeout)
	doubt := directory.DefaultDoubtOptions()
	doubt.Sentinel = k.sentinel
	return directory.New(directory.NewPool(s, log), cache, doubt, log)
}

// bases are the entries below which the tables search, without those that are
// below another.
func (o *origin) bases() (top []string) {
	for _, t := range o.tables {
		base := fixedBase(t.templates)
		if base == "" || slices.ContainsFunc(top, func(other string) bool { return within(base, other) }) {
			continue
		}
		top = append(slices.DeleteFunc(top, func(other string) bool { return within(other, base) }), base)
	}
	return top
}

// fixedBase is the end of a search base that does not depend on the key.
func fixedBase(t *directory.Templates) string {
	base := t.Base.String()
	if i := strings.LastIndexByte(base, '%'); i >= 0 {
		_, base, _ = strings.Cut(base[i:], ",")
	}
	return strings.TrimSpace(base)
}

// within says whether an entry is another or below it, as far as their names
// are written alike; if not, both are followed, which does no harm.
func within(dn, other string) bool {
	rest := len(dn) - len(other)
	return rest == 0 && strings.EqualFold(dn, other) || rest > 0 && strings.EqualFold(dn[rest-1:], ","+other)
}

// Ready says that every directory can be asked.
func (l *Live) Ready(ctx context.Context) error {
	var errs []error
	for _, d := range l.groups {
		errs = append(errs, d.Ready(ctx))
	}
	return errors.Join(errs...)
}

// Flush forgets all answers and says how many there were.
func (l *Live) Flush() (n int) {
	for _, d := range l.groups {
		n += d.Flush()
	}
	return n
}

// Deadline is the longest of any table.
func (l *Live) Deadline() (longest time.Duration) {
	for _, m := range l.Maps {
		longest = max(longest, m.deadline)
	}
	return longest
}

// Close closes what next, which may be nil, does not use.
func (l *Live) Close(next *Live) {
	for id, d := range l.groups {
		if next == nil || next.groups[id] != d {
			d.Close()
		}
	}
}

// Stats are those of all directories.
func (l *Live) Stats() (all []directory.DirectoryStats) {
	for _, d := range l.groups {
		all = append(all, d.Stats())
	}
	return all
}
