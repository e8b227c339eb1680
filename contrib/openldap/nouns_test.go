package openldap

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"gatepost/internal/directory"
	"gatepost/internal/testbed"
)

// open is a directory as a daemon of ours has it, by its directory.toml.
func open(t *testing.T, s *testbed.SlapdServer, name, more string) (*directory.Directory, *directory.Nouns) {
	t.Helper()
	c, problems := directory.LoadConfig(directoryFile(t, s, name, more))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	d := c.Open(slog.New(slog.DiscardHandler))
	t.Cleanup(d.Close)
	return d, directory.NewNouns(d, c.Kind(), c.Bases())
}

func directoryFile(t *testing.T, s *testbed.SlapdServer, name, more string) string {
	t.Helper()
	dir := t.TempDir()
	secret := filepath.Join(dir, "password")
	write(t, secret, password(name))
	path := filepath.Join(dir, "directory.toml")
	write(t, path, fmt.Sprintf("uris = [%q]\nbase = %q\nbind_dn = %q\nbind_password_file = %q\nsentinel = \"(mail=sentinel@example.com)\"\n%s",
		s.URI(), suffix, who[name], secret, more))
	return path
}

// unindexed shows what the server searched without an index.
func unindexed(t *testing.T, s *testbed.SlapdServer) {
	t.Helper()
	log := s.Log()
	if !strings.Contains(log, "SRCH base=") {
		t.Error("the server does not log its searches")
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, "not indexed") {
			t.Error(line)
		}
	}
}

// TestNouns: with its rights each daemon finds what it is for, and earns its
// "not found".
func TestNouns(t *testing.T) {
	for form, start := range forms {
		t.Run(form, func(t *testing.T) {
			s := start(t)
			setPasswords(t, s)
			for _, name := range []string{"ldapmap", "policyd", "milter", "lmtpd", "dbmail"} {
				_, n := open(t, s, name, "")
				checkNouns(t, name, n)
			}
			two, err := search(as(t, s, "lmtpd"), suffix, ldap.ScopeWholeSubtree,
				"(|(entryDN="+who["alice"]+")(entryDN=uid=bob,ou=people,"+suffix+")(entryDN="+who["lmtpd"]+"))", "uid")
			if err != nil || len(two) != 2 {
				t.Errorf("lmtpd finds %d members by DN, %v", len(two), err)
			}
			unindexed(t, s)
		})
	}
}

