package ldapmap

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/directory"
)

// Plan is a set of tables that have been read and found good, and are not open
// yet.
type Plan struct {
	tables []plannedTable
	cache  cachePlan
	shared *directory.Config // directory.toml, where a table has a preset
}

// plannedTable is one table with all that is decided about it.
type plannedTable struct {
	*TableConfig
	keys       *Keys
	deadline   time.Duration
	authorises bool
	sentinel   string
	preset     Class // in place of a file
}

// source is where a table is described.
type source struct {
	name, file string
	config     MapConfig
	key        string // of ldapmap.toml; empty where the file is only in the directory
}

// plan reads all tables and reports all that is wrong with them.
func (c *Config) plan(file *daemon.Config) (plan *Plan, warnings, problems daemon.Problems) {
	plan = &Plan{cache: cachePlan{c.CacheOptions(), c.Cache.Coherence}}
	sources, problems := c.sources(file)
	for _, s := range sources {
		if what := wrongName(s.name); what != "" {
			problems = append(problems, daemon.Problem{File: s.file, What: what})
			continue
		}
		table, more, wrong := c.read(plan, s)
		warnings, problems = append(warnings, more...), append(problems, wrong...)
		if table == nil {
			continue
		}
		table.Name = s.name
		l := &loader{config: c, file: file, source: s, table: table, postfix: c.Postfix}
		planned := l.load()
		warnings, problems = append(warnings, l.warnings...), append(problems, l.problems...)
		plan.tables = append(plan.tables, planned)
	}
	return plan, warnings, problems
}

// read reads the file of a table or, for a preset, directory.toml once.
func (c *Config) read(plan *Plan, s source) (*TableConfig, daemon.Problems, daemon.Problems) {
	if s.config.Preset == "" {
		return ReadTable(s.file)
	}
	var problems daemon.Problems
	if plan.shared == nil {
		shared, wrong := directory.LoadConfig(s.file)
		plan.shared, problems = &shared, wrong
	}
	return &TableConfig{File: s.file, timeout: time.Duration(plan.shared.Timeout)}, nil, problems
}

// directoryFile is where presets find the directory.
func (c *Config) directoryFile() string {
	if c.Directory != "" {
		return c.Directory
	}
	return filepath.Join(filepath.Dir(c.path), "directory.toml")
}

// sources finds the tables: those of the directory, and those of ldapmap.toml,
// which may be the same.
func (c *Config) sources(file *daemon.Config) (list []source, problems daemon.Problems) {
	all := map[string]source{}
	if c.Tables != "" {
		entries, err := os.ReadDir(c.Tables)
		if err != nil {
			problems = append(problems, daemon.Problem{File: c.Tables, What: fmt.Sprintf("the tables cannot be read: %v", err)})
		}
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".cf"); ok && name != "" && name[0] != '.' {
				all[name] = source{name: name, file: filepath.Join(c.Tables, e.Name())}
			}
		}
	}
	for name, m := range c.Table {
		s := source{name: name, file: m.File, config: m, key: "table." + name}
		if m.Preset != "" {
			switch {
			case !slices.Contains(presets(), m.Preset):
				file.Problem(s.key+".preset", "%q is not known; want one of: %s", m.Preset, strings.Join(presets(), ", "))
				continue
			case m.File != "":
				file.Problem(s.key+".preset", "a table has a file or a preset; choose one")
				continue
			}
			s.file = c.directoryFile()
		} else if s.file == "" {
			if s.file = all[name].file; s.file == "" {
				file.Problem(s.key, "it has no file, and there is no %s.cf in the directory of tables; want for example file = \"/etc/postfix/%s.cf\"", name, name)
				continue
			}
		}
		all[name] = s
	}
	const none = "there are no tables; name a directory of *.cf files with --tables or tables = \"…\", or add sections [table.NAME] with file = \"…\""
	switch {
	case len(all) > 0 || len(c.Table) > 0 || len(problems) > 0:
	case c.Tables == "":
		file.Problem("", none)
	default:
		problems = append(problems, daemon.Problem{File: c.Tables, What: none})
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[name])
	}
	return list, problems
}

// wrongName says what keeps a name from being one of a socketmap.
func wrongName(name string) string {
	if len(name) > maxName || strings.ContainsFunc(name, func(r rune) bool { return r <= ' ' || r == ':' || r == 0x7f }) {
		return fmt.Sprintf("%.60q cannot be the name of a table: blanks and colons are Postfix's own, and %d bytes are the most", name, maxName)
	}
	return ""
}

// loader decides about one table: its class, and what that has to know.
type loader struct {
	config             *Config
	file               *daemon.Config
	source             source
	table              *TableConfig
	postfix            Postfix
	warnings, problems daemon.Problems
}

