package directory

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// TestAbove: the groups of an account by the ways to them, through each other
// and through circles, are those that IsMember says.
func TestAbove(t *testing.T) {
	n, _ := nounsOn(t, presetDBMail(), testbed.SlapdOptions{LDIF: treeLDIF()})
	short := func(dns []string) (names []string) {
		for _, dn := range dns {
			names = append(names, strings.TrimSuffix(strings.TrimPrefix(dn, "cn="), ",dc=example,dc=com"))
		}
		return names
	}
	for login, want := range map[string]string{
		"u0": "alias<plain all<plain/unique plain unique<plain",
		"u3": "all<dynamic dynamic left<posix/right posix right<posix",
		"u4": "alias all<alias left right<left",
	} {
		account, err := n.Accounts.ByLogin(brief(t), login)
		if err != nil {
			t.Fatal(err)
		}
		found, err := n.Groups.Above(brief(t), account)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range found {
			text := short([]string{a.DN})[0]
			if len(a.Path) > 0 {
				text += "<" + strings.Join(short(a.Path), "/")
			}
			if (text == "plain") != (a.Address == "plain@example.com") {
				t.Errorf("%s has the address %q", a.DN, a.Address)
			}
			got = append(got, text)
		}
		slices.Sort(got)
		// There may be several shortest ways; all<… is one of them.
		text := strings.ReplaceAll(strings.Join(got, " "), "all<plain/alias", "all<plain/unique")
		text = strings.ReplaceAll(text, "all<left", "all<alias")
		if text != want {
			t.Errorf("%s: %s, want %s", login, text, want)
		}
	}
	of, err := n.Groups.Above(brief(t), &Account{DN: "CN=posix,dc=example,dc=com"})
	if err != nil || len(of) != 3 || of[0].DN != "cn=right,dc=example,dc=com" {
		t.Errorf("of a group: %+v, %v", of, err)
	}
	n.Groups.bounds.Depth = 1
	if _, err := n.Groups.Above(brief(t), &Account{DN: "cn=posix,dc=example,dc=com"}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too deep: %v", err)
	}
	none, err := n.Groups.Above(brief(t), &Account{Address: "nobody@example.net"})
	if err != nil || len(none) > 0 {
		t.Errorf("nobody: %+v, %v", none, err)
	}
}
