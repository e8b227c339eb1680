package ldapmap

import (
	"path/filepath"
	"slices"
	"strings"

	"gatepost/internal/daemon"
)

// LoadTable reads one table's file, with the general settings of an
// ldapmap.toml if config is not empty. The table's name is the file's, without
// ".cf"; what ldapmap.toml says of a table of that name and file holds.
func LoadTable(config, path string) (plan *Plan, name string, warnings, problems daemon.Problems) {
	c := DefaultConfig()
	file := &daemon.Config{}
	if config != "" {
		file, _ = daemon.LoadConfig(config, &c)
		c.validate(file)
	}
	c.Postfix.known = file.IsSet("postfix.mydestination")
	c.path = config
	name = strings.TrimSuffix(filepath.Base(path), ".cf")
	one := c.Table[name]
	if one.Preset != "" || one.File == "" && c.Tables != filepath.Dir(path) || one.File != "" && one.File != path {
		one = MapConfig{} // that of another file
	}
	one.File = path
	c.Tables, c.Table = "", map[string]MapConfig{name: one}
	plan, warnings, problems = c.plan(file)
	return plan, name, warnings, append(file.Problems(), problems...)
}

// Names lists the tables.
func (p *Plan) Names() (names []string) {
	for _, t := range p.tables {
		names = append(names, t.Name)
	}
	slices.Sort(names)
	return names
}

// Only gives the plan with one table of its tables.
func (p *Plan) Only(name string) (one *Plan, ok bool) {
	for _, t := range p.tables {
		if t.Name == name {
			return &Plan{tables: []plannedTable{t}, cache: p.cache, shared: p.shared}, true
		}
	}
	return nil, false
}

// Uses says whether a file describes one of the tables.
func (p *Plan) Uses(file string) bool {
	return slices.ContainsFunc(p.tables, func(t plannedTable) bool { return t.File == file })
}