func (l *loader) load() plannedTable {
	t := plannedTable{TableConfig: l.table, preset: Class(l.source.config.Preset)}
	values := map[string]Setting{}
	for key, s := range l.table.Comments {
		switch {
		case slices.Contains([]string{"class", "list", "authorises", "deadline", "sentinel"}, key):
			values[key] = s
		case !l.postfix.set(key, s.Value):
			l.problem(s, key, "there is no such key; known are class, list, authorises, deadline, sentinel, recipient_delimiter, mydestination, myorigin, inet_interfaces, parent_domain_matches_subdomains, propagate_unmatched_extensions, owner_request_special, double_bounce_sender")
		}
	}
	for key, what := range l.postfix.problems() {
		if s, ok := l.table.Comments[key]; ok {
			l.problem(s, key, what)
		}
	}
	l.over(values)
	class := l.class(values["class"])
	l.postfix.List = l.list(values["list"], class)
	t.keys = NewKeys(class, l.postfix)
	t.authorises = l.authorises(values["authorises"], class)
	t.deadline = l.deadline(values["deadline"])
	t.sentinel = values["sentinel"].Value
	return t
}

// over puts what ldapmap.toml says over the file's comments.
func (l *loader) over(values map[string]Setting) {
	m := l.source.config
	set := func(key, value string) {
		if value == "" {
			return
		}
		if old, ok := values[key]; ok && old.Value != value {
			l.warnings = append(l.warnings, daemon.Problem{File: l.source.file, Line: old.Line, Key: key,
				What: fmt.Sprintf("%s says %q, which counts", l.config.path, value)})
		}
		values[key] = Setting{Value: value} // line 0: of ldapmap.toml
	}
	set("class", cmp.Or(m.Class, m.Preset))
	set("list", m.List)
	set("sentinel", m.Sentinel)
	if m.Authorises != nil {
		set("authorises", map[bool]string{true: "yes", false: "no"}[*m.Authorises])
	}
	if m.Deadline != 0 {
		set("deadline", m.Deadline.String())
	}
}

func (l *loader) problem(at Setting, key, what string) {
	if at.Line == 0 && l.file.IsSet(l.source.key+"."+key) {
		l.file.Problem(l.source.key+"."+key, "%s", what)
		return
	}
	l.problems = append(l.problems, daemon.Problem{File: l.source.file, Line: at.Line, Key: key, What: what})
}

func (l *loader) class(s Setting) Class {
	class := Class(s.Value)
	if class == "" {
		class = Exact
	}
	if !slices.Contains(Classes(), class) {
		var names []string
		for _, c := range Classes() {
			names = append(names, string(c))
		}
		l.problem(s, "class", fmt.Sprintf("%q is not known; want one of: %s", class, strings.Join(names, ", ")))
		return Exact
	}
	if class.needsLocal() && !l.postfix.known {
		l.problem(s, "class", fmt.Sprintf("%s looks up bare users of this machine's domains, and does not know these; add to the table's file the line \"# gatepost: mydestination = NAMES\", or to ldapmap.toml [postfix] mydestination = [\"NAME\", …], with the names that `postconf -x mydestination` shows (none: leave the value empty)", class))
	}
	return class
}

var domainLists = []string{"relay_domains", "mydestination", "virtual_alias_domains", "virtual_mailbox_domains"}

func (l *loader) list(s Setting, class Class) string {
	switch {
	case s.Value != "" && class != Domain:
		l.problem(s, "list", fmt.Sprintf("it is for class %s, and this is %s", Domain, class))
	case s.Value != "" && !slices.Contains(domainLists, s.Value):
		l.problem(s, "list", fmt.Sprintf("%q is not known; want one of: %s", s.Value, strings.Join(domainLists, ", ")))
	case s.Value != "":
		return s.Value
	case slices.Contains(domainLists, l.source.name):
		return l.source.name
	case class == Domain:
		l.warnings = append(l.warnings, daemon.Problem{File: l.source.file, Key: "list",
			What: "relay_domains is taken for it, of which Postfix asks for parent domains too; say so, or say which list it is, with \"# gatepost: list = NAME\""})
	}
	return domainLists[0]
}

func (l *loader) authorises(s Setting, class Class) bool {
	switch strings.ToLower(s.Value) {
	case "yes":
		return true
	case "no":
		return false
	case "":
		return class == Access || class == SenderLogin
	}
	l.problem(s, "authorises", fmt.Sprintf("%q is neither yes nor no", s.Value))
	return true
}

func (l *loader) deadline(s Setting) time.Duration {
	limit := time.Duration(l.config.Deadline)
	if s.Value == "" {
		if l.table.timeout > 0 {
			return min(limit, l.table.timeout)
		}
		return limit
	}
	var d daemon.Duration
	if err := d.UnmarshalText([]byte(s.Value)); err != nil {
		l.problem(s, "deadline", err.Error())
		return limit
	}
	if d <= 0 || time.Duration(d) > maxDeadline {
		l.problem(s, "deadline", fmt.Sprintf("is not between 0 and %s; Postfix gives up after 100s", maxDeadline))
		return limit
	}
	return time.Duration(d)
}
