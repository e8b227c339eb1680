package schema

import (
	"context"
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The facts in testdata were recorded from databases that DBMail 3.5 made.
// The tests here read what Apply made with queries of their own, so that a
// mistake in the reading half of Diff cannot hide one in the SQL.

// prefixes under which every comparison is made: the usual one, another, one
// that begins with a digit, and none.
func prefixes() []string { return []string{"", "mail7_", "7", NoPrefix} }

// facts reads a recorded file as one map from column to value per row.
func facts(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, column := range rows[0] {
			m[column] = row[i]
		}
		all = append(all, m)
	}
	return all
}

// renamed is the recorded name of an object as it is under another prefix.
func renamed(t *testing.T, o Options, recorded string) string {
	t.Helper()
	p, err := o.prefix()
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(recorded, DefaultPrefix, p)
}

// scoped is renamed for names that in SQLite are global and carry no prefix.
func scoped(t *testing.T, o Options, recorded string) string {
	name := renamed(t, o, recorded)
	if p, _ := o.prefix(); p != DefaultPrefix && !strings.HasPrefix(recorded, DefaultPrefix) {
		name = p + name
	}
	return name
}

// lines returns the rows of a query, values joined by blanks, NULL for NULL.
func lines(t *testing.T, db *sql.DB, query string, args ...any) []string {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query, args...)
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for rows.Next() {
		values := make([]sql.NullString, len(columns))
		into := make([]any, len(columns))
		for i := range values {
			into[i] = &values[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		var words []string
		for _, v := range values {
			if !v.Valid {
				v.String = "NULL"
			}
			words = append(words, v.String)
		}
		all = append(all, strings.Join(words, " "))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// sameLines compares without order.
func sameLines(t *testing.T, what string, want, have []string) {
	t.Helper()
	for _, w := range want {
		if i := slices.Index(have, w); i >= 0 {
			have = slices.Delete(have, i, i+1)
			continue
		}
		t.Errorf("%s: missing: %s", what, w)
	}
	for _, h := range have {
		t.Errorf("%s: not recorded: %s", what, h)
	}
}

// applied opens an empty database and makes it a store.
func applied(t *testing.T, db *sql.DB, d Dialect, o Options) {
	t.Helper()
	differences, err := Apply(t.Context(), db, d, o)
	if err != nil {
		t.Fatalf("Apply: %v", err)
	}
	for _, diff := range differences {
		t.Errorf("Apply made a store that Diff finds different: %v", diff)
	}
}

// width is what MySQL 8 no longer reports: the display widths of integers.
var width = regexp.MustCompile(`^((?:small|big)?int|tinyint)\((?:[2-9]|\d\d)\)`)

func TestMySQLFacts(t *testing.T) {
	for _, prefix := range prefixes() {
		for _, compressed := range []bool{false, true} {
			o := Options{Prefix: prefix, Compressed: compressed, Own: compressed}
			t.Run(fmt.Sprintf("prefix=%q/compressed=%v", prefix, compressed), func(t *testing.T) {
				db := openMySQL(t)
				applied(t, db, MySQL, o)
				checkMySQLTables(t, db, o)
				checkMySQLColumns(t, db, o)
				checkMySQLKeys(t, db, o)
				checkSeeds(t, db, o, "seed_rows.csv", 13)
			})
		}
	}
}

func checkMySQLTables(t *testing.T, db *sql.DB, o Options) {
	var want []string
	for _, f := range facts(t, "tables.csv") {
		format := f["row_format"]
		if format == "Compressed" && !o.Compressed {
			format = "Dynamic"
		}
		want = append(want, strings.Join([]string{renamed(t, o, f["table"]), f["type"], f["engine"], f["collation"], format}, " "))
	}
	sameLines(t, "table", want, lines(t, db, `SELECT TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_COLLATION, ROW_FORMAT
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE 'gatepost\_%'`))
}

func checkMySQLColumns(t *testing.T, db *sql.DB, o Options) {
	var want []string
	for _, f := range facts(t, "columns.csv") {
		want = append(want, strings.Join([]string{
			renamed(t, o, f["table"]), f["ordinal"], f["column"], width.ReplaceAllString(f["column_type"], "$1"), f["nullable"],
			strings.Trim(f["default"], "'"), f["extra"], f["charset"], f["collation"],
		}, " "))
	}
	sameLines(t, "column", want, lines(t, db, `SELECT TABLE_NAME, ORDINAL_POSITION, COLUMN_NAME,
  REGEXP_REPLACE(COLUMN_TYPE, '^((small|big)?int|tinyint)[(]([2-9]|[0-9][0-9])[)]', '\\1'),
  IS_NULLABLE, TRIM(BOTH '''' FROM COLUMN_DEFAULT), EXTRA, CHARACTER_SET_NAME, COLLATION_NAME
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE 'gatepost\_%'`))
}

func checkMySQLKeys(t *testing.T, db *sql.DB, o Options) {
	var want []string
	for _, f := range facts(t, "indexes.csv") {
		want = append(want, strings.Join([]string{
			renamed(t, o, f["table"]), renamed(t, o, f["index"]), f["non_unique"], f["seq"], f["column"], f["sub_part"], f["index_type"],
		}, " "))
	}
	sameLines(t, "index", want, lines(t, db, `SELECT TABLE_NAME, INDEX_NAME, NON_UNIQUE, SEQ_IN_INDEX, COLUMN_NAME, SUB_PART, INDEX_TYPE
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME NOT LIKE 'gatepost\_%'`))

	want = nil
	for _, f := range facts(t, "foreign_keys.csv") {
		want = append(want, strings.Join([]string{
			renamed(t, o, f["constraint"]), renamed(t, o, f["table"]), f["column"],
			renamed(t, o, f["ref_table"]), f["ref_column"], f["on_update"], f["on_delete"],
		}, " "))
	}
	sameLines(t, "foreign key", want, lines(t, db, `SELECT k.CONSTRAINT_NAME, k.TABLE_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME,
  k.REFERENCED_COLUMN_NAME, r.UPDATE_RULE, r.DELETE_RULE
FROM information_schema.KEY_COLUMN_USAGE k JOIN information_schema.REFERENTIAL_CONSTRAINTS r
  ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
WHERE k.TABLE_SCHEMA = DATABASE()`))
}

func TestSQLiteFacts(t *testing.T) {
	for _, prefix := range prefixes() {
		o := Options{Prefix: prefix, Own: prefix != ""}
		t.Run(fmt.Sprintf("prefix=%q", prefix), func(t *testing.T) {
			db := openSQLite(t)
			applied(t, db, SQLite, o)
			checkSQLiteColumns(t, db, o)
			checkSQLiteIndexes(t, db, o)
			checkSQLiteTriggers(t, db, o)
			checkSeeds(t, db, o, "sqlite-seed_rows.csv", 11)
		})
	}
}

func checkSQLiteColumns(t *testing.T, db *sql.DB, o Options) {
	var want []string
	for _, f := range facts(t, "sqlite-columns.csv") {
		want = append(want, strings.Join([]string{
			renamed(t, o, f["table"]), f["type"], f["ordinal"], f["column"], f["column_type"], f["nullable"], f["default"], f["pk"],
		}, " "))
	}
	sameLines(t, "column", want, lines(t, db, `SELECT m.name, m.type, c.cid + 1, c.name, c.type,
  iif(c."notnull", 'NO', 'YES'), c.dflt_value, iif(c.pk, 'pk' || c.pk, '')
FROM sqlite_master m, pragma_table_info(m.name) c
WHERE m.type IN ('table', 'view') AND m.name NOT LIKE 'gatepost%'`))
	if keys := lines(t, db, `SELECT m.name FROM sqlite_master m, pragma_foreign_key_list(m.name) WHERE m.type = 'table'`); len(keys) > 0 {
		t.Errorf("foreign keys, where none are recorded: %v", keys)
	}
}

func checkSQLiteIndexes(t *testing.T, db *sql.DB, o Options) {
	var want []string
	for _, f := range facts(t, "sqlite-indexes.csv") {
		want = append(want, strings.Join([]string{
			renamed(t, o, f["table"]), scoped(t, o, f["index"]), f["unique"], f["origin"], f["columns"],
		}, " "))
	}
	sameLines(t, "index", want, lines(t, db, `SELECT m.name, l.name, l."unique", l.origin,
  (SELECT group_concat(i.name, ',') FROM pragma_index_info(l.name) i)
FROM sqlite_master m, pragma_index_list(m.name) l
WHERE m.type = 'table' AND m.name NOT LIKE 'gatepost%'`))
}

// timing reads when a trigger of ours fires from its text.
var timing = regexp.MustCompile(`(BEFORE|AFTER) (INSERT|UPDATE|DELETE)`)

func checkSQLiteTriggers(t *testing.T, db *sql.DB, o Options) {
	var want, have []string
	for _, f := range facts(t, "sqlite-triggers.csv") {
		want = append(want, scoped(t, o, f["trigger"])+" "+renamed(t, o, f["table"])+" "+f["when"])
	}
	for _, line := range lines(t, db, `SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'`) {
		words := strings.Fields(line)
		have = append(have, words[0]+" "+words[1]+" "+timing.FindString(line))
	}
	sameLines(t, "trigger", want, have)
}

// checkSeeds compares whole rows of the tables that are seeded, but for the
// time of an upgrade. columns is how many dbmail_users has.
func checkSeeds(t *testing.T, db *sql.DB, o Options, file string, columns int) {
	t.Helper()
	want := map[string][]string{}
	order := map[string]string{
		"dbmail_upgrade_steps": "from_version to_version",
		"dbmail_users": "user_idnr userid passwd client_idnr maxmail_size curmail_size maxsieve_size cursieve_size " +
			"encryption_type last_login spasswd saction active",
	}
	for _, f := range facts(t, file) {
		if f["stage"] == "after create_tables.mysql" {
			continue // the state before the upgrades
		}
		row := map[string]any{}
		d := json.NewDecoder(strings.NewReader(f["row"]))
		d.UseNumber()
		if err := d.Decode(&row); err != nil {
			t.Fatal(err)
		}
		var values []string
		for _, c := range strings.Fields(order[f["table"]]) {
			if v, ok := row[c]; ok {
				values = append(values, fmt.Sprint(v))
			}
		}
		want[f["table"]] = append(want[f["table"]], strings.Join(values, " "))
	}
	if len(want) != 2 {
		t.Fatalf("%s has rows of %d tables, not of 2", file, len(want))
	}
	for table, rows := range want {
		list := strings.Fields(order[table])
		if table == "dbmail_users" && columns == 11 {
			list = slices.DeleteFunc(list, func(c string) bool { return strings.Contains(c, "sieve") })
		}
		query := fmt.Sprintf("SELECT CAST(%s AS CHAR) FROM `%s`", strings.Join(list, " AS CHAR), CAST("), renamed(t, o, table))
		sameLines(t, "row of "+table, rows, lines(t, db, query))
	}

	names := "return-path reply-to in-reply-to references content-disposition content-type subject date bcc cc to from"
	var numbered []string
	for i, n := range strings.Fields(names) {
		numbered = append(numbered, fmt.Sprint(i+1, " ", n))
	}
	sameLines(t, "header name", numbered, lines(t, db, "SELECT id, headername FROM `"+renamed(t, o, "dbmail_headername")+"`"))
}

// exec runs statements that must succeed.
func exec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}
