package directory

import (
	"strings"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"
)

// entryOf makes an entry of pairs of name and value.
func entryOf(pairs ...string) *Entry {
	e := &Entry{DN: "cn=x,dc=example"}
	for i := 0; i < len(pairs); i += 2 {
		e.Attributes = append(e.Attributes, Attribute{Name: pairs[i], Values: [][]byte{[]byte(pairs[i+1])}})
	}
	return e
}

func TestQuota(t *testing.T) {
	for text, want := range map[string]int64{
		"0": 0, "300": 300, "64K": 64 << 10, "100m": 100 << 20, "2G": 2 << 30, "1T": 1 << 40, "10 MB": 10 << 20, " 5 ": 5, "1000S": 1000,
		"": -1, "K": -1, "-1": -1, "1.5G": -1, "1KK": -1, "1P": -1, "9999999999T": -1, "10BB": -1, "100M,1000C": -1, "unlimited": -1,
	} {
		got, err := parseQuota(text)
		if err != nil {
			got = -1
		}
		if got != want {
			t.Errorf("%q: %d, want %d", text, got, want)
		}
	}
}

func TestLimit(t *testing.T) {
	for text, want := range map[string]Limit{
		"messages 200/1h":       {"messages", 200, time.Hour},
		"Recipients  2000/7d":   {"recipients", 2000, 7 * 24 * time.Hour},
		"bytes 500M/30m":        {"bytes", 500 << 20, 30 * time.Minute},
		"messages 0/10s":        {"messages", 0, 10 * time.Second},
		"messages 200":          {},
		"messages 200/h":        {},
		"messages 200/0h":       {},
		"messages 200/-1h":      {},
		"messages 200/1w":       {},
		"messages 200/1":        {},
		"messages/1h":           {},
		"letters 200/1h":        {},
		"messages x/1h":         {},
		"messages 1/999999999d": {},
		"":                      {},
	} {
		got, err := ParseLimit(text)
		if got != want || (err == nil) != (want != Limit{}) {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
	}
}

func TestStatus(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		want       Status
		bad        bool
	}{
		{"accountStatus", "active", StatusActive, false},
		{"accountStatus", "DISABLED", StatusDisabled, false},
		{"accountStatus", "noaccess", StatusNoAccess, false},
		{"accountStatus", "deleted", StatusDeleted, false},
		{"mailEnabled", "FALSE", StatusDisabled, false},
		{"mailEnabled", "TRUE", StatusActive, false},
		{"accountStatus", "suspended", 0, true},
		{"accountStatus", "", 0, true},
		{"userAccountControl", "512", StatusActive, false},
		{"userAccountControl", "514", StatusDisabled, false},
		{"userAccountControl", "66050", StatusDisabled, false},
		{"userAccountControl", "-2147483646", StatusDisabled, false},
		{"userAccountControl", "active", 0, true},
		{"userAccountControl", "", 0, true},
	} {
		at := &Attributes{Status: []string{tc.name}}
		got, err := at.status(entryOf(tc.name, tc.text))
		if (err != nil) != tc.bad || !tc.bad && got != tc.want {
			t.Errorf("%s %q: %v, %v", tc.name, tc.text, got, err)
		}
	}
	at := &Attributes{Status: []string{"accountStatus", "userAccountControl"}}
	if got, err := at.status(entryOf("accountStatus", "active", "userAccountControl", "514")); got != StatusDisabled || err != nil {
		t.Errorf("two statuses: %v, %v", got, err)
	}
	if got, err := at.status(entryOf()); got != StatusActive || err != nil {
		t.Errorf("no status: %v, %v", got, err)
	}
}

