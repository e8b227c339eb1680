package main

import (
	"slices"
	"strings"

	"gatepost/cmd/gatepost/postconf"
)

// origin is a parameter that others take a table from.
type origin struct{ service, parameter string }

// change finds the lines to change: where a table is written, or, if others
// take it from there for something else, where it is used.
func (p *importPlan) change() {
	inline := map[string]bool{}
	for i := range p.places {
		a := &p.places[i]
		for j := range p.places {
			b := &p.places[j]
			if a.Origin != "" && a.Origin == b.Origin && a.Table == b.Table && a.Follows == "" && b.Follows == "" &&
				((a.Left == "") != (b.Left == "") || placeClass(a) != placeClass(b) || a.List != b.List) {
				inline[a.Origin] = true
			}
		}
	}
	for i := range p.places {
		one := &p.places[i]
		if one.Left != "" {
			continue
		}
		at := origin{one.Service, one.Parameter}
		if one.Origin != "" && !inline[one.Origin] {
			at = origin{one.OriginService, one.Origin}
		}
		if slices.ContainsFunc(p.Changes, func(c importedChange) bool { return c.Service == at.service && c.Parameter == at.parameter }) {
			continue
		}
		with := func(union bool) string {
			return p.config.Replace(at.service, at.parameter, inline, func(before, word string) string {
				return p.replacement(at, before, word, union)
			})
		}
		p.Changes = append(p.Changes, importedChange{Service: at.service, Parameter: at.parameter,
			Old: p.config.Replace(at.service, at.parameter, nil, func(string, string) string { return "" }), Class: with(false), Union: with(true)})
	}
}

// replacement is what stands for a table in a parameter; empty for what stays.
func (p *importPlan) replacement(at origin, before, word string, union bool) string {
	i := slices.IndexFunc(p.places, func(one postconf.Place) bool {
		here := one.Service == at.service && one.Parameter == at.parameter || one.OriginService == at.service && one.Origin == at.parameter
		return here && one.Table == word && one.Left == "" && (one.Check == "" || one.Check == before)
	})
	if i < 0 {
		return ""
	}
	one := &p.places[i]
	socketmap := "socketmap:" + p.socket + ":" + p.table(one).Name
	if union || one.Class == "" {
		// The first member makes Postfix try all keys, as for ldap:.
		return "unionmap:{inline:{no@such.invalid=x}," + socketmap + "}"
	}
	return socketmap
}

// line is a change as it stands in main.cf, or as postconf(1) makes it in
// master.cf.
func (c *importedChange) line(value string) string {
	if c.Service != "" {
		return "postconf -P '" + strings.ReplaceAll(c.Service+"/"+c.Parameter+"="+value, "'", `'\''`) + "'"
	}
	return c.Parameter + " = " + value
}
