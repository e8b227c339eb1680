package schema

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite"

	"gatepost/internal/testbed"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// openMySQL opens a fresh empty database on the shared server. parameters,
// "sql_mode=…" say, are appended to the DSN.
func openMySQL(t *testing.T, parameters ...string) *sql.DB {
	t.Helper()
	return open(t, "mysql", withParameters(openDSN(t), parameters))
}

// openDSN is the DSN of a fresh empty database on the shared server.
func openDSN(t *testing.T) string {
	t.Helper()
	return testbed.MariaDB(t).Database(t)
}

// openSQLite opens a fresh empty file.
func openSQLite(t *testing.T) *sql.DB {
	t.Helper()
	return open(t, "sqlite", filepath.Join(t.TempDir(), "store.db")+"?_pragma=synchronous(off)")
}

func open(t *testing.T, driver, dsn string) *sql.DB {
	t.Helper()
	db, err := sql.Open(driver, dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}
