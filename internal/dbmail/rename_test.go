package dbmail

import (
	"context"
	"fmt"
	osexec "os/exec"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// commands finds those that the sentence of a pairing names.
func commands(t *testing.T, sentence string) [][]string {
	t.Helper()
	var out [][]string
	for _, m := range regexp.MustCompile(`(?:store user|or) ((?:rename|adopt) .*?)(?: \(|$)`).FindAllStringSubmatch(sentence, -1) {
		line := strings.NewReplacer("OTHERNAME", "other.name", "NUMBER", "99001").Replace(m[1])
		words, err := osexec.Command("/bin/sh", "-c", `for word in `+line+`; do printf '%s\n' "$word"; done`).Output()
		if err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		out = append(out, strings.Split(strings.TrimSuffix(string(words), "\n"), "\n"))
	}
	return out
}

// obey runs one of them.
func obey(s *Store, words []string) error {
	var args []string
	flags := map[string]string{}
	for i := 1; i < len(words); i++ {
		if strings.HasPrefix(words[i], "--") {
			flags[words[i]] = words[i+1]
			i++
			continue
		}
		args = append(args, words[i])
	}
	id, _ := strconv.ParseUint(flags["--id"], 10, 64)
	var err error
	if words[0] == "rename" {
		_, err = s.RenameUser(context.Background(), args[0], args[1], id)
	} else {
		_, err = s.AdoptUser(context.Background(), args[0], flags["--uuid"], id)
	}
	return err
}

// Every pairing that is refused is settled by each of the commands that its
// sentence names, without a mailbox or message lost.
func TestCommandsSettlePairings(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		for n, c := range pairings {
			if c.wrong == "" {
				continue
			}
			setUp := func() {
				run(t, s, "DELETE FROM dbmail_users WHERE user_idnr > 3")
				run(t, s, "DELETE FROM gatepost_users")
				run(t, s, "DELETE FROM dbmail_aliases")
				if c.rows != nil {
					c.rows(t, s)
				}
				for _, id := range rows(t, s, "SELECT user_idnr FROM dbmail_users WHERE user_idnr > 3") {
					run(t, s, "INSERT INTO dbmail_mailboxes (owner_idnr, name, permission) VALUES (?, 'Notes', 2)", id)
					run(t, s, "INSERT INTO dbmail_subscription (user_id, mailbox_id) SELECT owner_idnr, mailbox_idnr FROM dbmail_mailboxes WHERE owner_idnr = ?", id)
					run(t, s, "INSERT INTO dbmail_aliases (alias, deliver_to) VALUES (?, ?)", "alias@example.org", id)
				}
			}
			setUp()
			_, errs := s.Identify(context.Background(), []*Identity{c.entry})
			named := commands(t, errs[0].Error())
			if len(named) == 0 && !strings.Contains(errs[0].Error(), "DBMail") {
				t.Errorf("%s: no command in %v", c.name, errs[0])
			}
			for k, words := range named {
				setUp()
				mailboxes := count(t, s, "SELECT count(*) FROM dbmail_mailboxes")
				if err := obey(s, words); err != nil {
					t.Errorf("%s: %q: %v", c.name, words, err)
					continue
				}
				out := s.Deliver(mailTo(plain(10*n+k), "a@b.test", c.entry))
				if out[0].Err != nil {
					t.Errorf("%s: %q leaves %v", c.name, words, out[0].Err)
				}
				for query, want := range map[string]int64{
					"SELECT count(*) FROM dbmail_mailboxes WHERE name = 'Notes'": mailboxes,
					"SELECT count(*) FROM dbmail_mailboxes b JOIN dbmail_users u ON u.user_idnr = b.owner_idnr JOIN dbmail_subscription s ON s.user_id = u.user_idnr AND s.mailbox_id = b.mailbox_idnr WHERE b.name = 'Notes'": mailboxes,
					"SELECT count(*) FROM dbmail_aliases a JOIN dbmail_users u ON u.user_idnr = CAST(a.deliver_to AS UNSIGNED)":                                                                                                mailboxes,
				} {
					if got := count(t, s, query); got != want {
						t.Errorf("%s: %q: %s: %d, want %d", c.name, words, query, got, want)
					}
				}
				if c.entry.UUID == "" {
					continue
				}
				if got := rows(t, s, fmt.Sprintf("SELECT entry_uuid, login FROM gatepost_users WHERE user_idnr = %d", c.entry.ID)); len(got) != 1 || got[0] != c.entry.UUID+","+c.entry.Login {
					t.Errorf("%s: %q: noted %q", c.name, words, got)
				}
			}
		}
	})
}

