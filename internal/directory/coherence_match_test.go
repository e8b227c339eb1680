package directory

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"gatepost/internal/testbed"
)

func changeOf(dn string, attributes map[string][]string) *change {
	return newChange(ldap.NewEntry(dn, attributes), &ldap.ControlSyncState{State: ldap.SyncStateAdd})
}

func TestChangeMayAnswer(t *testing.T) {
	c := changeOf("uid=alice,ou=People,dc=example,dc=com", map[string][]string{
		"objectClass": {"inetOrgPerson"}, "uid": {"alice"}, "mail": {"Alice@example.com", "a.b@example.com"},
		"cn": {"Alice  Smith"}, "sn;lang-de": {"Müller"}, "seeAlso": {"cn=x,dc=example"}, "telephoneNumber": {"+49 30-12"},
		"hasSubordinates": {"FALSE"},
	})
	readable := map[string]bool{"mail": true, "uid": true, "cn": true, "sn": true, "telephonenumber": true, "seealso": true, "title": true}
	tests := []struct {
		filter string
		want   bool
	}{
		{"(mail=alice@example.com)", true},
		{"(mail=ALICE@EXAMPLE.COM)", true},
		{"(MAIL=alice@example.com)", true},
		{"(mail=bob@example.com)", false},
		{"(mail=alice@example.co)", false},
		{"(mail=alice@example.com.)", false},
		{`(mail=\61lice@example.com)`, true},
		{`(mail=\62ob@example.com)`, false},
		{`(mail=b\2ab@example.com)`, false},
		{`(mail=\c3\a4@example.com)`, true}, // other rules may hold
		{"(mail=ä@example.com)", true},
		{"(mail=*)", true},
		{"(title=*)", false},
		{"(title=x)", false},
		{"(mail=bob@*)", true}, // a substring is not looked at
		{"(mail~=bob)", true},
		{"(mail>=bob)", true},
		{"(mail:caseExactMatch:=bob)", true},
		{"(mailAlternateAddress=bob)", true}, // may be hidden from us
		{"(cn=alice smith)", true},
		{"(cn=bob smith)", false},
		{"(sn=maier)", true}, // umlauts
		{"(sn;lang-de=maier)", true},
		{"(seeAlso=cn=y,dc=example)", true}, // a DN
		{"(telephoneNumber=+493012)", true},
		{"(telephoneNumber=+493013)", false},
		{"(objectClass=person)", true}, // a superclass
		{"(&(uid=alice)(mail=bob))", false},
		{"(&(uid=alice)(mail=a.b@example.com))", true},
		{"(|(uid=bob)(mail=bob))", false},
		{"(|(uid=bob)(mail=alice@example.com))", true},
		{"(!(uid=alice))", true},
		{"(&(!(uid=alice))(mail=bob))", false},
		{"(&(objectClass=*)(|(uid=bob)(&(uid=alice)(cn=bob))))", false},
		{"(mail=bob", true}, // no filter
		{"mail=bob", true},
		{"", true},
		{"(&(mail=bob)", true},
	}
	for _, tt := range tests {
		r := &Request{Base: "dc=example, dc=com", Filter: tt.filter}
		if got := c.mayAnswer(r, readable); got != tt.want {
			t.Errorf("%s: %v", tt.filter, got)
		}
	}
	for _, tt := range []struct {
		base  string
		scope Scope
		want  bool
	}{
		{"dc=example,dc=com", ScopeSub, true},
		{"DC=Example,DC=com", ScopeSub, true},
		{"", ScopeSub, true},
		{"ou=people,dc=example,dc=com", ScopeOne, true},
		{"dc=example,dc=com", ScopeOne, false},
		{"uid=alice,ou=people,dc=example,dc=com", ScopeOne, false},
		{"uid=alice,ou=people,dc=example,dc=com", ScopeBase, true},
		{"ou=people,dc=example,dc=com", ScopeBase, false},
		{"ou=other,dc=example,dc=com", ScopeSub, false},
		{"ple,dc=example,dc=com", ScopeSub, false},
		{`uid=\61lice,ou=people,dc=example,dc=com`, ScopeBase, true},
	} {
		r := &Request{Base: tt.base, Scope: tt.scope, Filter: "(mail=alice@example.com)"}
		if got := c.mayAnswer(r, readable); got != tt.want {
			t.Errorf("%s, scope %d: %v", tt.base, tt.scope, got)
		}
	}
}

