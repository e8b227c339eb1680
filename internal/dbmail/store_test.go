package dbmail

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatepost/internal/message"
	"gatepost/internal/testbed"
	"gatepost/schema"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// onBoth runs a test on a fresh store of either kind.
func onBoth(t *testing.T, test func(t *testing.T, s *Store)) {
	t.Run("sqlite", func(t *testing.T) { test(t, sqliteStore(t, Options{})) })
	t.Run("mariadb", func(t *testing.T) { test(t, mariaStore(t, Options{})) })
}

func sqliteStore(t *testing.T, o Options) *Store {
	t.Helper()
	return openFresh(t, "sqlite:"+filepath.Join(t.TempDir(), "store.db"), schema.SQLite, o)
}

func mariaStore(t *testing.T, o Options) *Store {
	t.Helper()
	return openFresh(t, testbed.MariaDB(t).StoreDSN(t), schema.MySQL, o)
}

func openFresh(t *testing.T, text string, d schema.Dialect, o Options) *Store {
	t.Helper()
	ctx := context.Background()
	dsn, err := ParseDSN(text)
	if err != nil {
		t.Fatal(err)
	}
	db, err := OpenDB(ctx, dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	so := schema.Options{Own: true}
	if o.Prefix != nil {
		so.Prefix = *o.Prefix
	}
	if _, err := schema.Apply(ctx, db, d, so); err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, dsn, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// addUser makes a user with aliases and gives its id.
func addUser(t *testing.T, s *Store, name string, quota int64, aliases ...string) uint64 {
	t.Helper()
	u, err := s.AddUser(context.Background(), name, quota, aliases)
	if err != nil {
		t.Fatal(err)
	}
	return u.ID
}

// mail makes a delivery of a small message to users.
func mail(text string, sender string, users ...uint64) *Delivery {
	raw, err := message.ReadRaw(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")), 0, 0)
	if err != nil {
		panic(err)
	}
	now := time.Now().UTC()
	d := &Delivery{
		Message: message.Split(raw, message.Options{Sender: sender, Received: now}),
		Digest:  sha256.Sum256(raw.Data), Sender: sender, Received: now,
	}
	for _, u := range users {
		d.Targets = append(d.Targets, Target{UserID: u})
	}
	return d
}

func plain(n int) string {
	return fmt.Sprintf("From: Nora <nora@sender.test>\nTo: alice@example.org\nSubject: number %d\nDate: Tue, 03 Nov 2026 09:30:15 +0100\nMessage-ID: <%d@sender.test>\n\nbody %d\n", n, n, n)
}

// count runs a query that gives one number.
func count(t *testing.T, s *Store, query string, args ...any) int64 {
	t.Helper()
	var n sql.NullInt64
	if err := s.db.QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return n.Int64
}

func mustDeliver(t *testing.T, s *Store, d *Delivery) []Outcome {
	t.Helper()
	out := s.Deliver(d)
	for i, o := range out {
		if o.Err != nil {
			t.Fatalf("target %d: %v", i, o.Err)
		}
	}
	return out
}

// clean fails the test when the store has any problem.
func clean(t *testing.T, s *Store) {
	t.Helper()
	err := s.Verify(context.Background(), "", func(p Problem) { t.Errorf("verify: %s: %s", p.Kind, p.What) })
	if err != nil {
		t.Error(err)
	}
}
