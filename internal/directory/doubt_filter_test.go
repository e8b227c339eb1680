package directory

import (
	"slices"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestFilterAttributes(t *testing.T) {
	for filter, want := range map[string][]string{
		"(mail=a)": {"mail"},
		"(&(objectClass=person)(|(Mail=a)(uid=b)(mail=c))(!(x;lang-de=*)))": {"mail", "objectclass", "uid", "x;lang-de"},
		"(mail=*a*)":        {"mail"},
		"(a>=1)":            {"a"},
		"(a<=1)":            {"a"},
		"(a~=1)":            {"a"},
		"(a:2.5.13.5:=1)":   {"a"},
		"(a:dn:=1)":         {"a"},
		"(:dn:2.5.13.5:=1)": nil,
		"(2.5.4.3=x=y)":     {"2.5.4.3"},
		`(a=\28b=c\29)`:     {"a"},
		"":                  nil,
	} {
		if got := filterAttributes(filter); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", filter, got, want)
		}
	}
}

func TestParentDN(t *testing.T) {
	for dn, want := range map[string]string{
		"a=b,c=d": "c=d", "a=b, c=d,e=f": "c=d,e=f", "a=b": "", "": "",
		`a=b\,x,c=d`: "c=d", `a="b,x",c=d`: "c=d", `a=b\`: "",
	} {
		if got := parentDN(dn); got != want {
			t.Errorf("%s: %q, want %q", dn, got, want)
		}
	}
}

func TestFoldDN(t *testing.T) {
	for dn, want := range map[string]string{
		"UID=Alice , OU=People,dc=x": "uid=alice,ou=people,dc=x",
		" cn = A  b ,dc=x ":          "cn=a b,dc=x",
		`cn=a\, b,dc=x`:              `cn=a\, b,dc=x`,
		"":                           "",
	} {
		if got := foldDN(dn); got != want {
			t.Errorf("%q: %q, want %q", dn, got, want)
		}
	}
}

// Whatever a filter is, what a proof makes of it is a filter.
func FuzzFilterAttributes(f *testing.F) {
	for _, filter := range []string{"(mail=a)", "(&(a=b)(|(c=d)(!(e=*))))", "(:dn:1.2:=x)", "(a;b=c)", "(()=", "(="} {
		f.Add(filter)
	}
	f.Fuzz(func(t *testing.T, filter string) {
		names := filterAttributes(filter)
		for _, made := range []string{evaluable(names), having(names)} {
			if _, err := ldap.CompileFilter(made); err != nil {
				t.Errorf("%q gives %q: %v", filter, made, err)
			}
		}
	})
}
