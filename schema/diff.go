package schema

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
)

// Diff compares a database with the store that Apply would make, and returns
// the differences, the gravest first. It changes nothing.
//
// What does no harm is no difference: additional tables, columns that may be
// left out of an INSERT, indexes and foreign keys under other names, wider
// types, display widths, the order of columns, the collations of utf8mb4
// that ignore case.
//
// On MySQL the connected user must have some privilege on every table: a
// table that it may not see counts as missing.
func Diff(ctx context.Context, db *sql.DB, d Dialect, o Options) ([]Difference, error) {
	prefix, err := o.prefix()
	if err != nil {
		return nil, err
	}
	want, err := wanted(d, o)
	if err != nil {
		return nil, err
	}
	have, err := read(ctx, db, d, want)
	if err != nil {
		return nil, err
	}
	c := &comparison{dialect: d, prefix: prefix, want: want, have: have, empty: !want.anyOf(have)}
	for _, t := range want.tables {
		c.table(t)
	}
	for _, v := range want.views {
		c.view(v)
	}
	for _, t := range want.triggers {
		c.trigger(t)
	}
	if err := c.rows(ctx, db); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.found, func(a, b Difference) int { return cmp.Compare(b.Severity, a.Severity) })
	return c.found, nil
}

// comparison collects the differences between two catalogs.
type comparison struct {
	dialect    Dialect
	prefix     string
	want, have *catalog
	empty      bool // not one of DBMail's tables is there
	found      []Difference
}

func (c *comparison) add(d Difference) { c.found = append(c.found, d) }

func (c *comparison) table(want *table) {
	have := c.have.table(want.name)
	if have == nil {
		c.missingTable(want)
		return
	}
	if want.engine != "" && !strings.EqualFold(have.engine, want.engine) {
		c.add(Difference{
			Object: "table " + want.name, Want: "ENGINE=" + want.engine, Have: "ENGINE=" + have.engine, Severity: Breaks,
			Why: "without transactions a crash leaves half messages and a failed delivery cannot be taken back; " +
				"mend with ALTER TABLE … ENGINE=InnoDB",
		})
	}
	c.rowFormat(want, have)
	for _, w := range want.columns {
		c.column(want, w, have.column(w.name))
	}
	for _, h := range have.columns {
		c.extraColumn(want, h)
	}
	c.indexes(want, have)
	if strings.EqualFold(have.engine, want.engine) {
		c.foreignKeys(want, have)
	}
}

// spare are tables that neither delivery nor reading mail needs.
var spare = map[string]string{
	"authlog":            "only a DBMail that is told to keep a log of logins writes it",
	"pbsp":               "only POP before SMTP uses it",
	"auto_notifications": "only a DBMail with AUTO_NOTIFY=yes reads it",
	"auto_replies":       "only a DBMail with AUTO_REPLY=yes reads it",
	"messageblks":        "nothing has written it since DBMail 3",
}

// withoutOwn says what it is like without a table of Gatepost's own, by the
// end of its name.
var withoutOwn = map[string]string{
	"_forwards": "a delivery that is repeated after a lost reply may forward a message twice",
	"_users": "a directory user's entry cannot be told from another one that gets its number and login later, " +
		"and one that is renamed waits for the operator",
}

func (c *comparison) missingTable(want *table) {
	d := Difference{
		Object: "table " + want.name, Want: "a table", Have: missing, Severity: Breaks,
		Why: "DBMail's programs and deliveries that use it fail; " +
			"mend with the CREATE TABLE that `schema print` shows for it",
	}
	if c.have.view(want.name) != nil {
		d.Have = "a view"
	}
	if why, ok := spare[strings.TrimPrefix(want.name, c.prefix)]; ok {
		d.Severity, d.Why = Degrades, why+"; mend with the CREATE TABLE that `schema print` shows for it"
	}
	switch {
	case want.own():
		d.Severity, d.Why = Degrades, "mend with `schema apply --add-own`"
		for end, why := range withoutOwn {
			if strings.HasSuffix(want.name, end) {
				d.Why = why + "; " + d.Why
			}
		}
	case c.empty:
		d.Severity, d.Why = Breaks, noStore
	}
	c.add(d)
}

