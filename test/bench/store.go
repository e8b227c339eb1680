package main

import (
	"context"
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
	"gatepost/schema"
	"gatepost/test/rig"
)

// The MariaDB of the benchmark: durable, DBMail's tables in the form that
// "gatepost schema apply" gives them, and memory as on a small dedicated
// server instead of the default 128 MB.
func startMariaDB(t testing.TB) *testbed.MariaDBServer {
	t.Helper()
	return testbed.StartMariaDB(t, testbed.MariaDBOptions{Args: []string{
		"--innodb-flush-log-at-trx-commit=1",
		"--innodb-buffer-pool-size=1G",
		"--innodb-log-file-size=512M",
	}})
}

// newStore makes an empty store with its users and returns its DSN. server is
// nil for SQLite.
func newStore(t testing.TB, server *testbed.MariaDBServer) string {
	t.Helper()
	dsn, db := emptyStore(t, server)
	if err := addUsers(db); err != nil {
		t.Fatalf("add users: %v", err)
	}
	return dsn
}

// emptyStore makes a store without users.
func emptyStore(t testing.TB, server *testbed.MariaDBServer) (dsn string, db *sql.DB) {
	t.Helper()
	kind := schema.SQLite
	if server != nil {
		dsn, kind = server.StoreDSN(t), schema.MySQL
	} else {
		dsn = "sqlite:" + filepath.Join(rig.Scratch(t), "store.db")
	}
	db = openDB(t, dsn)
	if _, err := schema.Apply(context.Background(), db, kind, schema.Options{Own: true}); err != nil {
		t.Fatalf("make a store: %v", err)
	}
	return dsn, db
}

// addUsers makes the users, with an INBOX each, user 0 first.
func addUsers(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for i := range users {
		u, err := tx.Exec("INSERT INTO dbmail_users (userid, passwd, client_idnr, encryption_type) VALUES (?, '', 0, 'md5')", userName(i))
		if err != nil {
			return err
		}
		id, err := u.LastInsertId()
		if err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO dbmail_aliases (alias, deliver_to) VALUES (?, ?)", userName(i)+"@example.org", fmt.Sprint(id)); err != nil {
			return err
		}
		if _, err := tx.Exec("INSERT INTO dbmail_mailboxes (name, owner_idnr, permission, seq) VALUES ('INBOX', ?, 2, 1)", id); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// openDB opens a store as gatepost-lmtpd does: the same driver settings,
// isolation and durability.
func openDB(t testing.TB, dsn string) *sql.DB {
	t.Helper()
	parsed, err := dbmail.ParseDSN(dsn)
	if err != nil {
		t.Fatal(err)
	}
	db, err := dbmail.OpenDB(context.Background(), parsed, "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if parsed.Driver == "sqlite" {
		db.SetMaxOpenConns(1)
	}
	return db
}

// settle makes the server write its dirty pages, so that they are not written
// while the next system is measured.
func settle(t testing.TB, server *testbed.MariaDBServer) {
	t.Helper()
	db := openDB(t, fmt.Sprintf("mysql://root@/mysql?socket=%s", server.Socket()))
	defer db.Close()
	set := func(statements ...string) {
		for _, statement := range statements {
			if _, err := db.Exec("SET GLOBAL " + statement); err != nil {
				t.Fatalf("flush MariaDB: %v", err)
			}
		}
	}
	set("innodb_io_capacity_max = 40000", "innodb_io_capacity = 20000", "innodb_max_dirty_pages_pct = 0")
	// The server's own defaults again.
	defer set("innodb_max_dirty_pages_pct = 90", "innodb_io_capacity = 200", "innodb_io_capacity_max = 2000")
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		var name string
		var pages int
		if err := db.QueryRow("SHOW STATUS LIKE 'Innodb_buffer_pool_pages_dirty'").Scan(&name, &pages); err != nil {
			t.Fatalf("flush MariaDB: %v", err)
		}
		if pages < 50 {
			return
		}
	}
}
