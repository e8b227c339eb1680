//go:build !dmz

package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
	"gatepost/schema"
)

// onBoth runs a test with the DSN of an empty database of either kind.
func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteDSN(t)) })
	t.Run("mariadb", func(t *testing.T) { test(t, testbed.MariaDB(t).StoreDSN(t)) })
}

func TestSchemaApplyAndDiff(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		apply := []string{"schema", "apply", "--store", dsn}
		diff := []string{"schema", "diff", "--store", dsn}
		own := []string{"--add-own"}
		gatepost(t, apply...).expect(t, 0, "The tables of a DBMail 3.x store were made.\n", "")
		gatepost(t, diff...).expect(t, 0, "No differences.\n", "")
		gatepost(t, apply...).expect(t, 0, "not changed; it is as it should be.", "")

		gatepost(t, append(diff, own...)...).expect(t, 1, "degrades: table gatepost_forwards: ", "")
		gatepost(t, append(apply, own...)...).expect(t, 0, "not changed but for gatepost_* tables; it is as it should be.", "")
		gatepost(t, append(diff, own...)...).expect(t, 0, "No differences.\n", "")

		execSQL(t, dsn, "DROP TABLE dbmail_replycache")
		gatepost(t, diff...).expect(t, 1, "dbmail_replycache", "")
		gatepost(t, apply...).expect(t, 1, "not changed; 1 difference:\n", "")
		var differences []struct{ Object, Want, Have, Severity, Why string }
		r := gatepost(t, append(apply, "--json")...)
		decode(t, r.out, &differences)
		if r.code != 1 || len(differences) != 1 || differences[0].Object != "table dbmail_replycache" || differences[0].Have != "missing" {
			t.Errorf("exit status %d, %+v", r.code, differences)
		}
	})
}

func TestSchemaAdviceIsNoFailure(t *testing.T) {
	dsn := testbed.MariaDB(t).StoreDSN(t)
	good(t, "schema", "apply", "--compressed", "--store", dsn)
	gatepost(t, "schema", "diff", "--store", dsn).expect(t, 0, "advice: ", "")
	gatepost(t, "schema", "diff", "--compressed", "--store", dsn).expect(t, 0, "No differences.", "")
}

func TestSchemaPrefixes(t *testing.T) {
	for _, prefix := range []string{"mail_", "", "-"} {
		t.Run("prefix "+prefix, func(t *testing.T) {
			dsn := sqliteDSN(t)
			good(t, "schema", "apply", "--prefix", prefix, "--store", dsn)
			good(t, "store", "user", "add", "alice", "--prefix", prefix, "--store", dsn)
			gatepost(t, "schema", "diff", "--store", dsn).expect(t, 1, "breaks", "")
			gatepost(t, "store", "user", "list", "--store", dsn).expect(t, 78, "", "there are no DBMail tables dbmail_*")
		})
	}
}

func TestNewSQLiteStore(t *testing.T) {
	text := newTestStore(t)
	dsn, err := dbmail.ParseDSN(text)
	if err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(dsn.Path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v: others can read the mail", info.Mode())
	}
	db, err := dbmail.OpenDB(t.Context(), dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	var mode string
	if err := db.QueryRow("PRAGMA journal_mode").Scan(&mode); err != nil || mode != "wal" {
		t.Errorf("journal_mode %q, %v", mode, err)
	}
}

func TestSchemaPrint(t *testing.T) {
	for _, tc := range []struct {
		args    []string
		dialect schema.Dialect
		options schema.Options
	}{
		{[]string{"--dialect", "mysql"}, schema.MySQL, schema.Options{}},
		{[]string{"--dialect", "mysql", "--compressed", "--add-own"}, schema.MySQL, schema.Options{Compressed: true, Own: true}},
		{[]string{"--store", "sqlite:/nowhere/store.db", "--prefix", "x_"}, schema.SQLite, schema.Options{Prefix: "x_"}},
		{[]string{"--store", "mysql://u@nowhere/d"}, schema.MySQL, schema.Options{}},
	} {
		var want bytes.Buffer
		if err := schema.Print(&want, tc.dialect, tc.options); err != nil {
			t.Fatal(err)
		}
		if got := good(t, append([]string{"schema", "print"}, tc.args...)...); got != want.String() || !strings.Contains(got, "CREATE TABLE") {
			t.Errorf("%v: other SQL than schema.Print", tc.args)
		}
	}
}
