package schema

import (
	"bytes"
	"database/sql"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"gatepost/internal/testbed"
)

// withParameters adds parameters to a MySQL DSN.
func withParameters(dsn string, parameters []string) string {
	for _, p := range parameters {
		separator := "?"
		if strings.Contains(dsn, "?") {
			separator = "&"
		}
		dsn += separator + p
	}
	return dsn
}

func TestPrefix(t *testing.T) {
	for _, tt := range []struct {
		prefix, first string
		err           string
	}{
		{prefix: "", first: "dbmail_users"},
		{prefix: "dbmail_", first: "dbmail_users"},
		{prefix: NoPrefix, first: "users"},
		{prefix: "Mail3", first: "Mail3users"},
		{prefix: strings.Repeat("x", 18), first: strings.Repeat("x", 18) + "users"},
		{prefix: strings.Repeat("x", 19), err: "longer"},
		{prefix: "a-b", err: "only letters"},
		{prefix: "a`b", err: "only letters"},
		{prefix: "a\n", err: "only letters"},
		{prefix: "Gatepost_", err: "own tables"},
		{prefix: "ü", err: "only letters"},
	} {
		for _, d := range []Dialect{MySQL, SQLite} {
			o := Options{Prefix: tt.prefix}
			err := Print(&bytes.Buffer{}, d, o)
			tables := Tables(d, o)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("%s %q: error %v, want one with %q", d, tt.prefix, err, tt.err)
				}
				if tables != nil {
					t.Errorf("%s %q: tables %v despite the prefix", d, tt.prefix, tables)
				}
				continue
			}
			if err != nil || tables[0] != tt.first {
				t.Errorf("%s %q: first table %q, error %v; want %q", d, tt.prefix, tables[0], err, tt.first)
			}
		}
	}
	if err := Print(&bytes.Buffer{}, "oracle", Options{}); err == nil {
		t.Error("an unknown dialect is accepted")
	}
}

// The longest names that a prefix can make fit into MySQL.
func TestLongestPrefix(t *testing.T) {
	applied(t, openMySQL(t), MySQL, Options{Prefix: strings.Repeat("p", maxPrefix)})
}

// Every statement is one that the reading half knows, and what is printed
// holds no token.
func TestPrint(t *testing.T) {
	for _, d := range []Dialect{MySQL, SQLite} {
		for _, o := range []Options{{}, {Prefix: NoPrefix, Own: true}, {Prefix: "x", Compressed: true}} {
			var out bytes.Buffer
			if err := Print(&out, d, o); err != nil {
				t.Fatal(err)
			}
			text := out.String()
			if strings.ContainsAny(text, "{}") {
				t.Errorf("%s %+v: a token is left", d, o)
			}
			if o.Own != strings.Contains(text, "gatepost_") {
				t.Errorf("%s %+v: own tables do not follow the option", d, o)
			}
			if d == MySQL && o.Compressed != strings.Contains(text, "ROW_FORMAT=COMPRESSED") {
				t.Errorf("%+v: row format does not follow the option", o)
			}
		}
	}
}

// SQLite's own client, which the driver's Exec stands for, reads what Print
// writes as it is.
func TestPrintRuns(t *testing.T) {
	var out bytes.Buffer
	o := Options{Own: true}
	if err := Print(&out, SQLite, o); err != nil {
		t.Fatal(err)
	}
	lite := openSQLite(t)
	lite.SetMaxOpenConns(1)
	exec(t, lite, out.String())
	checkDiff(t, lite, SQLite, o, damage{})

	out.Reset()
	if err := Print(&out, MySQL, o); err != nil {
		t.Fatal(err)
	}
	my := openMySQL(t, "multiStatements=true")
	exec(t, my, out.String())
	checkDiff(t, my, MySQL, o, damage{})
}

