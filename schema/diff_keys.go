package schema

import (
	"slices"
	"strings"
)

// describe writes the index much as SQL does.
func (i index) describe() string {
	kind := "INDEX"
	if i.name == primary {
		kind = "PRIMARY KEY"
	} else if i.unique {
		kind = "UNIQUE"
	}
	return kind + " (" + strings.Join(i.columns, ", ") + ")"
}

// leads tells whether i begins with the columns of other.
func (i index) leads(other index) bool {
	return len(i.columns) >= len(other.columns) &&
		slices.EqualFunc(i.columns[:len(other.columns)], other.columns, strings.EqualFold)
}

// keepsUnique tells whether i refuses all that a unique other would.
func (i index) keepsUnique(other index) bool {
	return !other.unique || i.unique && containsAll(other.columns, i.columns)
}

// indexes compares by columns; names differ from store to store.
func (c *comparison) indexes(want, have *table) {
	for _, w := range want.indexes {
		c.index(want, w, have)
	}
	for _, h := range have.indexes {
		if h.unique && !slices.ContainsFunc(want.indexes, func(w index) bool {
			return w.unique && containsAll(h.columns, w.columns)
		}) {
			c.add(Difference{
				Object: "index " + want.name + "." + h.name, Want: "none that is unique", Have: h.describe(), Severity: Degrades,
				Why: "rows that DBMail's programs write more than once are refused; make the index one that is not unique",
			})
		}
	}
}

func (c *comparison) index(t *table, want index, have *table) {
	same := func(h index) bool {
		return len(h.columns) == len(want.columns) && h.leads(want) && h.keepsUnique(want) &&
			(want.name != primary || h.name == primary)
	}
	if slices.ContainsFunc(have.indexes, same) {
		return
	}
	d := Difference{Object: "index " + t.name + "." + want.name, Want: want.describe(), Have: missing}
	named := func(h index) bool { return strings.EqualFold(h.name, want.name) }
	if i := slices.IndexFunc(have.indexes, named); i >= 0 {
		d.Have = have.indexes[i].describe()
	}
	serves := func(h index) bool { return h.leads(want) && h.keepsUnique(want) }
	kept := func(h index) bool { return h.keepsUnique(want) }
	const mend = "; mend with the key that `schema print` shows for it"
	switch {
	case want.name == primary:
		d.Severity, d.Why = Breaks, "ids can be given twice, and DBMail's programs then read the wrong rows"+mend
	case slices.ContainsFunc(have.indexes, serves):
		i := slices.IndexFunc(have.indexes, serves)
		d.Severity, d.Why = Advice, "index "+have.indexes[i].name+" serves the same look-ups; nothing needs mending"
	case want.unique && !slices.ContainsFunc(have.indexes, kept):
		d.Severity, d.Why = Degrades, "two deliveries at once can write a row twice that must be there once"+mend
	default:
		d.Severity, d.Why = Degrades, "look-ups read the whole table and grow slower with the store"+mend
	}
	c.add(d)
}

// describe writes the foreign key much as SQL does.
func (k foreignKey) describe() string {
	return "REFERENCES " + k.parent + " (" + k.parentCol + ") ON DELETE " + k.onDelete + " ON UPDATE " + k.onUpdate
}

// foreignKeys compares by column; names differ from store to store.
func (c *comparison) foreignKeys(want, have *table) {
	for _, w := range want.keys {
		if c.have.table(w.parent) == nil {
			continue // reported as a missing table
		}
		d := Difference{Object: "foreign key " + want.name + "." + w.column, Want: w.describe(), Severity: Degrades}
		i := slices.IndexFunc(have.keys, func(h foreignKey) bool {
			return strings.EqualFold(h.column, w.column) && c.have.sameName(h.parent, w.parent) &&
				strings.EqualFold(h.parentCol, w.parentCol)
		})
		if i < 0 {
			d.Have = missing
			d.Why = "rows of deleted mail and users stay behind, so deleted mail is not gone and fills the disk; " +
				"remove them with dbmail-util, then mend with the CONSTRAINT that `schema print` shows"
			c.add(d)
			continue
		}
		h := have.keys[i]
		if h.onDelete == w.onDelete && h.onUpdate == w.onUpdate {
			continue
		}
		d.Have = h.describe()
		d.Why = "what refers to a changed id is not changed with it; mend with the CONSTRAINT that `schema print` shows"
		if h.onDelete != w.onDelete {
			d.Severity = Breaks
			d.Why = "DBMail's programs count on the rule when they delete mail and users, and fail or leave rows behind; " +
				"mend with the CONSTRAINT that `schema print` shows"
		}
		c.add(d)
	}
}
