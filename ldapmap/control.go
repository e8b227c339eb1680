package ldapmap

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"gatepost/internal/daemon"
)

// FlushOrder says what answers to forget: with nothing set, all. Only one may
// be given of a DN and a key; a key needs its table.
type FlushOrder struct {
	// Table whose answers go.
	Table string `json:"table,omitempty"`
	// Key of Table, as Postfix sends it: its searches are made again, and the
	// new answers take the place of the old ones. While the directory cannot
	// tell, the old ones stay.
	Key string `json:"key,omitempty"`
	// DN of an entry: the answers that it, or an entry below it, has a part
	// in, and those that found nothing.
	DN string `json:"dn,omitempty"`
}

// Flushed is what became of a FlushOrder.
type Flushed struct {
	Answers int `json:"answers"` // that were forgotten
	// Lookup of the key that was asked for again.
	Lookup *Explanation `json:"lookup,omitempty"`
}

// TableInfo describes a table that is served.
type TableInfo struct {
	Name     string       `json:"name"`
	Class    Class        `json:"class"`
	File     string       `json:"file,omitempty"`
	Preset   Class        `json:"preset,omitempty"`  // in place of a file
	Servers  []string     `json:"servers,omitempty"` // by priority
	Deadline Milliseconds `json:"deadline_ms"`
	// Authorises: answers grant something, and age faster while no server
	// answers.
	Authorises bool `json:"authorises,omitempty"`
}

// RegisterControl lets the operator look keys up with an explanation, flush
// the cache, and see tables and counters, of the tables that live returns:
//
//	GET  /lookup?table=NAME&key=KEY[&no_cache=1]   an Explanation
//	POST /flush                                    a FlushOrder; gives a Flushed
//	GET  /tables                                   a list of TableInfo
//	GET  /stats                                    a list of DirectoryInfo
func RegisterControl(c *daemon.Control, live func() *Live) {
	c.Handle("GET /lookup", func(r *http.Request) (any, error) {
		q := r.URL.Query()
		m, err := live().table(q.Get("table"))
		if err != nil {
			return nil, err
		}
		return m.Explain(r.Context(), q.Get("key"), q.Get("no_cache") != ""), nil
	})
	c.Handle("POST /flush", func(r *http.Request) (any, error) {
		var order FlushOrder
		if err := daemon.DecodeControl(r, &order); err != nil {
			return nil, err
		}
		return live().flush(r, order)
	})
	c.Handle("GET /tables", func(*http.Request) (any, error) { return live().TableInfos(), nil })
	c.Handle("GET /stats", func(*http.Request) (any, error) { return live().DirectoryInfos(), nil })
}

func (l *Live) table(name string) (*Map, error) {
	if m := l.Maps[name]; m != nil {
		return m, nil
	}
	return nil, &daemon.ControlError{Status: http.StatusNotFound, What: l.NoTable(name)}
}

// NoTable says that there is no such table, and which there are.
func (l *Live) NoTable(name string) string {
	var names []string
	for n := range l.Maps {
		names = append(names, n)
	}
	slices.Sort(names)
	return fmt.Sprintf("there is no table %q; there are: %s", name, strings.Join(names, ", "))
}

func (l *Live) flush(r *http.Request, o FlushOrder) (f Flushed, err error) {
	bad := func(what string) error { return &daemon.ControlError{Status: http.StatusBadRequest, What: what} }
	var m *Map
	if o.Table != "" {
		if m, err = l.table(o.Table); err != nil {
			return f, err
		}
	}
	switch {
	case o.DN != "" && (o.Key != "" || o.Table != ""):
		return f, bad("a DN goes for all tables; give it alone")
	case o.DN != "":
		for _, d := range l.groups {
			f.Answers += d.FlushDN(o.DN)
		}
	case o.Key != "" && m == nil:
		return f, bad("the key of which table?")
	case o.Key != "":
		f.Lookup = m.Explain(r.Context(), o.Key, true)
		for _, tried := range f.Lookup.Tried {
			f.Answers += len(tried.Searches) + tried.More
		}
	case m != nil && isPreset(m):
		f.Answers = l.groups[m.group].Flush() // of what tables with presets share
	case m != nil:
		for _, d := range l.groups {
			f.Answers += d.FlushTable(o.Table)
		}
	default:
		f.Answers = l.Flush()
	}
	return f, nil
}

func isPreset(m *Map) bool {
	_, ok := m.table.(*presetTable)
	return ok
}

// TableInfos describe all tables, by name.
func (l *Live) TableInfos() []TableInfo {
	infos := []TableInfo{}
	for name, m := range l.Maps {
		info := TableInfo{Name: name, Class: m.keys.class, Deadline: milliseconds(m.deadline)}
		switch t := m.table.(type) {
		case *Table:
			info.File, info.Servers, info.Authorises = t.File, t.uris, t.Authorises
		case *presetTable:
			info.Preset = t.preset
			for _, s := range l.groups[m.group].Stats().Pool.Servers {
				info.Servers = append(info.Servers, s.URI)
			}
		}
		infos = append(infos, info)
	}
	slices.SortFunc(infos, func(a, b TableInfo) int { return cmp.Compare(a.Name, b.Name) })
	return infos
}