// What slapd finds may be an answer, for every kind of test in a filter.
func TestChangeAgreesWithSlapd(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{LDIF: append(peopleLDIF(5), "dn: cn=odd\\, one+sn=x,ou=people,dc=example,dc=com\n"+
		"objectClass: inetOrgPerson\ncn: odd, one\nsn: x\nmail: ODD@example.com\ntelephoneNumber: +49 (0)30 1-2\n"+
		"seeAlso: CN=a, DC=example,DC=com\ntitle:: w4RydHp0aW4=\ndescription: two  spaces \n\n"...)})
	p := openPool(t, Settings{URIs: []string{s.URI()}})
	conn, err := ldap.DialURL(s.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	found := 0
	for _, filter := range []string{
		"(objectClass=*)", "(objectClass=person)", "(objectClass=2.5.6.6)", "(mail=user1@EXAMPLE.com)", "(0.9.2342.19200300.100.1.3=odd@example.com)",
		"(rfc822Mailbox=odd@example.com)", "(name=user 1)", "(cn=USER  1)", `(telephoneNumber=+49\280\293012)`, "(seeAlso=cn=a,dc=EXAMPLE,dc=com)",
		"(title=ärztin)", "(title=\\c3\\84RZTIN)", "(description=two spaces)", "(cn=odd, one)", "(mail=u*1@*com)", "(uid>=user3)", "(uid<=user3)",
		"(cn~=usr)", "(!(uid=user1))", "(&(sn=user)(!(mail=user1@example.com)))", "(cn:caseIgnoreMatch:=user 2)", "(ou:dn:=people)",
		"(|(mail=user1@example.com)(uid=user3))", "(:caseIgnoreMatch:=user 2)", "(entryDN=uid=user1,ou=people,dc=example,dc=com)",
		"(hasSubordinates=FALSE)", "(structuralObjectClass=inetOrgPerson)",
	} {
		for _, base := range []string{"dc=example,dc=com", "ou=People, dc=Example,dc=com", `cn=odd\2C one+sn=x,ou=people,dc=example,dc=com`} {
			for _, scope := range []Scope{ScopeSub, ScopeOne, ScopeBase} {
				r := &Request{Base: base, Scope: scope, Filter: filter}
				a, err := p.Search(t.Context(), r)
				if err != nil {
					t.Fatalf("%s: %v", filter, err)
				}
				readable := map[string]bool{}
				var all []*change
				res, err := conn.Search(ldap.NewSearchRequest("dc=example,dc=com", 2, 0, 0, 0, false, "(objectClass=*)", []string{"*", "hasSubordinates"}, nil))
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range res.Entries {
					c := newChange(e, &ldap.ControlSyncState{State: ldap.SyncStateModify})
					all = append(all, c)
					for name := range c.names {
						readable[name] = true
					}
				}
				for _, e := range a.Entries {
					for _, c := range all {
						if c.dn == foldDN(e.DN) {
							found++
							if !c.mayAnswer(r, readable) {
								t.Errorf("%s below %s (%d) finds %s", filter, base, scope, e.DN)
							}
						}
					}
				}
			}
		}
	}
	if found < 100 {
		t.Errorf("only %d entries were found", found)
	}
}

// A list's members are asked for by their DNs: a change of somebody else does
// not touch the answer.
func TestChangeByDN(t *testing.T) {
	c := changeOf("uid=a,dc=b", map[string][]string{"mail": {"a@b"}})
	for filter, want := range map[string]bool{
		"(|(entryDN=uid=x,dc=b)(entryDN=uid=y,dc=b))":      false,
		"(|(entryDN=uid=x,dc=b)(entryDN=UID=A,DC=B))":      true,
		"(|(entryDN=uid=x,dc=b)(entryDN=uid=a, dc=b))":     true, // written in some other way
		"(|(entryDN=uid=x,dc=b)(entryDN=uid=\\5c61,dc=b))": true,
	} {
		if got := c.mayAnswer(&Request{Base: "dc=b", Filter: filter}, nil); got != want {
			t.Errorf("%s: %v", filter, got)
		}
	}
}

func FuzzChangeFilter(f *testing.F) {
	for _, filter := range []string{"(mail=a)", "(&(a=b)(|(c=d)(!(e=*))))", `(a=\2`, "(((", "(&", "(a:=\\zz)"} {
		f.Add(filter)
	}
	c := changeOf("uid=a,dc=b", map[string][]string{"mail": {"a@b"}})
	f.Fuzz(func(t *testing.T, filter string) {
		c.mayAnswer(&Request{Filter: filter}, nil)
	})
}

func TestParseUUID(t *testing.T) {
	if id := parseUUID([]byte("2f5ffeb6-7c67-1041-8fc1-891066E1CE29")); fmt.Sprintf("%x", id) != "2f5ffeb67c6710418fc1891066e1ce29" {
		t.Errorf("%x", id)
	}
	for _, text := range []string{"", "2f5ffeb6", "2f5ffeb6-7c67-1041-8fc1-891066e1ce2g", "2f5ffeb6-7c67-1041-8fc1-891066e1ce2900"} {
		if parseUUID([]byte(text)) != [16]byte{} {
			t.Errorf("%q", text)
		}
	}
}

// What one change costs in a full cache.
func BenchmarkCoherenceSweep(b *testing.B) {
	c := NewCache(&generated{1}, DefaultCacheOptions())
	for n := 0; c.Stats().Evictions == 0; n++ {
		r := byMail(fmt.Sprintf("somebody.%d@example.com", n))
		r.Filter = "(&(objectClass=inetOrgPerson)(|" + r.Filter + strings.Replace(r.Filter, "mail", "mailAlternateAddress", 1) + "))"
		c.Search(b.Context(), r)
	}
	f := &follower{cache: c}
	one := changeOf("uid=a,ou=people,dc=example,dc=com", map[string][]string{"mail": {"a@b"}, "mailAlternateAddress": {"b@c"}})
	one.uuid[0] = 1
	c.store.sweep(func(i *item) bool {
		for _, e := range i.entries {
			e.uuid[0] = 2
		}
		return false
	})
	b.ReportMetric(float64(c.Stats().Entries), "entries")
	for b.Loop() {
		if n := c.drop(f.touched([]*change{one})); n != 0 {
			b.Fatal(n)
		}
	}
}
