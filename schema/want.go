package schema

import (
	"fmt"
	"regexp"
	"strings"
)

// The forms of line that the embedded files use, one column or key to a
// line. wanted refuses anything else, so that a file cannot say what Diff
// does not see.
var (
	lineTable   = regexp.MustCompile("^CREATE TABLE [`\"](\\w+)[`\"] \\($")
	lineOptions = regexp.MustCompile(`^\)(?: ENGINE=(\w+) ROW_FORMAT=(\w+) DEFAULT CHARSET=(\w+) COLLATE=(\w+))?$`)
	lineColumn  = regexp.MustCompile("^[`\"](\\w+)[`\"] (\\w+(?:\\(\\d+\\))?(?: unsigned| BINARY)?)" +
		`(?: CHARACTER SET (\w+) COLLATE (\w+))?( NOT NULL)?(?: DEFAULT ('[^']*'|\w+))?( AUTO_INCREMENT)?( PRIMARY KEY)?$`)
	lineKey     = regexp.MustCompile("^(PRIMARY KEY|UNIQUE KEY|KEY)(?: `(\\w+)`)? \\((.+)\\)$")
	lineForeign = regexp.MustCompile("^CONSTRAINT `(\\w+)` FOREIGN KEY \\(`(\\w+)`\\)" +
		" REFERENCES `(\\w+)` \\(`(\\w+)`\\) ON DELETE (\\w+) ON UPDATE (\\w+)$")
	lineIndex   = regexp.MustCompile(`^CREATE (UNIQUE )?INDEX "(\w+)" ON "(\w+)" \((.+)\)$`)
	lineView    = regexp.MustCompile("^CREATE VIEW [`\"](\\w+)[`\"] \\((.+)\\) AS$")
	lineTrigger = regexp.MustCompile(`^CREATE TRIGGER "(\w+)" (?:BEFORE|AFTER) (?:INSERT|DELETE|UPDATE OF "\w+") ON "(\w+)"$`)
	columnList  = regexp.MustCompile("[`\"](\\w+)[`\"]")
)

// wanted reads the embedded files into the catalog of a store made by Apply.
func wanted(d Dialect, o Options) (*catalog, error) {
	s := sections(d)
	if o.Own {
		s = append(s, ownSection)
	}
	all, err := statements(d, o, s...)
	if err != nil {
		return nil, err
	}
	c := &catalog{fold: d == SQLite}
	for _, st := range all {
		if err := c.add(st.sql); err != nil {
			return nil, fmt.Errorf("read embedded SQL: %w", err)
		}
	}
	return c, nil
}

// add reads one statement.
func (c *catalog) add(stmt string) error {
	first, rest, _ := strings.Cut(stmt, "\n")
	switch {
	case stmt == "" || strings.HasPrefix(stmt, "INSERT INTO "):
		return nil
	case lineTable.MatchString(first):
		t := &table{name: lineTable.FindStringSubmatch(first)[1]}
		c.tables = append(c.tables, t)
		for line := range strings.Lines(rest) {
			if err := t.add(strings.TrimSuffix(strings.TrimSpace(line), ",")); err != nil {
				return fmt.Errorf("table %s: %w", t.name, err)
			}
		}
		return nil
	case lineIndex.MatchString(first):
		m := lineIndex.FindStringSubmatch(first)
		t := c.table(m[3])
		if t == nil {
			return fmt.Errorf("index %s is on a table that is made later", m[2])
		}
		t.indexes = append(t.indexes, index{name: m[2], unique: m[1] != "", columns: names(m[4])})
		return nil
	case lineView.MatchString(first):
		m := lineView.FindStringSubmatch(first)
		c.views = append(c.views, view{name: m[1], columns: names(m[2])})
		return nil
	case lineTrigger.MatchString(first):
		m := lineTrigger.FindStringSubmatch(first)
		c.triggers = append(c.triggers, trigger{name: m[1], table: m[2]})
		return nil
	}
	return fmt.Errorf("unknown statement %q", first)
}

// add reads one line of a CREATE TABLE.
func (t *table) add(line string) error {
	if m := lineColumn.FindStringSubmatch(line); m != nil {
		c := column{name: m[1], typ: m[2], charset: m[3], collation: m[4], nullable: m[5] == "", auto: m[7] != ""}
		if v := m[6]; v != "" && v != "NULL" {
			v = strings.Trim(v, "'")
			c.fallback = &v
		}
		t.columns = append(t.columns, c)
		if m[8] != "" {
			t.indexes = append(t.indexes, index{name: primary, unique: true, columns: []string{c.name}})
		}
		return nil
	}
	if m := lineKey.FindStringSubmatch(line); m != nil {
		i := index{name: m[2], unique: m[1] != "KEY", columns: names(m[3])}
		if i.name == "" {
			i.name = primary
		}
		t.indexes = append(t.indexes, i)
		return nil
	}
	if m := lineForeign.FindStringSubmatch(line); m != nil {
		t.keys = append(t.keys, foreignKey{
			name: m[1], column: m[2], parent: m[3], parentCol: m[4], onDelete: m[5], onUpdate: m[6],
		})
		return nil
	}
	if m := lineOptions.FindStringSubmatch(line); m != nil {
		t.engine, t.rowFormat = m[1], m[2]
		for i := range t.columns {
			if c := &t.columns[i]; c.charset == "" && m[3] != "" && isText(c.typ) {
				c.charset, c.collation = m[3], m[4]
			}
		}
		return nil
	}
	return fmt.Errorf("unknown line %q", line)
}

// isText tells whether a MySQL type has a character set.
func isText(typ string) bool {
	return strings.Contains(typ, "char") || strings.HasSuffix(typ, "text")
}

// names returns the quoted names of a list of columns.
func names(list string) []string {
	var n []string
	for _, m := range columnList.FindAllStringSubmatch(list, -1) {
		n = append(n, m[1])
	}
	return n
}