// An existing store is never changed, a part of one no more than a whole one.
func TestApplyChangesNothing(t *testing.T) {
	for d, db := range map[Dialect]*sql.DB{MySQL: openMySQL(t), SQLite: openSQLite(t)} {
		exec(t, db, "CREATE TABLE dbmail_aliases (alias_idnr int)")
		before := lines(t, db, listTables(d))
		differences, err := Apply(t.Context(), db, d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if after := lines(t, db, listTables(d)); !slices.Equal(before, after) {
			t.Errorf("%s: a database with %v now has %v", d, before, after)
		}
		if len(differences) < 25 {
			t.Errorf("%s: only %d differences of a store with one table", d, len(differences))
		}
	}
}

func listTables(d Dialect) string {
	if d == SQLite {
		return "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY 1"
	}
	return "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1"
}

// Own tables are added to a store that has none, or only some, and are then
// left as they are.
func TestApplyOwn(t *testing.T) {
	for d, db := range map[Dialect]*sql.DB{MySQL: openMySQL(t), SQLite: openSQLite(t)} {
		applied(t, db, d, Options{})
		before := lines(t, db, listTables(d))
		applied(t, db, d, Options{Own: true})
		exec(t, db, "INSERT INTO gatepost_forwards VALUES ('"+strings.Repeat("a", 64)+"', '2026-11-23 00:00:00')")
		exec(t, db, "DROP TABLE gatepost_users")
		applied(t, db, d, Options{Own: true})
		exec(t, db, "INSERT INTO gatepost_users VALUES (10001, '2f5ffeb6-7c67-1041-8fc1-891066e1ce29', 'lena', '2026-11-23 00:00:00')")
		if n := lines(t, db, "SELECT (SELECT count(*) FROM gatepost_forwards) + (SELECT count(*) FROM gatepost_users)"); n[0] != "2" {
			t.Errorf("%s: the second run left %s rows", d, n[0])
		}
		exec(t, db, "DROP TABLE gatepost_forwards", "DROP TABLE gatepost_users")
		if after := lines(t, db, listTables(d)); !slices.Equal(before, after) {
			t.Errorf("%s: %v became %v", d, before, after)
		}
	}
}

// Users are numbered by store, so stores of other prefixes in the same
// database have tables of their own for them.
func TestApplyOwnWithPrefix(t *testing.T) {
	for d, db := range map[Dialect]*sql.DB{MySQL: openMySQL(t), SQLite: openSQLite(t)} {
		applied(t, db, d, Options{Own: true})
		applied(t, db, d, Options{Own: true, Prefix: "b_"})
		exec(t, db, "INSERT INTO gatepost_users VALUES (4, 'a', 'lena', '2026-11-23 00:00:00')",
			"INSERT INTO gatepost_b_users VALUES (4, 'b', 'mika', '2026-11-23 00:00:00')")
	}
}

func TestHasTables(t *testing.T) {
	for d, db := range map[Dialect]*sql.DB{MySQL: openMySQL(t), SQLite: openSQLite(t)} {
		check := func(o Options, want bool) {
			t.Helper()
			have, err := HasTables(t.Context(), db, d, o)
			if err != nil || have != want {
				t.Errorf("%s %+v: %v, %v; want %v", d, o, have, err, want)
			}
		}
		exec(t, db, "CREATE TABLE gatepost_forwards (a int)", "CREATE TABLE dbmail_mine (a int)")
		check(Options{Own: true}, false)
		exec(t, db, "CREATE TABLE users (a int)")
		check(Options{}, false)
		check(Options{Prefix: NoPrefix}, true)
		exec(t, db, "CREATE VIEW dbmail_ccfield AS SELECT 1 AS a")
		check(Options{}, true)
		check(Options{Prefix: "other_"}, false)
	}
}

// Modes that change how MySQL reads quotes, zeros and defaults do not matter.
func TestSQLModes(t *testing.T) {
	for _, mode := range []string{"", "ANSI", "TRADITIONAL", "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,NO_AUTO_VALUE_ON_ZERO", "ORACLE"} {
		t.Run(mode, func(t *testing.T) {
			applied(t, openMySQL(t, "sql_mode='"+mode+"'", "charset=latin1"), MySQL, Options{Own: true})
		})
	}
}

// Stores with different prefixes stand side by side. In SQLite none without a
// prefix can stand beside one with DBMail's: both have an index usermap_idx_1.
func TestTwoStores(t *testing.T) {
	for d, db := range map[Dialect]*sql.DB{MySQL: openMySQL(t), SQLite: openSQLite(t)} {
		prefixes := []string{"", "a_", "b_"}
		if d == MySQL {
			prefixes = append(prefixes, NoPrefix)
		}
		for _, prefix := range prefixes {
			applied(t, db, d, Options{Prefix: prefix})
		}
	}
}

// What fails in the middle is reported, and so is what is then missing.
func TestApplyFails(t *testing.T) {
	lite := openSQLite(t)
	exec(t, lite, "CREATE TABLE other (a)", "CREATE INDEX message_parts ON other (a)")
	if _, err := Apply(t.Context(), lite, SQLite, Options{}); err == nil || !strings.Contains(err.Error(), "message_parts") {
		t.Errorf("error %v, want one that names the index", err)
	}
	if has, err := HasTables(t.Context(), lite, SQLite, Options{}); has || err != nil {
		t.Errorf("a failed Apply left tables: %v, %v", has, err)
	}

	my := openMySQL(t)
	exec(t, my, "CREATE TABLE p (a int PRIMARY KEY)",
		"CREATE TABLE c (a int, CONSTRAINT dbmail_envelope_ibfk_1 FOREIGN KEY (a) REFERENCES p (a))")
	_, err := Apply(t.Context(), my, MySQL, Options{})
	var cause *mysql.MySQLError
	if !errors.As(err, &cause) || !strings.Contains(err.Error(), "CREATE TABLE `dbmail_envelope`") {
		t.Errorf("error %v, want the server's, with the statement", err)
	}
	differences, err := Apply(t.Context(), my, MySQL, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var objects []string
	for _, d := range differences {
		objects = append(objects, d.Object)
	}
	for _, want := range []string{"table dbmail_envelope", "table dbmail_upgrade_steps", "view dbmail_tofield", "row dbmail_users anyone"} {
		if !slices.Contains(objects, want) {
			t.Errorf("the next Apply does not miss %s: %v", want, objects)
		}
	}

	if _, err := Apply(t.Context(), open(t, "mysql", "root@unix(/nonexistent)/x"), MySQL, Options{}); err == nil {
		t.Error("no error without a server")
	}
}

// A server that keeps table names in lower case.
func TestLowerCaseTableNames(t *testing.T) {
	server := testbed.StartMariaDB(t, testbed.MariaDBOptions{Args: []string{"--lower-case-table-names=1"}})
	db := open(t, "mysql", server.Database(t))
	o := Options{Prefix: "Mail_", Own: true}
	applied(t, db, MySQL, o)
	applied(t, db, MySQL, o)
}

func TestNoDatabase(t *testing.T) {
	config, err := mysql.ParseDSN(withParameters(openDSN(t), nil))
	if err != nil {
		t.Fatal(err)
	}
	config.DBName = ""
	if _, err := Diff(t.Context(), open(t, "mysql", config.FormatDSN()), MySQL, Options{}); !errors.Is(err, errNoDatabase) {
		t.Errorf("error %v, want %v", err, errNoDatabase)
	}
}

// Every table and view of an empty database is missing for the same reason.
func TestDiffEmpty(t *testing.T) {
	for d, db := range map[Dialect]*sql.DB{MySQL: openMySQL(t), SQLite: openSQLite(t)} {
		differences, err := Diff(t.Context(), db, d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if want := len(Tables(d, Options{})) + 5; len(differences) != want {
			t.Errorf("%s: %d differences, want %d", d, len(differences), want)
		}
		for _, diff := range differences {
			if diff.Have != missing || diff.Severity != Breaks || diff.Why != noStore {
				t.Errorf("%s: %v", d, diff)
			}
		}
	}
}

func TestDifferenceString(t *testing.T) {
	d := Difference{Object: "dbmail_messages.seq", Want: "bigint", Have: missing, Severity: Breaks, Why: "statements fail"}
	const want = "breaks: dbmail_messages.seq: want bigint, have missing: statements fail"
	if d.String() != want {
		t.Errorf("%q, want %q", d.String(), want)
	}
}