// What would make two mailboxes one, or a row DBMail cannot have, is refused
// and changes nothing.
func TestRenameRefuses(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		shadow(t, s, 10001, "lena", uuidA)
		shadow(t, s, 10002, "mika", uuidB)
		noted(t, s, 10009, "gone", uuidC)
		before := fmt.Sprint(rows(t, s, "SELECT user_idnr, userid FROM dbmail_users ORDER BY user_idnr"), rows(t, s, "SELECT user_idnr, entry_uuid, login FROM gatepost_users ORDER BY user_idnr"))
		for _, c := range []struct{ command, why string }{
			{"rename lena mika", `user "mika" (10002) is there already`},
			{"rename lena MIKA", "free the login first with: gatepost store user rename mika OTHERNAME"},
			{"rename lena lena --id 10002", `number 10002 belongs to user "mika"`},
			{"rename lena new --id 2", "belongs to DBMail itself"},
			{"rename lena anyone", "belongs to DBMail itself"},
			{"rename lena lena", "already"},
			{"rename lena lena --id 99999999999999999", "larger than"},
			{"rename anyone new", "not found"},
			{"rename nobody new", "not found"},
			{"adopt nobody", "not found"},
			{"adopt lena --uuid " + strings.ToUpper(uuidB), `is noted for user "mika" (10002)`},
			{"adopt lena --id 10002", `number 10002 belongs to user "mika"`},
			{"adopt lena --uuid " + strings.Repeat("x", 65), "longer than"},
		} {
			if err := obey(s, strings.Fields(c.command)); err == nil || !strings.Contains(err.Error(), c.why) {
				t.Errorf("%s: %v, want %q", c.command, err, c.why)
			}
			if after := fmt.Sprint(rows(t, s, "SELECT user_idnr, userid FROM dbmail_users ORDER BY user_idnr"), rows(t, s, "SELECT user_idnr, entry_uuid, login FROM gatepost_users ORDER BY user_idnr")); after != before {
				t.Errorf("%s: %s became %s", c.command, before, after)
			}
		}
		// What is noted for nobody stands in nobody's way.
		for _, command := range []string{"adopt lena --uuid " + uuidC, "rename mika mika --id 10009", "rename lena LENA"} {
			if err := obey(s, strings.Fields(command)); err != nil {
				t.Errorf("%s: %v", command, err)
			}
		}
		if got := strings.Join(rows(t, s, "SELECT user_idnr, entry_uuid, login FROM gatepost_users ORDER BY user_idnr"), " "); got != "10001,"+uuidC+",LENA 10009,"+uuidB+",mika" {
			t.Errorf("noted: %s", got)
		}
	})
}

// A store without DBMail's references moves a user all the same.
func TestRenameWithoutReferences(t *testing.T) {
	s := mariaStore(t, Options{})
	mustDeliver(t, s, mailTo(plain(1), "a@b.test", entry(10001, "lena", uuidA)))
	run(t, s, "ALTER TABLE dbmail_mailboxes DROP FOREIGN KEY dbmail_mailboxes_ibfk_1")
	run(t, s, "DROP TABLE dbmail_auto_replies")
	if _, err := s.RenameUser(context.Background(), "lena", "lena", 20001); err != nil {
		t.Fatal(err)
	}
	if n := count(t, s, "SELECT count(*) FROM dbmail_mailboxes WHERE owner_idnr = 20001"); n != 1 {
		t.Errorf("%d mailboxes moved", n)
	}
	mustDeliver(t, s, mailTo(plain(2), "a@b.test", entry(20001, "lena", uuidA)))
}

// A user of the store's own gets a number beside the directory's.
func TestNumbersOfOwnUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		first := addUser(t, s, "alice", 0)
		mustDeliver(t, s, mailTo(plain(1), "a@b.test", entry(10001, "lena", uuidA)))
		run(t, s, "INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('old@example.org', ?)", first+2)
		noted(t, s, first+1, "gone", uuidB)
		for i, want := range []uint64{first + 1, first + 3, first + 4} {
			if id := addUser(t, s, fmt.Sprintf("own%d", i), 0); id != want {
				t.Errorf("user %d, want %d", id, want)
			}
		}
		if n := count(t, s, "SELECT count(*) FROM gatepost_users WHERE entry_uuid = ?", uuidB); n != 0 {
			t.Error("a new user is taken for one who is gone")
		}
		if _, err := s.SetUser(context.Background(), "lena", UserChange{Quota: new(int64)}); err == nil {
			t.Error("a quota for a user of the directory")
		}
		active := false
		if u, err := s.SetUser(context.Background(), "lena", UserChange{Active: &active}); err != nil || u.Active {
			t.Errorf("%+v, %v", u, err)
		}
		// DBMail's log-in looks at it; delivery does not.
		mustDeliver(t, s, mailTo(plain(2), "a@b.test", entry(10001, "lena", uuidA)))
	})
}

// Readers of users tell the directory's from the store's own.
func TestShadow(t *testing.T) {
	onBoth(t, func(t *testing.T, s *Store) {
		ctx := context.Background()
		addUser(t, s, "alice", 0, "both@example.org")
		shadow(t, s, 10001, "lena", uuidA)
		run(t, s, "INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('both@example.org', '10001')")
		seen := map[string]int{}
		check := func(us []User, err error) {
			t.Helper()
			if err != nil {
				t.Error(err)
			}
			for _, u := range us {
				seen[u.Name]++
				if u.Shadow != (u.Name == "lena") {
					t.Errorf("%+v", u)
				}
			}
		}
		check(s.Users(ctx))
		for _, name := range []string{"lena", "10001", "alice"} {
			u, err := s.User(ctx, name)
			check([]User{u}, err)
		}
		for _, addr := range []string{"both@example.org", "lena"} {
			r, err := s.Lookup(ctx, addr)
			check(r.Users, err)
		}
		if seen["lena"] != 5 || seen["alice"] != 3 {
			t.Errorf("seen %v", seen)
		}
		if got, err := s.Entries(ctx); err != nil || len(got) != 1 || got[10001] != uuidA {
			t.Errorf("entries %v, %v", got, err)
		}
	})
}
