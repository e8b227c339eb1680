package ldapmap

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"gatepost/internal/directory"
)

// connection says whether the server is reached and takes our bind.
func (c *checker) connection(ctx context.Context, pool *directory.Pool) bool {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	tables := c.group.tables()
	if err := pool.Ready(ctx); err != nil {
		level := LevelUnknown
		var refused *directory.ResultError
		var certificate *tls.CertificateVerificationError
		for _, s := range pool.Stats().Servers {
			if s.Err != nil {
				err = s.Err
			}
		}
		if errors.As(err, &refused) || errors.As(err, &certificate) {
			level = LevelBad
		}
		c.add(tables, "connection", level, err.Error(), "")
		return false
	}
	s := c.group.settings
	level, text := LevelOK, "connected"
	switch b := s.Bind; {
	case b.Method == directory.BindSimple && b.DN != "":
		text += ", bound as " + b.DN
	case b.Method == directory.BindSASL:
		text += ", bound by SASL " + b.Mechanism
	default:
		text += ", anonymous"
	}
	scheme, _, _ := strings.Cut(strings.ToLower(c.uri), "://")
	switch encrypted := scheme == "ldaps" || s.StartTLS && scheme == "ldap"; {
	case encrypted && s.NoVerify:
		level, text = LevelNote, text+", TLS with any certificate: whoever is in between is not noticed"
	case encrypted:
		text += ", TLS, certificate verified"
	case s.Bind.DN != "" && !isLoopback(c.uri):
		level, text = LevelNote, text+", no TLS: the password can be read on the way"
	}
	c.add(tables, "connection", level, text, "")
	return true
}

