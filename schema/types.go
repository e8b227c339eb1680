package schema

import (
	"regexp"
	"strconv"
	"strings"
)

// class is what matters of a MySQL type.
type class struct {
	family   string
	capacity int // bytes of a number, characters of a text, bytes of a blob
	unsigned bool
}

var mysqlType = regexp.MustCompile(`^(\w+)(?:\((\d+)\))?(?: (unsigned))?`)

// sizes are the types whose capacity is in the name. A text's is counted in
// characters of four bytes.
var sizes = map[string]class{
	"tinyint": {family: "integer", capacity: 1}, "smallint": {family: "integer", capacity: 2},
	"mediumint": {family: "integer", capacity: 3}, "int": {family: "integer", capacity: 4},
	"bigint":   {family: "integer", capacity: 8},
	"tinytext": {family: "characters", capacity: 1<<8/4 - 1}, "text": {family: "characters", capacity: 1<<16/4 - 1},
	"mediumtext": {family: "characters", capacity: 1<<24/4 - 1}, "longtext": {family: "characters", capacity: 1<<32/4 - 1},
	"tinyblob": {family: "bytes", capacity: 1<<8 - 1}, "blob": {family: "bytes", capacity: 1<<16 - 1},
	"mediumblob": {family: "bytes", capacity: 1<<24 - 1}, "longblob": {family: "bytes", capacity: 1<<32 - 1},
}

// classOf reads a MySQL type. The number in parentheses is a capacity for
// strings and a display width, which MySQL 8 no longer reports, for numbers.
func classOf(typ string) class {
	m := mysqlType.FindStringSubmatch(strings.ToLower(typ))
	if m == nil {
		return class{family: typ}
	}
	c, ok := sizes[m[1]]
	if !ok {
		c.family = m[1]
		c.capacity, _ = strconv.Atoi(m[2]) // without a number: 0
	}
	switch m[1] {
	case "char", "varchar":
		c.family = "characters"
	case "binary", "varbinary":
		c.family = "bytes"
	case "datetime", "timestamp":
		c.capacity = 0 // digits of a second
	}
	c.unsigned = m[3] != ""
	return c
}

// affinity is what SQLite makes of a declared type
// (https://www.sqlite.org/datatype3.html, 3.1).
func affinity(typ string) string {
	t := strings.ToUpper(typ)
	switch {
	case strings.Contains(t, "INT"):
		return "INTEGER"
	case strings.Contains(t, "CHAR"), strings.Contains(t, "CLOB"), strings.Contains(t, "TEXT"):
		return "TEXT"
	case strings.Contains(t, "BLOB"), t == "":
		return "BLOB"
	case strings.Contains(t, "REAL"), strings.Contains(t, "FLOA"), strings.Contains(t, "DOUB"):
		return "REAL"
	default:
		return "NUMERIC"
	}
}

// affinityVerdict compares types of SQLite. Only a primary key must be
// declared exactly, since nothing but INTEGER makes it the row's id.
func affinityVerdict(t *table, want, have column) verdict {
	w, h := affinity(want.typ), affinity(have.typ)
	number := map[string]bool{"INTEGER": true, "NUMERIC": true}
	switch {
	case t.isID(want) && !strings.EqualFold(want.typ, have.typ):
		return verdict{Breaks, "rows are inserted without an id and get none, since only INTEGER PRIMARY KEY gives one; " +
			"mend by making the table anew as `schema print` shows it"}
	case w == h || number[w] && number[h]:
		return verdict{}
	case w != "INTEGER" && w != "NUMERIC" && !number[h] && h != "REAL":
		return verdict{Advice, "texts and blobs are kept as they are written, but compare as unequal; " +
			"mend by making the table anew as `schema print` shows it"}
	default:
		return verdict{Degrades, "values are converted when they are stored; " +
			"mend by making the table anew as `schema print` shows it"}
	}
}

// isID tells whether the column alone is the table's primary key and a
// number.
func (t *table) isID(c column) bool {
	for _, i := range t.indexes {
		if i.name == primary {
			return len(i.columns) == 1 && i.columns[0] == c.name && c.typ == "INTEGER"
		}
	}
	return false
}
