package schema

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"
)

func openMySQL(t *testing.T) *sql.DB {
	t.Helper()
	root, err := sql.Open("mysql", "root@unix(/tmp/sch/s.sock)/")
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	name := fmt.Sprintf("t%d", time.Now().UnixNano())
	exec(t, root, "CREATE DATABASE "+name)
	db, err := sql.Open("mysql", "root@unix(/tmp/sch/s.sock)/"+name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { exec(t, db, "DROP DATABASE "+name); db.Close() })
	return db
}

func openSQLite(t *testing.T) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(t.TempDir(), "store.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}
