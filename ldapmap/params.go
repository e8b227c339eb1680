package ldapmap

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"gatepost/internal/directory"
)

// params reads the parameters of ldap_table(5) out of a file and notes which
// were asked for.
type params struct {
	*cfFile
	known map[string]bool
}

// lookup returns a value and where it stands.
func (p *params) lookup(name string) (Setting, bool) {
	p.known[name] = true
	s, ok := p.settings[name]
	return s, ok
}

// text returns a value. It may be empty if def is.
func (p *params) text(name, def string) string {
	s, ok := p.lookup(name)
	if !ok {
		return def
	}
	if s.Value == "" && def != "" {
		p.problem(s.Line, name, fmt.Sprintf("it is empty; leave the line out for the default, %q", def))
		return def
	}
	return s.Value
}

// number returns an integer, as strict as Postfix; least is not checked if 0.
func (p *params) number(name string, def, least int) int {
	s, ok := p.lookup(name)
	if !ok {
		return def
	}
	n, err := strconv.ParseInt(s.Value, 10, 32)
	switch {
	case err != nil || n == math.MinInt32:
		p.problem(s.Line, name, fmt.Sprintf("%q is no whole number", s.Value))
		return def
	case least != 0 && int(n) < least:
		p.problem(s.Line, name, fmt.Sprintf("%d is too small, the least is %d", n, least))
		return def
	}
	return int(n)
}

// yes returns a boolean.
func (p *params) yes(name string) bool {
	s, ok := p.lookup(name)
	switch {
	case !ok || strings.EqualFold(s.Value, "no"):
		return false
	case !strings.EqualFold(s.Value, "yes"):
		p.problem(s.Line, name, fmt.Sprintf("%q is neither yes nor no", s.Value))
	}
	return true
}

// list returns the words of a value.
func (p *params) list(name, def string) []string {
	s, ok := p.lookup(name)
	if !ok {
		s.Value = def
	}
	return words(s.Value)
}

// words divides at commas and white space, as most lists of Postfix.
func words(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t\r\n", r) })
}

// template returns a template.
func (p *params) template(name, text string) *directory.Template {
	t, err := directory.ParseTemplate(text)
	if err != nil {
		p.problem(p.settings[name].Line, name, err.Error())
		t = &directory.Template{}
	}
	return t
}

// note warns about a parameter that is in the file.
func (p *params) note(name, what string) {
	if s, ok := p.lookup(name); ok {
		p.warn(s.Line, name, what)
	}
}

// refuse is for a parameter that is in the file and cannot be honoured.
func (p *params) refuse(name, what string) {
	if s, ok := p.lookup(name); ok && s.Value != "" {
		p.problem(s.Line, name, what)
	}
}

// table reads everything but the servers.
func (p *params) table(c *TableConfig) {
	c.scope = p.scope()
	c.timeout = time.Duration(p.number("timeout", 10, 0)) * time.Second
	c.terminal = p.list("terminal_result_attribute", "")
	c.leaf = p.list("leaf_result_attribute", "")
	c.regular = p.list("result_attribute", "maildrop")
	c.special = p.list("special_result_attribute", "")
	c.recursionLimit = p.number("recursion_limit", 1000, 1)
	c.expansionLimit = p.number("expansion_limit", 0, 0)
	c.sizeLimit = p.number("size_limit", c.expansionLimit, 0)
	c.deref = p.number("dereference", 0, 0)
	if c.deref < 0 || c.deref > 3 {
		p.note("dereference", fmt.Sprintf("%d is none of 0 to 3; 0 is taken, as Postfix does", c.deref))
		c.deref = 0
	}
	p.templates(c)
	switch {
	case c.timeout == 0:
		c.hopeless = "timeout is 0, in which no server can answer"
		p.note("timeout", "every look-up will be a temporary error, as with Postfix: no server answers in 0 seconds")
	case c.timeout < 0:
		c.timeout = lookupLimit
		p.note("timeout", fmt.Sprintf("it is negative, without a limit for Postfix; %s is taken", lookupLimit))
	}
	if c.sizeLimit < 0 {
		c.hopeless = "size_limit is negative, which servers refuse"
		p.note("size_limit", "every look-up will be a temporary error, as with Postfix: servers refuse a negative limit")
		p.note("expansion_limit", "a negative limit is the default of size_limit, which servers refuse")
	}
	domains, err := newDomainList(p.text("domain", ""))
	if err != nil {
		p.problem(p.settings["domain"].Line, "domain", err.Error())
	}
	for _, what := range domains.notes {
		p.note("domain", what)
	}
	c.domains = domains
}

func (p *params) templates(c *TableConfig) {
	base := p.template("search_base", p.text("search_base", ""))
	filter := "(mailacceptinggeneralid=%s)"
	if s, ok := p.lookup("query_filter"); ok {
		filter = s.Value
	}
	query := p.template("query_filter", filter)
	if !query.Dynamic() {
		p.note("query_filter", "it is the same for every key, which is probably not meant")
	}
	name := "result_format"
	format := p.text(name, "")
	legacy := p.text("result_filter", "%s")
	if format == "" {
		name, format = "result_filter", legacy
	}
	c.templates = directory.NewTemplates(base, query, p.template(name, format))
	if len(p.problems) == 0 {
		if err := c.templates.Check(); err != nil {
			p.note("query_filter", fmt.Sprintf("every look-up will be a temporary error, as with Postfix: %v", err))
		}
	}
}

func (p *params) scope() directory.Scope {
	switch text := p.text("scope", "sub"); strings.ToLower(text) {
	case "one":
		return directory.ScopeOne
	case "base":
		return directory.ScopeBase
	case "sub":
	default:
		p.note("scope", fmt.Sprintf("%q is none of sub, one, base; sub is taken, as Postfix does", text))
	}
	return directory.ScopeSub
}

// rest judges what has no other place: parameters without effect, and names
// that ldap_table(5) does not have.
func (p *params) rest() {
	if p.yes("chase_referrals") {
		p.refuse("chase_referrals", "referrals are not followed; name all servers in server_host, or leave the line out")
	}
	if v := p.number("version", 3, 2); v == 2 {
		p.note("version", "version 3 of LDAP is spoken, with every server")
	} else if v != 3 {
		p.note("version", fmt.Sprintf("there is no version %d; 3 is taken, as Debian's Postfix does", v))
	}
	p.number("debuglevel", 0, 0)
	p.note("debuglevel", "it is for libldap, which is not used here; see the log level of the daemon")
	if p.yes("cache") {
		p.note("cache", "Postfix ignores it, and so do we")
	}
	for _, name := range []string{"cache_expiry", "cache_size"} {
		p.number(name, -1, 0)
		p.note(name, "Postfix ignores it, and so do we")
	}
	p.note("lookup_wildcards", "Postfix has given it up; it has no effect")
	var unknown []string
	for name := range p.settings {
		if !p.known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	for _, name := range unknown {
		p.note(name, "ldap_table(5) has no such parameter; Postfix ignores it, and so do we")
	}
}
