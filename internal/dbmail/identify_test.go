package dbmail

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
)

const (
	uuidA = "2f5ffeb6-7c67-1041-8fc1-891066e1ce29"
	uuidB = "2f5ffeb6-7c67-1041-8fc1-891066e1ce30"
	uuidC = "2f5ffeb6-7c67-1041-8fc1-891066e1ce31"
)

// entry is an account of the directory.
func entry(id uint64, login, uuid string) *Identity {
	return &Identity{ID: id, Login: login, UUID: uuid, Addresses: []string{login + "@example.org"}}
}

// shadow makes the row of a directory user, noted for an entry unless uuid is "".
func shadow(t *testing.T, s *Store, id uint64, login, uuid string) {
	t.Helper()
	run(t, s, "INSERT INTO dbmail_users (user_idnr, userid, passwd, client_idnr, encryption_type) VALUES (?, ?, 'UNUSED', 65535, 'md5')", id, login)
	if uuid != "" {
		noted(t, s, id, login, uuid)
	}
}

// noted writes a row of gatepost_users.
func noted(t *testing.T, s *Store, id uint64, login, uuid string) {
	t.Helper()
	run(t, s, "INSERT INTO gatepost_users (user_idnr, entry_uuid, login, noted) VALUES (?, ?, ?, '2026-11-23 10:00:00')", id, uuid, login)
}

func run(t *testing.T, s *Store, query string, args ...any) {
	t.Helper()
	if _, err := s.write.Exec(query, args...); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
}

// pairings are what an entry and the store's rows may be to each other.
// wrong is a part of the sentence; "" where they belong together.
var pairings = []struct {
	name  string
	rows  func(t *testing.T, s *Store)
	entry *Identity
	wrong string
}{
	{"nobody yet", nil, entry(10001, "lena", uuidA), ""},
	{"nobody yet, no uuid shown", nil, entry(10001, "lena", ""), ""},
	{"noted", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", uuidA) }, entry(10001, "lena", uuidA), ""},
	{"noted, in other letters", func(t *testing.T, s *Store) { shadow(t, s, 10001, "Lena", uuidA) }, entry(10001, "lENA", strings.ToUpper(uuidA)), ""},
	{"made by DBMail", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", "") }, entry(10001, "lena", uuidA), ""},
	{"made by DBMail, no uuid shown", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", "") }, entry(10001, "lena", ""), ""},
	{"renamed", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", uuidA) }, entry(10001, "lena.new", uuidA), ""},
	{"another user's number and login noted", func(t *testing.T, s *Store) { shadow(t, s, 10002, "mika", uuidB) }, entry(10001, "lena", uuidA), ""},
	{"noted for a user that is gone", func(t *testing.T, s *Store) { noted(t, s, 10001, "old", uuidB) }, entry(10001, "lena", uuidA), ""},
	{"noted at a number that is gone", func(t *testing.T, s *Store) { noted(t, s, 10009, "old", uuidA) }, entry(10001, "lena", uuidA), ""},

	{"made anew", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", uuidA) }, entry(10001, "lena", uuidB),
		"store user adopt lena --uuid " + uuidB},
	{"uuid not shown any more", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", uuidA) }, entry(10001, "lena", ""),
		"the directory shows no entryUUID now"},
	{"number used again", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", uuidA) }, entry(10001, "mika", uuidB),
		`uidNumber 10001 belongs to user "lena", entry ` + uuidA},
	{"number used again, nothing noted", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", "") }, entry(10001, "mika", uuidB),
		`uidNumber 10001 belongs to user "lena" in the store, the directory says "mika"; settle it with: gatepost store user rename lena mika`},
	{"number used again, no uuid shown", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", "") }, entry(10001, "mika", ""), `belongs to user "lena"`},
	{"login used again", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", uuidA) }, entry(20001, "lena", uuidB),
		`login "lena" belongs to user 10001 in the store, the directory says uidNumber 20001; settle it with: gatepost store user adopt lena --id 20001 --uuid ` + uuidB},
	{"login used again, in other letters", func(t *testing.T, s *Store) { shadow(t, s, 10001, "LENA", "") }, entry(20001, "lena", ""), `login "lena" belongs to user 10001`},
	{"number changed", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", uuidA) }, entry(20001, "lena", uuidA),
		"store user rename lena lena --id 20001"},
	{"number and login changed", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", uuidA) }, entry(20001, "lena.new", uuidA),
		"store user rename lena lena.new --id 20001"},
	{"number changed to one that has a mailbox", func(t *testing.T, s *Store) {
		shadow(t, s, 10001, "mika", uuidA)
		shadow(t, s, 20001, "lena", "")
	}, entry(20001, "lena", uuidA), "store user adopt mika"},
	{"renamed to a login that somebody has", func(t *testing.T, s *Store) {
		shadow(t, s, 10001, "lena", uuidA)
		shadow(t, s, 10002, "mika", uuidB)
	}, entry(10001, "mika", uuidA), "store user rename mika OTHERNAME"},
	{"renamed in the store as well", func(t *testing.T, s *Store) {
		shadow(t, s, 10001, "bob", "")
		noted(t, s, 10001, "lena", uuidA)
	}, entry(10001, "lena", uuidA), `who was "lena" when entry`},
	{"a user of the store's own", func(t *testing.T, s *Store) {
		run(t, s, "INSERT INTO dbmail_users (user_idnr, userid, passwd) VALUES (10001, 'bob', 'secret')")
	}, entry(10001, "lena", uuidA), `belongs to user "bob"`},
	{"DBMail's own number", nil, entry(2, "lena", uuidA), `DBMail's own user "anyone"`},
	{"DBMail's own login", nil, entry(10001, "Anyone", uuidA), `login "Anyone" belongs to DBMail itself`},
	{"a login that is no shell word", func(t *testing.T, s *Store) { shadow(t, s, 10001, "lena", "") }, entry(10001, "x; rm 'y'", uuidA),
		`rename lena 'x; rm '\''y'\'''`},
}

func TestIdentify(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for _, c := range pairings {
			run(t, s, "DELETE FROM dbmail_users WHERE user_idnr > 3")
			run(t, s, "DELETE FROM gatepost_users")
			if c.rows != nil {
				c.rows(t, s)
			}
			users, errs := s.Identify(context.Background(), []*Identity{c.entry})
			switch {
			case c.wrong == "" && errs[0] != nil:
				t.Errorf("%s: %v", c.name, errs[0])
			case c.wrong != "" && (!errors.Is(errs[0], ErrPairing) || !strings.Contains(errs[0].Error(), c.wrong)):
				t.Errorf("%s: %v, want %q", c.name, errs[0], c.wrong)
			}
			if u := users[0]; u.ID != c.entry.ID || u.Name != c.entry.Login || !u.Active || !u.Shadow || u.Identity != c.entry {
				t.Errorf("%s: %+v", c.name, u)
			}
		}
	})
}

// A number that cannot be a row is no pairing, and finds nobody else's.
func TestIdentifyRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		shadow(t, s, 10001, "lena", "")
		bad := []*Identity{
			nil, entry(0, "lena", ""), entry(1<<63, "lena", ""), entry(10002, "", ""), entry(10002, " lena", ""),
			entry(10002, strings.Repeat("x", 256), ""), entry(10001, "lena", strings.Repeat("x", 65)), entry(10001, "lena", "a b"),
		}
		_, errs := s.Identify(context.Background(), append(bad, entry(10001, "lena", uuidA)))
		for i, err := range errs[:len(bad)] {
			if err == nil || errors.Is(err, ErrPairing) {
				t.Errorf("%d: %v", i, err)
			}
		}
		if errs[len(bad)] != nil {
			t.Error(errs[len(bad)])
		}
	})
}

