package ldapmap

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

// site is what the walks of these tests know of Postfix.
func site(change func(*Postfix)) Postfix {
	p := DefaultPostfix()
	p.RecipientDelimiter, p.Mydestination, p.Myorigin, p.InetInterfaces = "+", []string{"Local.test"}, "origin.test", []string{"127.0.0.1", "2001:db8::1"}
	if change != nil {
		change(&p)
	}
	return p
}

// What real Postfix asks for is compared in test/ldapmap; here it is in words.
func TestWalks(t *testing.T) {
	plain := func(p *Postfix) { p.RecipientDelimiter = "" }
	for _, c := range []struct {
		class  Class
		change func(*Postfix)
		key    string
		want   string // keys, by blanks; _ stands for a blank in a key
	}{
		{Exact, nil, "User+Ext@Example.org", "user+ext@example.org"},
		{Exact, nil, "", ""},
		{VirtualAlias, nil, "", ""},
		{VirtualAlias, plain, "user+ext@example.org", "user+ext@example.org @example.org"},
		{VirtualAlias, nil, "User+Ext@Example.org", "user+ext@example.org user@example.org @example.org"},
		{VirtualAlias, nil, "user+ext@local.TEST", "user+ext@local.test user@local.test user+ext user @local.test"},
		{Canonical, nil, "user@origin.test", "user@origin.test user @origin.test"},
		{Canonical, nil, `""`, `""`},
		{RelayRecipient, nil, `"quoted user+e"@local.test`, `"quoted_user+e"@local.test quoted_user+e@local.test "quoted_user"@local.test quoted_user@local.test "quoted_user+e" quoted_user+e "quoted_user" quoted_user @local.test`},
		{VirtualAlias, nil, `"quoted user+e"@example.org`, `"quoted_user+e"@example.org "quoted_user"@example.org @example.org`},
		{VirtualAlias, nil, `quoted user+e@example.org`, `quoted_user+e@example.org quoted_user@example.org @example.org`},
		{VirtualAlias, nil, "example.org", "example.org"}, // virtual_alias_domains is virtual_alias_maps by default
		{Mailbox, nil, "user+e+f@example.org", "user+e+f@example.org user@example.org @example.org"},
		{SenderLogin, nil, "+ext@example.org", "+ext@example.org @example.org"},
		{SenderLogin, nil, "postmaster@example.org", "postmaster@example.org @example.org"},
		{SenderLogin, nil, "user@[127.0.0.1]", "user@[127.0.0.1] user @[127.0.0.1]"},
		{SenderLogin, nil, "user@[IPv6:2001:db8::1]", "user@[ipv6:2001:db8::1] user @[ipv6:2001:db8::1]"},
		{RelayRecipient, nil, `"<>"`, `"<>" <>`},
		{RelayRecipient, func(p *Postfix) { p.RecipientDelimiter = "-+" }, "owner-x+y@example.org", "owner-x+y@example.org @example.org"},
		{RelayRecipient, func(p *Postfix) { p.RecipientDelimiter = "-+" }, "x+y-request@example.org", "x+y-request@example.org @example.org"},
		{RelayRecipient, func(p *Postfix) { p.RecipientDelimiter = "-+" }, "x+y-z@example.org", "x+y-z@example.org x@example.org @example.org"},
		{RelayRecipient, func(p *Postfix) { p.RecipientDelimiter, p.OwnerRequestSpecial = "-", false }, "owner-x@example.org", "owner-x@example.org owner@example.org @example.org"},
		{Access, nil, "user+e@a.example.org", "user+e@a.example.org user@a.example.org a.example.org example.org org user+e@ user@"},
		{Access, func(p *Postfix) { p.ParentDomainMatchesSubdomains = nil }, "user@a.example.org", "user@a.example.org a.example.org .example.org .org user@"},
		{Access, nil, "<>", "<>"},
		{Access, nil, "Mail.Example.org", "mail.example.org example.org org"},
		{Access, nil, "192.0.2.7", "192.0.2.7 192.0.2 192.0 192"},
		{Access, nil, "2001:db8::7", "2001:db8::7 2001:db8: 2001:db8 2001"},
		{Access, nil, "unknown", "unknown"},
		{Transport, nil, "*", "*"},
		{Transport, nil, "user+e@a.example.org", "user+e@a.example.org user@a.example.org a.example.org .example.org .org"},
		{Transport, func(p *Postfix) { p.ParentDomainMatchesSubdomains = []string{"transport_maps"} }, "user@a.example.org", "user@a.example.org a.example.org example.org org"},
		{Domain, nil, "A.Example.org", "a.example.org example.org org"},
		{Domain, func(p *Postfix) { p.ParentDomainMatchesSubdomains = nil }, "a.example.org", "a.example.org .example.org .org"},
		{Domain, func(p *Postfix) { p.List = "mydestination" }, "a.example.org", "a.example.org"},
		{Domain, nil, "example.org.", "example.org. org."},
	} {
		table := &fakeTable{}
		data, found, err := NewKeys(c.class, site(c.change)).Lookup(t.Context(), table, c.key)
		if data != "" || found || err != nil {
			t.Errorf("%s %q: %q, %v, %v", c.class, c.key, data, found, err)
		}
		var want []string
		for _, key := range strings.Fields(c.want) {
			want = append(want, strings.ReplaceAll(key, "_", " "))
		}
		if !slices.Equal(table.asked, want) {
			t.Errorf("%s %q: %q, want %q", c.class, c.key, table.asked, want)
		}
	}
}

