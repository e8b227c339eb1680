package lmtpd_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
	"gatepost/schema"
)

// site is a DBMail store.
type site struct {
	t      *testing.T
	server *testbed.MariaDBServer // nil: it is an SQLite file
	name   string                 // of the database, or the file's path
	db     *sql.DB                // past any proxy
	store  *dbmail.Store          // past any proxy: for users and for reading back
}

// daemonUser is lmtpd's name at the database, so that the server can tell its
// connections from ours.
const daemonUser = "lmtpd"

// newSite makes a store on the server.
func newSite(t *testing.T, server *testbed.MariaDBServer) *site {
	t.Helper()
	s := &site{t: t, server: server}
	s.open(server.StoreDSN(t), schema.MySQL)
	s.exec("CREATE USER IF NOT EXISTS " + daemonUser + "@localhost")
	s.exec("GRANT ALL ON " + s.name + ".* TO " + daemonUser + "@localhost")
	return s
}

// newSQLiteSite makes a store in a file.
func newSQLiteSite(t *testing.T) *site {
	t.Helper()
	s := &site{t: t}
	s.open("sqlite:"+filepath.Join(t.TempDir(), "store.db"), schema.SQLite)
	return s
}

func (s *site) open(text string, dialect schema.Dialect) {
	s.t.Helper()
	ctx := context.Background()
	dsn, err := dbmail.ParseDSN(text)
	if err != nil {
		s.t.Fatal(err)
	}
	s.name = dsn.Database + dsn.Path
	if s.db, err = dbmail.OpenDB(ctx, dsn, ""); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.db.Close() })
	if _, err := schema.Apply(ctx, s.db, dialect, schema.Options{Own: true}); err != nil {
		s.t.Fatal(err)
	}
	if s.store, err = dbmail.Open(ctx, dsn, dbmail.Options{}); err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { s.store.Close() })
}

// dsn is lmtpd's way to the store, with a server through the given socket.
func (s *site) dsn(socket string) string {
	if s.server == nil {
		return "sqlite:" + s.name
	}
	return fmt.Sprintf("mysql://%s@/%s?socket=%s", daemonUser, s.name, url.QueryEscape(socket))
}

func (s *site) exec(statement string, args ...any) {
	s.t.Helper()
	if _, err := s.db.Exec(statement, args...); err != nil {
		s.t.Fatalf("%s: %v", statement, err)
	}
}

// number runs a query that gives one number.
func (s *site) number(query string, args ...any) int64 {
	s.t.Helper()
	var n sql.NullInt64
	if err := s.db.QueryRow(query, args...).Scan(&n); err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	return n.Int64
}

// user makes a user whose address is NAME@example.org.
func (s *site) user(name string, quota int64) uint64 {
	s.t.Helper()
	u, err := s.store.AddUser(context.Background(), name, quota, []string{name + "@example.org"})
	if err != nil {
		s.t.Fatal(err)
	}
	return u.ID
}

// alias makes an alias of any kind, also such as "|program".
func (s *site) alias(alias, target string) {
	s.t.Helper()
	s.exec("INSERT INTO dbmail_aliases (alias, deliver_to) VALUES (?, ?)", alias, target)
}

// mailbox makes a mailbox as DBMail does.
func (s *site) mailbox(owner uint64, name string) {
	s.t.Helper()
	s.exec("INSERT INTO dbmail_mailboxes (owner_idnr, name, permission, seq) VALUES (?, ?, 2, 1)", owner, name)
}

// stored gives the texts of a user's messages in a mailbox; "" is all.
func (s *site) stored(user, mailbox string) []string {
	s.t.Helper()
	ctx := context.Background()
	list, err := s.store.List(ctx, user, mailbox)
	if err != nil {
		s.t.Fatal(err)
	}
	var out []string
	for _, m := range list {
		var b bytes.Buffer
		if err := s.store.WriteMessage(ctx, &b, m.MessageIDnr); err != nil {
			s.t.Fatal(err)
		}
		out = append(out, b.String())
	}
	return out
}

// verify fails the test when "store verify" would find anything.
func (s *site) verify() {
	s.t.Helper()
	err := s.store.Verify(context.Background(), "", func(p dbmail.Problem) {
		s.t.Errorf("store verify: %s: %s", p.Kind, p.What)
	})
	if err != nil {
		s.t.Errorf("store verify: %v", err)
	}
}

// quiet waits until the server has dealt with whatever connections of lmtpd
// that are gone have left behind: a COMMIT that was sent may still be running.
func (s *site) quiet() {
	s.t.Helper()
	if s.server == nil {
		return
	}
	eventually(s.t, "MariaDB is done with lmtpd's connections", func() (bool, string) {
		n := s.number("SELECT count(*) FROM information_schema.processlist WHERE user = ? AND db = ?", daemonUser, s.name)
		return n == 0, fmt.Sprint(n, " connections")
	})
}

// inside lists what no peer may read: words of the store and of its driver.
var inside = []string{"mysql", "mariadb", "sql", "dbmail", "driver", "socket", "deadlock", "goroutine", "/tmp/", "curmail", "user_idnr"}

// noInside fails the test when a text for a peer tells of the inside.
func noInside(t *testing.T, what, text string) {
	t.Helper()
	for line := range strings.Lines(text) {
		for _, word := range inside {
			if strings.Contains(strings.ToLower(line), word) {
				t.Errorf("%s tells %q: %s", what, word, line)
			}
		}
	}
}