// Sessions that ask at the same moment get their own answers.
func TestIdentifyTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for i := range 20 {
			shadow(t, s, uint64(10000+i), fmt.Sprintf("user%d", i), fmt.Sprintf("uuid-%d", i))
			run(t, s, "UPDATE dbmail_users SET curmail_size = ? WHERE user_idnr = ?", i, 10000+i)
		}
		var wg sync.WaitGroup
		for n := range 100 {
			wg.Go(func() {
				var ids []*Identity
				for k := range 3 + n%2*manyIdentities {
					i := (n + k) % 40
					ids = append(ids, &Identity{ID: uint64(10000 + i), Login: fmt.Sprintf("user%d", i), UUID: fmt.Sprintf("uuid-%d", i), Quota: int64(n)})
				}
				ids = append(ids, entry(10003, "user4", "uuid-3"))
				users, errs := s.Identify(context.Background(), ids)
				for k, u := range users[:len(ids)-1] {
					used := int64(ids[k].ID - 10000)
					if used >= 20 {
						used = 0
					}
					if errs[k] != nil || u.ID != ids[k].ID || u.Used != used || u.Quota != int64(n) {
						t.Errorf("%d: %+v, %v", k, u, errs[k])
					}
				}
				if !errors.Is(errs[len(ids)-1], ErrPairing) {
					t.Errorf("user4 is somebody else: %v", errs[len(ids)-1])
				}
			})
		}
		wg.Wait()
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		if _, errs := s.Identify(ctx, []*Identity{entry(10001, "user1", "uuid-1")}); errs[0] == nil || errors.Is(errs[0], ErrPairing) {
			t.Errorf("out of time: %v", errs[0])
		}
	})
}

// The collation takes letters for each other that differ in accents, and has
// one row for both.
func TestIdentifyAccents(t *testing.T) {
	s := mariaStore(t, Options{})
	shadow(t, s, 10001, "léna", uuidA)
	_, errs := s.Identify(context.Background(), []*Identity{entry(10002, "lena", uuidB), entry(10003, "lenä", uuidC), entry(10004, "mika", ""), entry(10001, "LÉNA", uuidA)})
	for i, wrong := range []bool{false, true, false, false} {
		if i == 0 {
			wrong = true
		}
		if errors.Is(errs[i], ErrPairing) != wrong || (errs[i] == nil) == wrong {
			t.Errorf("%d: %v", i, errs[i])
		}
	}
}

// Without gatepost_users number and login must agree.
func TestIdentifyWithoutOwnTable(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		run(t, s, "DROP TABLE gatepost_users")
		s.limits.OwnUsers = false
		if err := s.learn(context.Background()); err != nil || s.limits.OwnUsers || !strings.Contains(strings.Join(s.limits.Warnings, "\n"), "no table gatepost_users") {
			t.Fatalf("%v, %+v", err, s.limits)
		}
		shadow(t, s, 10001, "lena", "")
		_, errs := s.Identify(context.Background(), []*Identity{
			entry(10001, "lena", uuidA), entry(10002, "mika", uuidB), entry(10001, "lena.new", uuidA), entry(10003, "lena", uuidC),
		})
		for i, wrong := range []bool{false, false, true, true} {
			if errors.Is(errs[i], ErrPairing) != wrong || (errs[i] == nil) == wrong {
				t.Errorf("%d: %v", i, errs[i])
			}
		}
	})
}
