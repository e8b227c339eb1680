package recipient

import (
	"context"
	"strings"
	"testing"

	"gatepost/internal/dbmail"
)

// TestInOrder: directory and DBMail's own tables, in both orders. Users that
// the tables have of the directory are what that says of them now.
func TestInOrder(t *testing.T) {
	s := newSite(t, siteOptions{ldif: peopleLDIF + person("was", 10070, "authorizedService: imap"), service: "imap"})
	ctx := context.Background()
	for name, aliases := range map[string][]string{
		"alice":               {"alice@example.org", "@own.example", "lena@example.org", "sales@example.org"},
		"bob@catch.example":   nil,
		"bob":                 {"user@elsewhere.example"},
		"shut":                {"shut@example.org"},
		"under@virtual.catch": nil,
	} {
		if _, err := s.store.AddUser(ctx, name, 0, aliases); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.store.SetUser(ctx, "shut", dbmail.UserChange{Active: new(bool)}); err != nil {
		t.Fatal(err)
	}
	// Rows that deliveries have made; two of the users are gone or closed by now.
	for _, address := range []string{"mika@example.org", "was@example.org", "copy@example.org", "nologin@example.org"} {
		r, err := s.Lookup(brief(t), address)
		if err != nil {
			t.Fatal(err)
		}
		first(t, s.store, r.Users[0])
	}
	if err := s.slapd.Modify("dn: uid=was,dc=example,dc=org\nchangetype: delete\n\n" +
		"dn: uid=mika,dc=example,dc=org\nchangetype: modify\nreplace: accountStatus\naccountStatus: disabled\n\n" +
		"dn: uid=nologin,dc=example,dc=org\nchangetype: modrdn\nnewrdn: uid=renamed\ndeleteoldrdn: 1\n"); err != nil {
		t.Fatal(err)
	}
	s.live.Flush()
	for alias, target := range map[string]string{"oldmika@example.org": "10002", "oldwas@example.org": "10070", "oldcopy@example.org": "10010", "oldname@example.org": "10008"} {
		if _, err := s.store.AddAlias(ctx, alias, target); err != nil {
			t.Fatal(err)
		}
		if _, err := s.store.AddAlias(ctx, "all@example.org", target); err != nil {
			t.Fatal(err)
		}
	}
	users, err := s.store.Users(ctx)
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, u := range users {
		ids[u.Name] = ask(t, SQL{s.store}, u.Name)
	}
	sql, both, other := SQL{s.store}, InOrder(s.Directory, SQL{s.store}), InOrder(SQL{s.store}, s.Directory)
	alice, bob := ids["alice"], ids["bob"]
	for _, tc := range []struct{ address, both, other string }{
		{"alice@example.org", alice, alice},
		{"alice", alice, alice},
		{"sales+x@example.org", alice + " detail:x", alice + " detail:x"},
		{"lena@example.org", "lena/10001", alice},
		{"lena", "lena/10001", "lena/10001"},
		{"x@own.example", alice, alice},
		{"shut@example.org", "inactive", "inactive"},
		{"closed@example.org", "inactive", "inactive"},
		{"nobody@example.org", "unknown", "unknown"},
		{"anyone", "unknown", "unknown"},
		{"twice@example.org", "cannot tell", "cannot tell"},

		// Users before catch-alls, also those of another source.
		{"x@catch.example", "catchall/10030", "catchall/10030"},
		{"bob@catch.example", ids["bob@catch.example"], ids["bob@catch.example"]},
		{"user@catch.example", "inactive", "inactive"},
		{"info@own.example", "info/10031", alice},
		{"user@elsewhere.example", bob, bob},

		// Rows of users of the directory.
		{"was", "unknown", "unknown"},
		{"oldwas@example.org", "unknown", "unknown"},
		{"oldmika@example.org", "inactive", "inactive"},
		{"mika", "inactive", "inactive"},
		{"oldcopy@example.org", "copy/10010 >copy@elsewhere.example", "copy/10010 >copy@elsewhere.example"},
		{"oldname@example.org", "renamed/10008", "renamed/10008"},
		{"nologin", "renamed/10008", "renamed/10008"},
		{"all@example.org", "copy/10010 renamed/10008 >copy@elsewhere.example", "copy/10010 renamed/10008 >copy@elsewhere.example"},
	} {
		for order, s := range map[string]Source{"directory, sql": both, "sql, directory": other} {
			want := tc.both
			if s == other {
				want = tc.other
			}
			if got := ask(t, s, tc.address); got != want && !(want == "cannot tell" && strings.HasPrefix(got, want)) {
				t.Errorf("%s: %s:\n got %s\nwant %s", order, tc.address, got, want)
			}
		}
	}
	// Without the directory, rows are what they are.
	if got := ask(t, InOrder(sql), "oldwas@example.org"); got != "was/10070(own)" {
		t.Errorf("the tables alone: %s", got)
	}

	s.slapd.Kill()
	s.live.Flush()
	for _, tc := range []struct{ address, both, other string }{
		{"alice@example.org", "cannot tell", alice},
		{"oldcopy@example.org", "cannot tell", "cannot tell"},
		{"nobody@example.org", "cannot tell", "cannot tell"},
		{"x@own.example", "cannot tell", "cannot tell"},
	} {
		for order, s := range map[string]Source{"directory, sql": both, "sql, directory": other} {
			want := tc.both
			if s == other {
				want = tc.other
			}
			if got := ask(t, s, tc.address); !strings.HasPrefix(got, want) {
				t.Errorf("%s, directory down: %s: %s, want %s", order, tc.address, got, want)
			}
		}
	}
}

// TestCatchAllOfNobody: a catch-all that leads to nobody who takes mail refuses
// what nobody else has, and nothing that a later source has.
func TestCatchAllOfNobody(t *testing.T) {
	s := newSite(t, siteOptions{ldif: peopleLDIF, service: "imap"})
	ctx := context.Background()
	if _, err := s.store.AddUser(ctx, "shut", 0, []string{"@example.org"}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.store.SetUser(ctx, "shut", dbmail.UserChange{Active: new(bool)}); err != nil {
		t.Fatal(err)
	}
	// The row of a user of the directory, who is closed there by now.
	r, err := s.Lookup(brief(t), "b@virtual.example")
	if err != nil {
		t.Fatal(err)
	}
	first(t, s.store, r.Users[0])
	if _, err := s.store.AddAlias(ctx, "@virtual.example", "10003"); err != nil {
		t.Fatal(err)
	}
	if err := s.slapd.Modify("dn: uid=bare,dc=example,dc=org\nchangetype: modify\nreplace: accountStatus\naccountStatus: disabled\n"); err != nil {
		t.Fatal(err)
	}
	s.live.Flush()
	both := InOrder(SQL{s.store}, s.Directory)
	for address, want := range map[string]string{
		"lena@example.org":     "lena/10001",
		"nobody@example.org":   "inactive",
		"o@virtual.example":    "olli@virtual.example/10004",
		"none@virtual.example": "inactive",
	} {
		if got := ask(t, both, address); got != want {
			t.Errorf("%s: %s, want %s", address, got, want)
		}
	}
}
