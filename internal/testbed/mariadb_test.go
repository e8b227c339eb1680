package testbed_test

import (
	"database/sql"
	"os"
	"strings"
	"syscall"
	"testing"

	"gatepost/internal/testbed"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

func open(t *testing.T, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	return db
}

func variable(t *testing.T, db *sql.DB, name string) string {
	t.Helper()
	var value string
	if err := db.QueryRow("SELECT @@" + name).Scan(&value); err != nil {
		t.Fatalf("read %s: %v", name, err)
	}
	return value
}

func TestSharedMariaDB(t *testing.T) {
	server := testbed.MariaDB(t)
	if again := testbed.MariaDB(t); again.Pid() != server.Pid() {
		t.Errorf("a second server %d beside %d", again.Pid(), server.Pid())
	}
	first, second := open(t, server.Database(t)), open(t, server.Database(t))
	if _, err := first.Exec("CREATE TABLE t (x INT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := second.Exec("CREATE TABLE t (x INT)"); err != nil {
		t.Errorf("two tests share a database: %v", err)
	}
	for name, want := range map[string]string{
		"innodb_flush_log_at_trx_commit": "1",
		"character_set_server":           "utf8mb4",
		"max_allowed_packet":             "16777216",
	} {
		if got := variable(t, first, name); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if dsn := server.StoreDSN(t); !strings.HasPrefix(dsn, "mysql://root@/test") || !strings.HasSuffix(dsn, "?socket="+server.Socket()) {
		t.Errorf("store DSN %q", dsn)
	}
}

func TestMariaDBSurvivesKill(t *testing.T) {
	server := testbed.StartMariaDB(t, testbed.MariaDBOptions{MaxAllowedPacket: "1M", Args: []string{"--innodb-lock-wait-timeout=3"}})
	db := open(t, server.Database(t))
	if got := variable(t, db, "max_allowed_packet"); got != "1048576" {
		t.Errorf("max_allowed_packet %s", got)
	}
	if got := variable(t, db, "innodb_lock_wait_timeout"); got != "3" {
		t.Errorf("innodb_lock_wait_timeout %s", got)
	}
	if _, err := db.Exec("CREATE TABLE t (x INT)"); err != nil {
		t.Fatal(err)
	}
	if _, err := db.Exec("INSERT INTO t VALUES (7)"); err != nil {
		t.Fatal(err)
	}
	dead := server.Pid()
	server.Kill()
	if err := syscall.Kill(dead, 0); err != syscall.ESRCH {
		t.Errorf("process %d after Kill: %v", dead, err)
	}
	if err := db.Ping(); err == nil {
		t.Error("a killed server answers")
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	var x int
	if err := db.QueryRow("SELECT x FROM t").Scan(&x); err != nil || x != 7 {
		t.Errorf("after the crash: %d, %v", x, err)
	}
}
