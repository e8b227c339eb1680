package recipient

import (
	"fmt"
	"testing"
)

// TestRenamed: what is remembered from before an entry was renamed does not
// give its row the old login back, neither while the directory can be asked
// nor while it cannot.
func TestRenamed(t *testing.T) {
	s := newSite(t, siteOptions{ldif: person("lena", 10001, "mail: lena@example.org", "mailAlternateAddress: l.lund@example.org") +
		entry("cn=team", "objectClass: groupOfNames", "objectClass: gatepostList", "cn: team", "mail: team@example.org", "member: uid=lena,dc=example,dc=org")})
	row := func() string {
		t.Helper()
		users, err := s.store.Users(brief(t))
		if err != nil {
			t.Fatal(err)
		}
		for _, u := range users {
			if u.ID == 10001 {
				return u.Name
			}
		}
		return ""
	}
	sent := 0
	mail := func(address, want string) {
		t.Helper()
		r, err := s.Lookup(brief(t), address)
		if err != nil || len(r.Users) != 1 {
			t.Fatalf("%s: %s", address, show(r, err))
		}
		if r.Users[0].Name != want {
			t.Errorf("%s is %q, want %q", address, r.Users[0].Name, want)
		}
		sent++
		deliver(t, s.store, r.Users[0], fmt.Sprint(sent))
		if got := row(); got != want {
			t.Errorf("after mail for %s the row is %q, want %q", address, got, want)
		}
	}
	mail("lena@example.org", "lena")
	mail("team@example.org", "lena")
	if err := s.slapd.Modify("dn: uid=lena,dc=example,dc=org\nchangetype: modrdn\nnewrdn: uid=lund\ndeleteoldrdn: 1\n\n"); err != nil {
		t.Fatal(err)
	}
	mail("lena@example.org", "lena") // remembered, and nothing to rename
	mail("l.lund@example.org", "lund")
	mail("lena@example.org", "lund")
	mail("team@example.org", "lund")
	s.slapd.Stop()
	mail("lena@example.org", "lund")
	mail("l.lund@example.org", "lund")
}
