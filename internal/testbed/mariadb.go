package testbed

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
)

// MariaDBOptions say how a private server differs from the shared one.
type MariaDBOptions struct {
	// Args are further arguments of mariadbd, such as "--innodb-lock-wait-timeout=1".
	Args []string
	// MaxAllowedPacket is the server's max_allowed_packet, such as "1M"; the
	// server's own default, 16M, if empty.
	MaxAllowedPacket string
}

// MariaDBServer is a mariadbd with an empty data directory of its own,
// reached through a unix socket as root without a password. Commits are
// durable (innodb_flush_log_at_trx_commit=1), as in production.
type MariaDBServer struct {
	scratch *scratch
	program string
	args    []string
	process *process
	names   atomic.Int64
}

// MariaDB returns the server that all tests of this process share, starting
// it on first use.
func MariaDB(t testing.TB) *MariaDBServer {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.mariadb == nil {
		shared.mariadb = newMariaDB(t, MariaDBOptions{})
	}
	return shared.mariadb
}

// StartMariaDB starts a server for this test alone, which may kill it; it is
// stopped and removed at the test's end.
func StartMariaDB(t testing.TB, o MariaDBOptions) *MariaDBServer {
	t.Helper()
	s := newMariaDB(t, o)
	t.Cleanup(s.shut)
	return s
}

func newMariaDB(t testing.TB, o MariaDBOptions) *MariaDBServer {
	t.Helper()
	program := Need(t, "mariadbd", "mariadb-server")
	install := Need(t, "mariadb-install-db", "mariadb-server")
	me, err := user.Current()
	if err != nil {
		t.Fatalf("start mariadbd: %v", err)
	}
	scratch, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	data := filepath.Join(scratch.dir, "data")
	// In a shared tmpdir a starting server removes the temporary tables of
	// another that is just being installed, which then fails.
	out, err := exec.Command(install, "--no-defaults", "--user="+me.Username, "--datadir="+data, "--tmpdir="+scratch.dir,
		"--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve",
		"--innodb-log-file-size=64M").CombinedOutput()
	if err != nil {
		scratch.remove()
		t.Fatalf("mariadb-install-db: %v\n%s", err, out)
	}
	s := &MariaDBServer{scratch: scratch, program: program}
	s.args = []string{"--no-defaults", "--user=" + me.Username, "--datadir=" + data,
		"--socket=" + s.Socket(), "--pid-file=" + filepath.Join(scratch.dir, "pid"), "--skip-networking",
		"--tmpdir=" + scratch.dir,
		"--character-set-server=utf8mb4", "--collation-server=utf8mb4_general_ci",
		"--innodb-flush-log-at-trx-commit=1", "--innodb-buffer-pool-size=256M", "--innodb-log-file-size=64M"}
	if o.MaxAllowedPacket != "" {
		s.args = append(s.args, "--max-allowed-packet="+o.MaxAllowedPacket)
	}
	s.args = append(s.args, o.Args...)
	if err := s.run(); err != nil {
		scratch.remove()
		t.Fatal(err)
	}
	return s
}

// run starts mariadbd on the data directory and waits until it answers.
func (s *MariaDBServer) run() error {
	p, err := start(s.scratch.dir, "mariadbd", s.program, s.args, syscall.SIGKILL)
	if err != nil {
		return err
	}
	s.process = p
	db, err := sql.Open("mysql", s.dsn(""))
	if err != nil {
		return fmt.Errorf("connect to mariadbd: %w", err)
	}
	defer db.Close()
	return p.await(func() error {
		if _, err := os.Stat(s.Socket()); err != nil {
			return err // saves the driver's log lines about a refused connection
		}
		return db.PingContext(context.Background())
	})
}

// Socket returns the path of the server's unix socket.
func (s *MariaDBServer) Socket() string { return filepath.Join(s.scratch.dir, "sock") }

// Pid returns the process id of the server, or of the last one when it is stopped.
func (s *MariaDBServer) Pid() int { return s.process.pid() }

// Log returns what the server wrote to its log since its first start.
func (s *MariaDBServer) Log() string {
	log, err := os.ReadFile(filepath.Join(s.scratch.dir, "mariadbd.log"))
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// Kill ends the server by SIGKILL, as a crash would, and waits until it is gone.
func (s *MariaDBServer) Kill() { s.process.stop(syscall.SIGKILL) }

// Stop shuts the server down in good order and waits until it is gone.
func (s *MariaDBServer) Stop() { s.process.stop(syscall.SIGTERM) }

// Restart starts the server again on the same data directory and socket,
// stopping it first when it runs, and returns when it answers.
func (s *MariaDBServer) Restart() error {
	s.Stop()
	return s.run()
}

// Database creates an empty database for this test and returns the
// go-sql-driver DSN that opens it.
func (s *MariaDBServer) Database(t testing.TB) string {
	t.Helper()
	return s.dsn(s.create(t))
}

// StoreDSN creates an empty database for this test and returns its DSN in the
// form of Gatepost's settings: mysql://root@/NAME?socket=PATH.
func (s *MariaDBServer) StoreDSN(t testing.TB) string {
	t.Helper()
	return fmt.Sprintf("mysql://root@/%s?socket=%s", s.create(t), s.Socket())
}

func (s *MariaDBServer) create(t testing.TB) string {
	t.Helper()
	name := fmt.Sprintf("test%d", s.names.Add(1))
	s.exec(t, "CREATE DATABASE "+name)
	t.Cleanup(func() {
		// The server may be gone: the test may have killed it.
		db, err := sql.Open("mysql", s.dsn(""))
		if err == nil && !s.process.ended() {
			db.Exec("DROP DATABASE " + name)
			db.Close()
		}
	})
	return name
}

func (s *MariaDBServer) exec(t testing.TB, statement string) {
	t.Helper()
	db, err := sql.Open("mysql", s.dsn(""))
	if err != nil {
		t.Fatalf("connect to mariadbd: %v", err)
	}
	defer db.Close()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", strings.SplitN(statement, "\n", 2)[0], err)
	}
}

// dsn returns the driver's DSN of a database, or of none.
func (s *MariaDBServer) dsn(database string) string {
	c := mysql.NewConfig()
	c.User, c.Net, c.Addr, c.DBName = "root", "unix", s.Socket(), database
	return c.FormatDSN()
}

// shut ends the server at once and removes its files: nobody needs them in
// good order any more.
func (s *MariaDBServer) shut() {
	s.Kill()
	s.scratch.remove()
}
