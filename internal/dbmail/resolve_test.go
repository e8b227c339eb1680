package dbmail

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// recordedUsers is the state in which the recorded look-ups were made.
func recordedUsers(t *testing.T, s *Store) {
	t.Helper()
	data, err := os.ReadFile("testdata/users.sql")
	if err != nil {
		t.Fatal(err)
	}
	for stmt := range strings.SplitSeq(string(data), ";\n") {
		if strings.TrimSpace(stmt) != "" {
			if _, err := s.write.Exec(stmt); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// TestLookup holds DBMail's recorded answers (250 or 550 at RCPT, with and
// without a catch-all for the domain) against ours.
func TestLookup(t *testing.T) {
	// Where we answer otherwise on purpose.
	differ := map[string]string{
		"fwd@example.org":                "a forward-only alias works; DBMail refuses it",
		"fwd+x@example.org":              "a forward-only alias works; DBMail refuses it",
		"byname@example.org":             "a forward-only alias works; DBMail refuses it",
		"dangling@example.org":           "an alias of a user that does not exist leads nowhere; DBMail accepts and then fails",
		"__@!internal_delivery_user!@__": "DBMail's own accounts are no recipients",
		"anyone":                         "DBMail's own accounts are no recipients",
		"__public__":                     "DBMail's own accounts are no recipients",
	}
	data, err := os.ReadFile("testdata/rcpt-matrix.txt")
	if err != nil {
		t.Fatal(err)
	}
	onBoth(t, func(t *testing.T, s *Store) {
		recordedUsers(t, s)
		catchAll, checked := true, 0
		for line := range strings.SplitSeq(string(data), "\n") {
			if strings.HasPrefix(line, "## without") {
				catchAll = false
				if _, err := s.write.Exec("DELETE FROM dbmail_aliases WHERE alias = '@example.org'"); err != nil {
					t.Fatal(err)
				}
			}
			i := strings.LastIndex(line, " Recipient <")
			if i < 4 {
				continue
			}
			addr := strings.TrimSuffix(strings.TrimSuffix(line[i+12:], "> OK"), "> FAIL")
			if addr != strings.TrimSpace(addr) || strings.HasPrefix(addr, "<") {
				continue // no address that a client can say
			}
			want := strings.Contains(line[:i], "250")
			r, err := s.Lookup(context.Background(), addr)
			got := err == nil
			if err != nil && !errors.Is(err, ErrUnknown) && !errors.Is(err, ErrUndeliverable) {
				t.Errorf("%s: %v", addr, err)
			}
			why, known := differ[addr]
			switch {
			case known && catchAll && addr != "__@!internal_delivery_user!@__" && strings.Contains(addr, "@"):
				if !got {
					t.Errorf("%s: refused although there is a catch-all", addr)
				}
			case known && got == want:
				t.Errorf("%s: same answer as DBMail, but listed as different: %s", addr, why)
			case !known && got != want:
				t.Errorf("%s (catch-all %v): accepted %v, DBMail %v", addr, catchAll, got, want)
			}
			if got && len(r.Users)+len(r.Forwards) == 0 {
				t.Errorf("%s: accepted for nobody", addr)
			}
			checked++
		}
		if checked < 60 {
			t.Errorf("only %d recorded answers", checked)
		}
	})
}

func TestLookupTargets(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		recordedUsers(t, s)
		for _, q := range []string{
			"INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('dup@example.org', 'alice@example.org')",
			"INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('dup@example.org', 'both@example.org')",
			"INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('sys@example.org', '1')",
			"INSERT INTO dbmail_users (user_idnr, userid, passwd, active, encryption_type) VALUES (110, 'off@example.org', '', 0, '')",
			"INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('offalias@nowhere.test', '110')",
		} {
			if _, err := s.write.Exec(q); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			addr  string
			users string
			to    string
			box   string
			err   error
		}{
			{"alice@example.org", "alice", "", "", nil},
			{"alice+Notes@example.org", "alice", "", "Notes", nil},
			{"both@example.org", "alice bob", "", "", nil},
			{"dup@example.org", "alice bob", "", "", nil},
			{"mixed@example.org", "alice", "ext@outside.test", "", nil},
			{"fwd@example.org", "", "ext@outside.test", "", nil},
			{"chain1@example.org", "alice", "", "", nil},
			{"x@catch.example.org", "alice", "", "", nil},
			{"x@parent.test", "alice", "", "", nil},
			{"x@a.sub.test", "bob", "", "", nil},
			{"x@a.b.sub.test", "bob", "", "", nil},
			{"info@any.test", "bob", "", "", nil},
			{"info+box@any.test", "bob", "", "box", nil},
			{"nobody@example.org", "bob", "", "", nil}, // the domain's catch-all
			{"loop1@example.org", "bob", "", "", nil},
			{"sys@example.org", "bob", "", "", nil},
			{"off@example.org", "", "", "", ErrInactive},
			{"offalias@nowhere.test", "", "", "", ErrInactive},
			{"nouser@nowhere.test", "", "", "", ErrUnknown},
		} {
			r, err := s.Lookup(context.Background(), c.addr)
			if !errors.Is(err, c.err) || (err == nil) != (c.err == nil) {
				t.Errorf("%s: error %v, want %v", c.addr, err, c.err)
				continue
			}
			var names []string
			for _, u := range r.Users {
				names = append(names, u.Name)
			}
			slices.Sort(names)
			if strings.Join(names, " ") != c.users || strings.Join(r.Forwards, " ") != c.to || r.Detail != c.box {
				t.Errorf("%s: users %v, forwards %v, detail %q", c.addr, names, r.Forwards, r.Detail)
			}
		}
		if _, err := s.write.Exec("DELETE FROM dbmail_aliases WHERE alias = '@example.org'"); err != nil {
			t.Fatal(err)
		}
		for _, addr := range []string{"pipe@example.org", "bang@example.org", "loop1@example.org"} {
			if _, err := s.Lookup(context.Background(), addr); !errors.Is(err, ErrUndeliverable) {
				t.Errorf("%s: %v, want %v", addr, err, ErrUndeliverable)
			}
		}
	})
}

// A deep chain ends, a wide one too, and each user comes once.
func TestLookupIsBounded(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		alice := addUser(t, s, "alice", 0)
		for i := range 30 {
			target := fmt.Sprintf("c%d@example.org", i+1)
			if i == 29 {
				target = fmt.Sprint(alice)
			}
			if _, err := s.write.Exec("INSERT INTO dbmail_aliases (alias, deliver_to) VALUES (?, ?)", fmt.Sprintf("c%d@example.org", i), target); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := s.Lookup(context.Background(), "c0@example.org"); !errors.Is(err, ErrUndeliverable) {
			t.Errorf("a chain of 30: %v", err)
		}
		if r, err := s.Lookup(context.Background(), "c15@example.org"); err != nil || len(r.Users) != 1 {
			t.Errorf("a chain of 15: %v, %v", r, err)
		}
	})
}

// Where the collation would take one letter for another, the very letters win.
func TestLookupAccents(t *testing.T) {
	s := mariaStore(t, Options{})
	addUser(t, s, "one", 0, "müller@example.org")
	addUser(t, s, "two", 0, "muller@example.org")
	for addr, want := range map[string]string{"müller@example.org": "one", "muller@example.org": "two", "MÜLLER@example.org": "one"} {
		if r, err := s.Lookup(context.Background(), addr); err != nil || len(r.Users) != 1 || r.Users[0].Name != want {
			t.Errorf("%s: %+v, %v, want %s", addr, r.Users, err, want)
		}
	}
}