func isLoopback(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Scheme == "ldapi" {
		return err == nil
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || u.Hostname() == "" || ip != nil && ip.IsLoopback()
}

// bases says whether the entries are there below which is searched.
func (c *checker) bases(ctx context.Context) {
	var done []string
	for _, q := range c.group.queries {
		if q.fromKey || slices.Contains(done, q.base) {
			continue
		}
		done = append(done, q.base)
		var tables []string
		for _, other := range c.group.queries {
			if other.base == q.base && !other.fromKey && !slices.Contains(tables, other.table) {
				tables = append(tables, other.table)
			}
		}
		answer, err := c.search(ctx, directory.Request{Base: q.base, Scope: directory.ScopeBase, Filter: anyEntry, Attributes: noAttributes})
		switch {
		case err != nil:
			c.add(tables, "base", levelOf(err), fmt.Sprintf("%q: %v", q.base, err), "")
		case len(answer.Entries) == 0:
			c.add(tables, "base", LevelBad, fmt.Sprintf("%q: we may not see it", q.base), "")
		default:
			c.add(tables, "base", LevelOK, fmt.Sprintf("%q is there", q.base), "")
		}
	}
}

// sentinel says whether the entry is found that proves a server able to find.
func (c *checker) sentinel(ctx context.Context) {
	tables, text := c.group.tables(), c.group.sentinel
	if text == "" {
		c.add(tables, "sentinel", LevelNote, "none is configured; that nothing is found is proven by what was found before, or by entries like it", "")
		return
	}
	r := directory.Request{Base: text, Scope: directory.ScopeBase, Filter: anyEntry, Attributes: noAttributes}
	if strings.HasPrefix(text, "(") {
		r.Base, r.Scope, r.Filter = c.group.sentinelBase, directory.ScopeSub, text
	}
	answer, err := c.search(ctx, r)
	switch {
	case err != nil:
		c.add(tables, "sentinel", levelOf(err), fmt.Sprintf("%s: %v", text, err), "")
	case len(answer.Entries) == 0:
		c.add(tables, "sentinel", LevelBad, text+" is not found, so that nothing ever counts as not found", "")
	default:
		c.add(tables, "sentinel", LevelOK, text+" is found", "")
	}
}

// schemaAndIndexes says whether the attributes are known, and those that are
// searched have indexes.
func (c *checker) schemaAndIndexes(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	schema, err := directory.ReadSchema(ctx, c.server)
	if err != nil {
		c.add(c.group.tables(), "schema", LevelNote, fmt.Sprintf("not checked: %v", err), "")
		c.add(c.group.tables(), "index", LevelNote, "not checked, without the schema", "")
		return
	}
	for _, q := range c.group.queries {
		c.schema(schema, q)
	}
	databases := map[string]*directory.Database{}
	for _, q := range c.group.queries {
		base := q.fixed
		d, asked := databases[base]
		if !asked {
			var why error
			d, why = c.database(ctx, base)
			if databases[base] = d; why != nil {
				c.add(c.group.tables(), "index", LevelNote, fmt.Sprintf("not checked for %q: %v; where root of the server runs this, --config-uri ldapi:/// can tell", base, why), "")
			}
		}
		if d != nil {
			c.index(d, schema, q)
		}
	}
}

// schema says which attributes of a table the server does not know.
func (c *checker) schema(schema *directory.Schema, q checkQuery) {
	needs, err := directory.FilterNeeds(q.filter)
	if err != nil {
		c.add([]string{q.table}, "schema", LevelBad, fmt.Sprintf("the filter is wrong: %v", err), "")
		return
	}
	var known, unsearchable, absent []string
	for _, n := range needs.Comparisons() {
		switch {
		case n.Attribute == "":
		case schema.Knows(n.Attribute):
			known = append(known, n.Attribute)
		default:
			unsearchable = append(unsearchable, n.Attribute)
		}
	}
	for _, name := range q.attributes {
		switch {
		case name == "1.1" || name == "*" || name == "+":
		case schema.Knows(name):
			known = append(known, name)
		default:
			absent = append(absent, name)
		}
	}
	tables := []string{q.table}
	if len(unsearchable) > 0 {
		c.add(tables, "schema", LevelBad, "there is no attribute "+names(unsearchable)+": a search for it finds nothing, whatever is in the directory", "")
	}
	if len(absent) > 0 {
		c.add(tables, "schema", LevelNote, "there is no attribute "+names(absent)+", which the result is made of", "")
	}
	if len(unsearchable)+len(absent) == 0 {
		c.add(tables, "schema", LevelOK, "knows "+names(known), "")
	}
}

// database reads the configuration of the database that holds a base, as whom
// we bind or where that is allowed.
func (c *checker) database(ctx context.Context, base string) (*directory.Database, error) {
	d, err := directory.ReadDatabase(ctx, c.server, base)
	if err != nil && c.config != nil {
		return directory.ReadDatabase(ctx, c.config, base)
	}
	return d, err
}

// index says which comparisons of a table's filter have no index.
func (c *checker) index(d *directory.Database, schema *directory.Schema, q checkQuery) {
	needs, err := directory.FilterNeeds(q.filter)
	if err != nil {
		return
	}
	has := func(n directory.Needs) bool { return d.Has(n, schema) }
	// What most entries have, an index finds and does not narrow down.
	served := needs.Served(func(n directory.Needs) bool {
		return has(n) && n.Index != "pres" && !strings.EqualFold(n.Attribute, "objectClass")
	})
	var indexed []string
	missing := false
	for _, n := range needs.Comparisons() {
		if n.Index == "" || !schema.Knows(n.Attribute) || strings.EqualFold(n.Attribute, "objectClass") && n.Index == "pres" {
			continue
		}
		if has(n) {
			indexed = append(indexed, n.Attribute+" "+n.Index)
			continue
		}
		missing = true
		level, text := LevelBad, fmt.Sprintf("%s has no index %s, and each look-up reads a large part of the entries below %s", n.Attribute, n.Index, d.Suffix)
		if served {
			level, text = LevelNote, fmt.Sprintf("%s has no index %s; the rest of the filter has", n.Attribute, n.Index)
		}
		c.add([]string{q.table}, "index", level, text, d.Mend(n, schema))
	}
	switch {
	case missing:
	case served:
		c.add([]string{q.table}, "index", LevelOK, names(indexed), "")
	default:
		c.add([]string{q.table}, "index", LevelNote, fmt.Sprintf("no index can help with %s: each look-up reads a large part of the entries below %s", q.filter, d.Suffix), "")
	}
}