// noStore is the Why of all that an empty database lacks.
const noStore = "the database holds no DBMail store; mend with `schema apply`"

// rowFormat compares how the blobs are stored; other tables may be stored in
// any format.
func (c *comparison) rowFormat(want, have *table) {
	if want.name != c.prefix+"mimeparts" || want.rowFormat == have.rowFormat || have.rowFormat == "" {
		return
	}
	d := Difference{
		Object: "table " + want.name, Want: "ROW_FORMAT=" + want.rowFormat, Have: "ROW_FORMAT=" + have.rowFormat,
		Severity: Advice,
	}
	switch "COMPRESSED" {
	case have.rowFormat:
		d.Why = compressedCosts + "; ALTER TABLE … ROW_FORMAT=DYNAMIC changes it and rewrites the table"
	case want.rowFormat:
		d.Why = compressedCosts + "; ALTER TABLE … ROW_FORMAT=COMPRESSED changes it and rewrites the table"
	default:
		d.Why = "it is stored as an older server would; ALTER TABLE … ROW_FORMAT=" + want.rowFormat + " rewrites the table"
	}
	c.add(d)
}

// compressedCosts are figures of one machine: MariaDB 10.11 on two cores
// that the client shared, 16 messages to a transaction; sizes of the table's
// file after 30 to 80 MB of blobs.
const compressedCosts = "COMPRESSED, as DBMail's upgrade 35002 makes it, takes about half the disk for short texts " +
	"and two thirds for base64 attachments, and stores about 1,500 instead of 2,190 messages of 4 KB a second " +
	"and 139 instead of 559 of 100 KB"

func (c *comparison) view(want view) {
	d := Difference{
		Object: "view " + want.name, Want: "(" + strings.Join(want.columns, ", ") + ")", Severity: Breaks,
		Why: "IMAP SORT and SEARCH by this header fail in DBMail's IMAP server; " +
			"mend with the CREATE VIEW that `schema print` shows for it",
	}
	have := c.have.view(want.name)
	switch {
	case have == nil && c.have.table(want.name) != nil:
		d.Have = "a table"
		d.Why = "it is a table of DBMail 2, which nothing fills any more, so IMAP SORT and SEARCH by this header " +
			"miss new mail; drop it and create the view that `schema print` shows"
	case have == nil && c.empty:
		d.Have, d.Why = missing, noStore
	case have == nil:
		d.Have = missing
	case c.dialect == SQLite || containsAll(have.columns, want.columns):
		return
	default:
		d.Have = "(" + strings.Join(have.columns, ", ") + ")"
	}
	c.add(d)
}

func containsAll(have, want []string) bool {
	return !slices.ContainsFunc(want, func(w string) bool {
		return !slices.ContainsFunc(have, func(h string) bool { return strings.EqualFold(h, w) })
	})
}

// trigger compares a trigger of SQLite by its name: DBMail's own have other
// texts than ours, to the same end.
func (c *comparison) trigger(want trigger) {
	if c.have.table(want.table) == nil {
		return // reported as a missing table
	}
	if slices.ContainsFunc(c.have.triggers, func(t trigger) bool {
		return strings.EqualFold(t.name, want.name) && c.have.sameName(t.table, want.table)
	}) {
		return
	}
	why := "rows that refer to nothing are no longer refused"
	if strings.Contains(want.name, "fk_delete_") {
		why = "what a deleted row owned stays behind, so deleted mail is not gone and fills the disk"
	}
	c.add(Difference{
		Object: "trigger " + want.name, Want: fmt.Sprintf("a trigger on %s", want.table), Have: missing, Severity: Degrades,
		Why: why + "; mend with the CREATE TRIGGER that `schema print` shows for it",
	})
}