func TestDNs(t *testing.T) {
	for _, same := range [][2]string{
		{"uid=lena,dc=example,dc=com", "UID=Lena, DC=example,dc=COM"},
		{`cn=a\,b,dc=x`, `cn=a\2cb,dc=x`},
		{"cn=a+uid=b,dc=x", "uid=b+cn=a,dc=x"},
		{"cn=Jörg,dc=x", `cn=J\C3\B6rg,dc=x`},
	} {
		if dnKey(same[0]) != dnKey(same[1]) {
			t.Errorf("%q and %q differ: %q, %q", same[0], same[1], dnKey(same[0]), dnKey(same[1]))
		}
	}
	for _, other := range [][2]string{{"uid=lena,dc=x", "uid=lena"}, {"cn=a,b", "cn=a"}, {"cn=a", "sn=a"}, {`cn=a\,dc=x`, "cn=a,dc=x"}} {
		if dnKey(other[0]) == dnKey(other[1]) {
			t.Errorf("%q is %q", other[0], other[1])
		}
	}
	for _, tc := range []struct {
		dn, base string
		scope    Scope
		want     bool
	}{
		{"uid=l,ou=p,dc=x", "dc=x", ScopeSub, true},
		{"uid=l,ou=p,dc=x", "DC=X", ScopeOne, false},
		{"uid=l,ou=p,dc=x", "ou=P, dc=x", ScopeOne, true},
		{"uid=l,ou=p,dc=x", "uid=l,ou=p,dc=x", ScopeBase, true},
		{"uid=l,ou=p,dc=x", "uid=l,ou=p,dc=x", ScopeSub, true},
		{"uid=l,ou=p,dc=x", "uid=l,ou=p,dc=x", ScopeChildren, false},
		{"uid=l,ou=p,dc=x", "dc=y", ScopeSub, false},
		{"dc=x", "ou=p,dc=x", ScopeSub, false},
		{"uid=l,ou=p,dc=x", "", ScopeSub, true},
		{"no dn", "", ScopeSub, false},
	} {
		if got := below(tc.dn, tc.base, tc.scope); got != tc.want {
			t.Errorf("%q below %q (%d): %v", tc.dn, tc.base, tc.scope, got)
		}
	}
}

func TestAddressForms(t *testing.T) {
	for _, tc := range []struct{ a, b string }{
		{"Lena@Example.com", "lena@example.COM"},
		{"x@müller.example", "X@xn--mller-kva.example"},
		{"jörg@example.com", "JÖRG@example.com"},
		{"@MÜLLER.example", "@xn--mller-kva.example"},
		{"local", "LOCAL"},
		{"x@[192.0.2.1]", "X@[192.0.2.1]"},
		{"x@_odd.example", "x@_ODD.example"},
		{`"a@b"@example.com`, `"A@b"@example.com`},
	} {
		if !SameAddress(tc.a, tc.b) {
			t.Errorf("%q and %q differ: %q, %q", tc.a, tc.b, AddressKey(tc.a), AddressKey(tc.b))
		}
	}
	for _, tc := range []struct{ a, b string }{{"a@example.com", "b@example.com"}, {"x@muller.example", "x@müller.example"}, {"a@b", "a"}, {"", "@"}} {
		if SameAddress(tc.a, tc.b) {
			t.Errorf("%q is %q", tc.a, tc.b)
		}
	}
	if got := addressForms("X@MÜLLER.example"); len(got) != 2 || got[0] != "x@müller.example" || got[1] != "x@xn--mller-kva.example" {
		t.Errorf("%q", got)
	}
	if got := addressForms("x@example.com"); len(got) != 1 {
		t.Errorf("%q", got)
	}
}

// FuzzNames: whatever an entry holds, names have a key that is the key of
// that key, and nothing panics.
func FuzzNames(f *testing.F) {
	for _, seed := range []string{"x@müller.example", "cn=a+b=c,dc=x", `cn=\`, "x@xn--a", "#04", "cn=#04024869", "\xff@\xfe", "SMTP:x@y", "messages 1/1h", "5G"} {
		f.Add(seed)
	}
	p := presetAD()
	f.Fuzz(func(t *testing.T, text string) {
		if key := AddressKey(text); !SameAddress(key, text) {
			t.Errorf("address %q: %q", text, key)
		}
		if forms := addressForms(text); len(forms) == 0 || len(forms) > 3 {
			t.Errorf("%q", forms)
		}
		dnKey(text)
		below(text, text, ScopeSub)
		parseQuota(text)
		if l, err := ParseLimit(text); err == nil && (l.Count < 0 || l.Period <= 0) {
			t.Errorf("%+v", l)
		}
		p.Attributes.account(entryOf("proxyAddresses", text, "sAMAccountName", text, "targetAddress", text, "objectGUID", text))
		rangeOf(entryOf("member;range="+text, text), "member")
	})
}

// FuzzPlainDN: the short way to compare DNs says what the long one does.
func FuzzPlainDN(f *testing.F) {
	for _, dn := range []string{"uid=a,dc=example,dc=com", "UID=A b,DC=x", "uid=a, dc=x", "cn=a\\,b,dc=x", "cn=a=b", "cn=", "=a", "", ",", "a=b,", "cn=a ,dc=x", "cn=a+sn=b", "cn=#04", "1.2=x"} {
		f.Add(dn)
	}
	f.Fuzz(func(t *testing.T, dn string) {
		if !isPlainDN(dn) {
			return
		}
		parsed, err := ldap.ParseDN(dn)
		if err != nil {
			return // no server has it
		}
		if want := strings.ToLower(parsed.String()); dnKey(dn) != want {
			t.Errorf("%q: %q, want %q", dn, dnKey(dn), want)
		}
	})
}
