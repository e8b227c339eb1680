package ldapmap

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"gatepost/internal/directory"
)

// Finding is one thing that Check has looked at on one server.
type Finding struct {
	Server string   `json:"server"` // URI
	Tables []string `json:"tables"`
	What   string   `json:"what"` // connection, base, sentinel, schema or index
	Level  Level    `json:"level"`
	Text   string   `json:"text"`
	// Mend is LDIF for ldapmodify(1) that mends it; it is for cn=config.
	Mend string `json:"mend,omitempty"`
}

// Level says what to think of a Finding.
type Level string

// The levels.
const (
	LevelOK      Level = "ok"
	LevelNote    Level = "note"    // works, and could be better; or cannot be seen from here
	LevelBad     Level = "bad"     // look-ups fail, or are slow
	LevelUnknown Level = "unknown" // the server did not answer
)

// Check asks every server of the tables whether it can answer them: that it is
// reached and takes our bind, that the bases and the sentinel are there, that
// its schema knows the attributes, and, of an OpenLDAP server, that what is
// searched has an index. The last is read in cn=config as whom we bind, else
// at configURI, if that is not empty, with SASL EXTERNAL. The context bounds
// all of it.
func (p *Plan) Check(ctx context.Context, configURI string) []Finding {
	var config directory.Searcher
	if configURI != "" {
		pool := directory.NewPool(directory.Settings{URIs: []string{configURI}, Connections: 1,
			Bind: directory.Bind{Method: directory.BindSASL, Mechanism: "EXTERNAL"}}, nil)
		defer pool.Close()
		config = pool
	}
	findings := []Finding{}
	for _, g := range p.checkGroups(ctx) {
		for _, uri := range g.settings.URIs {
			findings = append(findings, g.check(ctx, uri, config)...)
		}
	}
	return findings
}

// checkGroup is tables that connect alike.
type checkGroup struct {
	settings     directory.Settings
	sentinel     string // a DN, or a filter below sentinelBase
	sentinelBase string
	queries      []checkQuery
}

// checkQuery is a search that a table makes.
type checkQuery struct {
	table, base, filter string
	fromKey             bool   // the base is made from the key
	fixed               string // the end of the base that is not
	attributes          []string
}

func (g *checkGroup) tables() (names []string) {
	for _, q := range g.queries {
		names = append(names, q.table)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *Plan) checkGroups(ctx context.Context) (groups []*checkGroup) {
	for _, o := range p.origins() {
		g := &checkGroup{settings: o.settings, sentinel: o.sentinel}
		for _, t := range o.tables {
			g.queries = append(g.queries, fileQuery(t))
		}
		groups = append(groups, g)
	}
	if shared := p.shared; shared != nil {
		g := &checkGroup{settings: shared.Settings(), sentinel: shared.Sentinel, sentinelBase: shared.Base}
		for _, t := range p.tables {
			if t.preset != "" {
				g.queries = append(g.queries, presetQueries(ctx, t, shared)...)
			}
		}
		if len(g.queries) > 0 {
			groups = append(groups, g)
		}
	}
	slices.SortFunc(groups, func(a, b *checkGroup) int { return cmp.Compare(a.queries[0].table, b.queries[0].table) })
	return groups
}

// checkKey has every part that a template can need.
const checkKey = "x@9.8.7.6.5.4.3.2.1"

// fileQuery is the first search of a table with a file.
func fileQuery(t plannedTable) checkQuery {
	q := checkQuery{table: t.Name, fromKey: t.templates.Base.Dynamic(), fixed: fixedBase(t.templates), attributes: slices.Concat(t.terminal, t.leaf, t.regular, t.special)}
	if key, reason := t.templates.Key(checkKey); reason == "" {
		q.base, q.filter, _ = t.templates.Query(key) // a filter that is wrong has been warned about
	}
	return q
}

// presetQueries are the searches of a table with a preset, as a directory sees
// them in which there is nothing.
func presetQueries(ctx context.Context, t plannedTable, shared *directory.Config) (queries []checkQuery) {
	trace := &Trace{}
	table := newPresetTable(t.preset, directory.NewNouns(traced{nothing{}}, shared.Kind(), shared.Bases()), false)
	for _, key := range []string{"x@example.com", "example.com"} {
		_, _, _ = table.Lookup(WithTrace(ctx, trace), key)
	}
	for _, s := range trace.Searches() {
		queries = append(queries, checkQuery{table: t.Name, base: s.Base, fixed: s.Base, filter: s.Filter, attributes: s.Attributes})
	}
	return queries
}

// nothing is a directory without entries.
type nothing struct{}

// Search implements directory.Searcher.
func (nothing) Search(context.Context, *directory.Request) (*directory.Answer, error) {
	return &directory.Answer{}, nil
}

// check asks one server.
func (g *checkGroup) check(ctx context.Context, uri string, config directory.Searcher) []Finding {
	s := g.settings
	s.URIs, s.Connections = []string{uri}, 1
	pool := directory.NewPool(s, nil)
	defer pool.Close()
	timeout := s.Timeout
	if timeout <= 0 {
		timeout = directory.DefaultTimeout
	}
	c := &checker{group: g, uri: uri, server: pool, config: config, timeout: timeout}
	if c.connection(ctx, pool) {
		c.bases(ctx)
		c.sentinel(ctx)
		c.schemaAndIndexes(ctx)
	}
	return c.findings
}

// checker gathers what is found on one server.
type checker struct {
	group    *checkGroup
	uri      string
	server   directory.Searcher
	config   directory.Searcher // where cn=config may be read else; nil: nowhere
	timeout  time.Duration      // of each search
	findings []Finding
}

// add adds a finding; of several tables that have the same, one.
func (c *checker) add(tables []string, what string, level Level, text, mend string) {
	for i := range c.findings {
		if f := &c.findings[i]; f.What == what && f.Level == level && f.Text == text && f.Mend == mend {
			f.Tables = append(slices.Clone(f.Tables), tables...)
			slices.Sort(f.Tables)
			f.Tables = slices.Compact(f.Tables)
			return
		}
	}
	c.findings = append(c.findings, Finding{Server: c.uri, Tables: tables, What: what, Level: level, Text: text, Mend: mend})
}

// search asks the server whatever is known.
func (c *checker) search(ctx context.Context, r directory.Request) (*directory.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	r.Table, r.NoCache = "check", true
	return c.server.Search(ctx, &r)
}

// levelOf is that of an error: a server that has answered is wrong.
func levelOf(err error) Level {
	for _, known := range []error{directory.ErrNoBase, directory.ErrRefused} {
		if errors.Is(err, known) {
			return LevelBad
		}
	}
	return LevelUnknown
}

// names lists tables, attributes or bases, once each.
func names(list []string) string {
	list = slices.Clone(list)
	slices.Sort(list)
	return strings.Join(slices.Compact(list), ", ")
}
