package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"gatepost/cmd/gatepost/postconf"
	"gatepost/internal/daemon"
	"gatepost/ldapmap"
)

// importPlan is what ldapmap import finds, as JSON.
type importPlan struct {
	Postfix importedPostfix  `json:"postfix"`
	Tables  []importedTable  `json:"tables"`
	Changes []importedChange `json:"changes"`
	Left    []importedLeft   `json:"left"`
	Notes   []string         `json:"notes,omitempty"`

	config *postconf.Config
	places []postconf.Place
	socket string
	main   map[string]string // values of main.cf with every $name expanded
}

// importedTable is a table of ldapmap.toml.
type importedTable struct {
	Name  string        `json:"name"`
	File  string        `json:"file"`
	Class ldapmap.Class `json:"class"`
	List  string        `json:"list,omitempty"`
	For   []string      `json:"for"` // places
	// Content of a file that is to be written: the table is in main.cf now.
	Content string `json:"content,omitempty"`
	// Refused is why ldapmap would not start with it, Warnings what it takes
	// otherwise than it is written.
	Refused  []string `json:"refused,omitempty"`
	Warnings []string `json:"warnings,omitempty"`

	source string // as Postfix names it
}

// importedChange is a parameter to change.
type importedChange struct {
	Service   string `json:"service,omitempty"` // of master.cf
	Parameter string `json:"parameter"`
	Old       string `json:"old"`
	Class     string `json:"class_form"`
	Union     string `json:"union_form"` // with class exact for its tables
}

// importedLeft is a place that stays as it is.
type importedLeft struct {
	Place string `json:"place"`
	Table string `json:"table"`
	Why   string `json:"why"`
}

func newImportPlan(ctx context.Context, program, dir, socket string) (*importPlan, error) {
	config, err := postconf.Read(ctx, program, dir)
	if err != nil {
		return nil, err
	}
	p := &importPlan{config: config, socket: socket, Tables: []importedTable{}, Changes: []importedChange{}, Left: []importedLeft{}}
	if p.places, err = config.Places(ctx); err != nil {
		return nil, err
	}
	if err := p.readPostfix(ctx); err != nil {
		return nil, err
	}
	if p.main, err = config.Values(ctx, config.Order...); err != nil {
		return nil, err
	}
	for i := range p.places {
		if one := &p.places[i]; one.Left != "" {
			p.Left = append(p.Left, importedLeft{placeName(one), one.Table, one.Left})
		} else {
			p.addTable(one)
		}
	}
	p.nameTables()
	for i := range p.Tables {
		p.examine(&p.Tables[i])
	}
	p.change()
	return p, nil
}

// refused says whether ldapmap refuses one of the tables.
func (p *importPlan) refused() bool {
	return slices.ContainsFunc(p.Tables, func(t importedTable) bool { return len(t.Refused) > 0 })
}

// class of the table for a place.
func placeClass(one *postconf.Place) ldapmap.Class {
	if one.Class == "" {
		return ldapmap.Exact
	}
	return ldapmap.Class(one.Class)
}

// table finds the table for a place.
func (p *importPlan) table(one *postconf.Place) *importedTable {
	for i := range p.Tables {
		if t := &p.Tables[i]; t.source == one.Name && t.Class == placeClass(one) && t.List == one.List {
			return t
		}
	}
	return nil
}

func (p *importPlan) addTable(one *postconf.Place) {
	t := p.table(one)
	if t == nil {
		p.Tables = append(p.Tables, importedTable{source: one.Name, Class: placeClass(one), List: one.List})
		t = &p.Tables[len(p.Tables)-1]
	}
	t.For = append(t.For, placeName(one))
}

// nameTables names each table like its file, with the class where one file is
// used in several.
func (p *importPlan) nameTables() {
	taken := map[string]bool{}
	for i := range p.Tables {
		t := &p.Tables[i]
		base := strings.TrimSuffix(filepath.Base(t.source), ".cf")
		base = strings.Map(func(r rune) rune {
			if r <= ' ' || r == ':' {
				return '_'
			}
			return r
		}, base)
		name := base
		if slices.ContainsFunc(p.Tables, func(o importedTable) bool { return o.source == t.source && (o.Class != t.Class || o.List != t.List) }) {
			name = base + "_" + string(t.Class)
			if t.List != "" {
				name = base + "_" + t.List
			}
		}
		for n, first := 2, name; taken[name]; n++ {
			name = fmt.Sprintf("%s_%d", first, n)
		}
		taken[name] = true
		t.Name = name
	}
}

// importedDir is where tables go that stand in main.cf now.
const importedDir = "/etc/gatepost/tables"

// examine reads a table as ldapmap would.
func (p *importPlan) examine(t *importedTable) {
	t.File = t.source
	var warnings, problems daemon.Problems
	if strings.HasPrefix(t.source, "/") || strings.HasPrefix(t.source, ".") {
		_, warnings, problems = ldapmap.ReadTable(t.File)
	} else {
		t.File = filepath.Join(importedDir, t.source+".cf")
		t.Content = p.content(t.source)
		_, warnings, problems = ldapmap.ParseTable(t.File, strings.NewReader(t.Content))
	}
	for _, w := range warnings {
		t.Warnings = append(t.Warnings, w.String())
	}
	for _, w := range problems {
		t.Refused = append(t.Refused, w.String())
	}
}

// content makes a table's file of the parameters of main.cf that begin with
// its name.
func (p *importPlan) content(name string) string {
	var b strings.Builder
	for _, parameter := range p.config.Order {
		if own, ok := strings.CutPrefix(parameter, name+"_"); ok {
			fmt.Fprintf(&b, "%s = %s\n", own, p.main[parameter])
		}
	}
	return b.String()
}