func TestExtensionsInResults(t *testing.T) {
	off := func(p *Postfix) { p.PropagateUnmatchedExtensions = nil }
	table := &fakeTable{data: map[string]string{
		"user@example.org": "alice@a.test,bob@b.test", "full+ext@example.org": "full@a.test", "@catchall.test": "all@a.test",
		"moved@example.org": "@new.test", "@domain.test": "@new.test", "bare": "alice@a.test", `"a b"@example.org`: `"c d"@a.test`,
	}}
	for _, c := range []struct {
		class     Class
		change    func(*Postfix)
		key, want string
	}{
		{VirtualAlias, nil, "user@example.org", "alice@a.test,bob@b.test"},
		{VirtualAlias, nil, "User+Ext@example.org", "alice+Ext@a.test,bob+Ext@b.test"},
		{VirtualAlias, off, "user+ext@example.org", "alice@a.test,bob@b.test"},
		{Canonical, nil, "user+ext@example.org", "alice+ext@a.test,bob+ext@b.test"},
		{Canonical, func(p *Postfix) { p.PropagateUnmatchedExtensions = []string{"virtual"} }, "user+ext@example.org", "alice@a.test,bob@b.test"},
		{RelayRecipient, nil, "user+ext@example.org", "alice@a.test,bob@b.test"},
		{VirtualAlias, nil, "full+ext@example.org", "full@a.test"},
		{VirtualAlias, nil, "x+ext@catchall.test", "all@a.test"},
		{VirtualAlias, nil, "moved+ext@example.org", "@new.test"},
		{VirtualAlias, off, "moved+ext@example.org", "moved@new.test"},
		{VirtualAlias, off, "x+ext@domain.test", "@new.test"},
		{VirtualAlias, nil, "bare+ext@local.test", "alice+ext@a.test"},
		{VirtualAlias, nil, `"a b+x y"@example.org`, `"c d+x y"@a.test`},
	} {
		data, found, err := NewKeys(c.class, site(c.change)).Lookup(t.Context(), table, c.key)
		if data != c.want || !found || err != nil {
			t.Errorf("%s %q: %q, %v, %v; want %q", c.class, c.key, data, found, err, c.want)
		}
	}
}

// A key that cannot be told ends the walk, lest a later one be found.
func TestErrorEndsWalk(t *testing.T) {
	broken := errors.New("no server")
	for key := range map[string]bool{"user+ext@local.test": true, "user@local.test": true, "user": true} {
		table := &fakeTable{data: map[string]string{"@local.test": "all@a.test"}, fail: map[string]error{key: broken}}
		data, found, err := NewKeys(VirtualAlias, site(nil)).Lookup(t.Context(), table, "user+ext@local.test")
		if !errors.Is(err, broken) || found || data != "" {
			t.Errorf("%s: %q, %v, %v", key, data, found, err)
		}
		if last := table.asked[len(table.asked)-1]; last != key {
			t.Errorf("%s: it went on to %s", key, last)
		}
	}
}