func checkNouns(t *testing.T, name string, n *directory.Nouns) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	expect := func(what string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) || want == nil && err != nil {
			t.Errorf("%s: %s: %v, want %v", name, what, err, want)
		}
	}
	alice, err := n.Accounts.ByAddress(ctx, "Alice@Example.org")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if alice.DN != who["alice"] || alice.Login != "alice" || len(alice.UUID) != 36 || len(alice.Alternates) != 3 ||
		!alice.HasAddress("webmaster@bücher.example") {
		t.Errorf("%s: %+v", name, alice)
	}
	carol, err := n.Accounts.ByLogin(ctx, "carol")
	expect("carol", err, nil)
	if err == nil && carol.Status != directory.StatusDisabled {
		t.Errorf("%s: carol is %v", name, carol.Status)
	}
	_, err = n.Accounts.ByAddress(ctx, "nobody@example.com")
	expect("nobody's address", err, directory.ErrNotFound)
	_, err = n.Accounts.ByLogin(ctx, "nobody")
	expect("nobody's login", err, directory.ErrNotFound)
	_, err = n.Accounts.ByDN(ctx, who["ldapmap"])
	expect("a daemon as an account", err, directory.ErrNotFound)
	if name == "dbmail" {
		return
	}

	for address, want := range map[string]bool{"example.com": true, "example.org": true, "bücher.example": true, "example.net": false} {
		if has, err := n.Domains.Has(ctx, address); err != nil || has != want {
			t.Errorf("%s: domain %s: %v, %v", name, address, has, err)
		}
	}
	team, err := n.Groups.ByAddress(ctx, "team@example.org")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	_, err = n.Groups.ByAddress(ctx, "nobody@example.com")
	expect("no list", err, directory.ErrNotFound)
	staff, err := n.Groups.ByAddress(ctx, "staff@example.com")
	expect("staff", err, nil)
	shell, err := n.Groups.ByAddress(ctx, "shell@example.com")
	expect("shell", err, nil)
	bob, err := n.Accounts.ByLogin(ctx, "bob")
	expect("bob", err, nil)
	dan, err := n.Accounts.ByAddress(ctx, "dan@example.com")
	expect("dan", err, nil)
	if t.Failed() {
		return
	}
	for _, tc := range []struct {
		group *directory.Group
		who   *directory.Account
		want  bool
	}{
		{team, alice, true}, {team, bob, true}, {team, dan, false}, {staff, dan, true}, {staff, carol, false}, {shell, bob, true}, {shell, alice, false},
		{team, &directory.Account{Address: "partner@example.net"}, true}, {team, &directory.Account{Address: "other@example.net"}, false},
	} {
		if is, err := n.Groups.IsMember(ctx, tc.group, tc.who); err != nil || is != tc.want {
			t.Errorf("%s: %s in %s: %v, %v", name, tc.who.Address, tc.group.DN, is, err)
		}
	}
	switch name {
	case "policyd":
		if team.Senders != directory.SendersMembers || !slices.Equal(team.Moderators, []string{"uid=dan,ou=people," + suffix}) || len(alice.Limits) != 2 ||
			!alice.HasService("smtp") || alice.UIDNumber != 0 || alice.Quota != 0 || len(alice.Delegates) != 1 {
			t.Errorf("%s: %+v, %+v", name, team, alice)
		}
	case "lmtpd":
		if alice.UIDNumber != 10001 || alice.Quota != 2<<30 || !alice.HasService("imap") || len(alice.Limits) != 0 || !slices.Equal(dan.Forward, []string{"dan@example.net"}) || !dan.Keep {
			t.Errorf("%s: %+v, %+v", name, alice, dan)
		}
	case "ldapmap":
		scanner, err := n.Accounts.ByLogin(ctx, "scanner")
		if err != nil || scanner.Keep || !slices.Equal(scanner.Forward, []string{"bob@example.com"}) {
			t.Errorf("%s: %+v, %v", name, scanner, err)
		}
	}
	if name == "policyd" || name == "milter" {
		return
	}
	for group, want := range map[*directory.Group]string{
		team:  "alice@example.com bob@example.com ernie@example.com partner@example.net",
		staff: "alice@example.com bob@example.com dan@example.com", shell: "bob@example.com",
	} {
		members, err := n.Groups.Members(ctx, group)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var addresses []string
		for _, m := range members.Members {
			addresses = append(addresses, m.Address)
		}
		slices.Sort(addresses)
		if got := strings.Join(addresses, " "); got != want || len(members.Missing) > 0 {
			t.Errorf("%s: members of %s: %s, missing %v; want %s", name, group.DN, got, members.Missing, want)
		}
	}
}

// TestCoherence: a daemon is told what changes among what it may read.
func TestCoherence(t *testing.T) {
	for form, start := range forms {
		t.Run(form, func(t *testing.T) {
			s := start(t)
			setPasswords(t, s)
			d, n := open(t, s, "ldapmap", "[cache]\ncoherence = true\n")
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			look := time.NewTicker(2 * time.Millisecond)
			defer look.Stop()
			until := func(what string, done func() bool) {
				t.Helper()
				for !done() {
					select {
					case <-look.C:
					case <-ctx.Done():
						t.Fatal(what)
					}
				}
			}
			until("the server is not followed", func() bool { return d.Stats().Followed[suffix] != "" })
			if _, err := n.Accounts.ByAddress(ctx, "bob@example.com"); err != nil {
				t.Fatal(err)
			}
			if err := s.Modify("dn: uid=bob,ou=people," + suffix + "\nchangetype: modify\nreplace: mail\nmail: robert@example.com\n"); err != nil {
				t.Fatal(err)
			}
			until("the change is not seen", func() bool {
				_, err := n.Accounts.ByAddress(ctx, "bob@example.com")
				return errors.Is(err, directory.ErrNotFound)
			})
		})
	}
}
