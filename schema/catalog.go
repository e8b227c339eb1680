package schema

import (
	"slices"
	"strings"
)

// catalog describes the objects of a database, as our files make them or as
// a database reports them. Names are folded to lower case where the database
// does not tell the cases apart.
type catalog struct {
	tables   []*table
	views    []view
	triggers []trigger // SQLite only
	fold     bool      // table names are compared without case
}

type table struct {
	name    string
	columns []column
	indexes []index
	keys    []foreignKey // MySQL only

	engine    string // MySQL only
	rowFormat string // MySQL only, upper case
}

type column struct {
	name     string
	typ      string // as declared; without display width on MySQL
	nullable bool
	fallback *string // the value of DEFAULT, unquoted; nil for none or NULL
	auto     bool    // AUTO_INCREMENT; MySQL only

	charset, collation string // MySQL only, of columns that hold text
}

// primary is the name of the primary key among a table's indexes.
const primary = "PRIMARY"

type index struct {
	name    string
	unique  bool
	columns []string
}

type foreignKey struct {
	name, column      string
	parent, parentCol string
	onDelete          string
	onUpdate          string
}

type view struct {
	name    string
	columns []string // empty when the database does not tell
}

type trigger struct {
	name, table string
}

// sameName compares names of tables and views.
func (c *catalog) sameName(a, b string) bool {
	return a == b || c.fold && strings.EqualFold(a, b)
}

func (c *catalog) table(name string) *table {
	i := slices.IndexFunc(c.tables, func(t *table) bool { return c.sameName(t.name, name) })
	if i < 0 {
		return nil
	}
	return c.tables[i]
}

func (c *catalog) view(name string) *view {
	i := slices.IndexFunc(c.views, func(v view) bool { return c.sameName(v.name, name) })
	if i < 0 {
		return nil
	}
	return &c.views[i]
}

// ownPrefix begins the names of Gatepost's own tables.
const ownPrefix = "gatepost_"

// own tells whether the table is Gatepost's, not DBMail's.
func (t *table) own() bool { return strings.HasPrefix(t.name, ownPrefix) }

// anyOf tells whether other has a table or view with the name of one of
// DBMail's in c, be it the same kind of object or not.
func (c *catalog) anyOf(other *catalog) bool {
	var names []string
	for _, t := range c.tables {
		if !t.own() {
			names = append(names, t.name)
		}
	}
	for _, v := range c.views {
		names = append(names, v.name)
	}
	return slices.ContainsFunc(names, func(n string) bool {
		return other.table(n) != nil || other.view(n) != nil
	})
}

// column finds a column; neither database tells cases apart there.
func (t *table) column(name string) *column {
	i := slices.IndexFunc(t.columns, func(c column) bool { return strings.EqualFold(c.name, name) })
	if i < 0 {
		return nil
	}
	return &t.columns[i]
}