func TestAbsurdDomain(t *testing.T) {
	table := &fakeTable{}
	key := "u@" + strings.Repeat("a.", 5000) + "org"
	if _, _, err := NewKeys(Transport, site(nil)).Lookup(t.Context(), table, key); !errors.Is(err, errLabels) {
		t.Error(err)
	}
	if len(table.asked) > maxLabels+2 {
		t.Errorf("%d keys", len(table.asked))
	}
}

func TestAddExtension(t *testing.T) {
	for _, c := range [][2]string{
		{"a@b.test", "a+x@b.test"},
		{"a", "a+x"},
		{"a@b.test, c@d.test", "a+x@b.test, c+x@d.test"},
		{"a@b.test c@d.test", "a+x@b.test c+x@d.test"},
		{`"a b"@c.test`, `"a b+x"@c.test`},
		{`"a, b"@c.test,d`, `"a, b+x"@c.test,d+x`},
		{`"a\"b"@c.test`, `"a\"b+x"@c.test`},
		{"<a@b.test>", "<a+x@b.test>"},
		{"a@b.test (a comment, (nested) with a@b)", "a+x@b.test (a comment, (nested) with a@b)"},
		{"a+y@b.test", "a+y+x@b.test"},
		{"a@[192.0.2.1]", "a+x@[192.0.2.1]"},
		{"a@[IPv6:2001:db8::1]", "a+x@[IPv6:2001:db8::1]"},
		{"a%b.test", "a+x%b.test"},
		{"b!a", "b!a+x"},
		{"<@hop.test,@hop2.test:a@b.test>", "<@hop.test,@hop2.test:a+x@b.test>"},
		{"<@b.test>", "<+x@b.test>"},
		{"<>", "<>"},
		{"", ""},
		{",", ","},
		{"(never closed", "(never closed"},
	} {
		if got := addExtension(c[0], "+x"); got != c[1] {
			t.Errorf("%s: %s, want %s", c[0], got, c[1])
		}
	}
}

// An extension that needs quotes takes the whole local part into them.
func TestAddExtensionInQuotes(t *testing.T) {
	for _, c := range [][2]string{
		{"a@b.test", `"a+x y"@b.test`},
		{"a", `"a+x y"`},
		{"a%b.test", `"a+x y"@b.test`},
		{"b.test!a", `"a+x y"@b.test`},
		{"b.test!c!a", `"c!a+x y"@b.test`},
	} {
		if got := addExtension(c[0], "+x y"); got != c[1] {
			t.Errorf("%s: %s, want %s", c[0], got, c[1])
		}
	}
}

func FuzzWalk(f *testing.F) {
	for _, key := range []string{"user+ext@example.org", `"a b+c"@d`, `"\"@@`, "@", "+@x", "a\\", `"`, "1.2.3.4", "::1", "..", "a@b@c"} {
		f.Add(key, "a@b,c", byte(0))
	}
	f.Fuzz(func(t *testing.T, key, data string, class byte) {
		if len(key) > 2000 || len(data) > 2000 {
			return
		}
		walk := NewKeys(Classes()[int(class)%len(Classes())], site(nil))
		nothing := &fakeTable{}
		if _, found, _ := walk.Lookup(t.Context(), nothing, key); found {
			t.Fatal("found nothing")
		}
		if len(nothing.asked) > maxLabels+12 {
			t.Fatalf("%d keys", len(nothing.asked))
		}
		if slices.Contains(nothing.asked, "") {
			t.Fatal("the empty key")
		}
		// Whatever is found last is what comes out, with or without extension.
		for _, asked := range nothing.asked {
			table := &fakeTable{data: map[string]string{asked: data}}
			got, found, err := walk.Lookup(t.Context(), table, key)
			if err != nil || !found || len(got) < len(data) && !strings.HasPrefix(data, "@") && !strings.ContainsAny(data, `"\`) {
				t.Fatalf("%q: %q, %v, %v", asked, got, found, err)
			}
		}
	})
}

func FuzzQuoteAddress(f *testing.F) {
	for _, s := range []string{"a b@c", `a"b@c`, `a\b@c`, "a@b@c", "", "@", ".a@b", "a..b@c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		quoted := quoteAddress(s, false)
		if !strings.Contains(s, "@") {
			return
		}
		if got := unquoteAddress(quoted); got != s {
			t.Fatalf("%q becomes %q, and that %q", s, quoted, got)
		}
		if again := quoteAddress(unquoteAddress(quoted), false); again != quoted {
			t.Fatalf("%q, then %q", quoted, again)
		}
	})
}
