package directory

import (
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

func TestEscape(t *testing.T) {
	for value, want := range map[string][2]string{ // filter, DN
		"plain@example.com": {"plain@example.com", "plain@example.com"},
		`*()\`:              {`\2A\28\29\5C`, `*()\5C`},
		"a b\t":             {"a b\t", `a\20b\09`},
		`"#+,;<>=`:          {`"#+,;<>=`, `\22\23\2B\2C\3B\3C\3E=`},
		"\x00":              {`\00`, `\00`},
		"jürgen":            {"jürgen", "jürgen"},
		"j\xfcrgen*":        {`j\FCrgen\2A`, `j\FCrgen*`},
		"":                  {"", ""},
	} {
		if got := EscapeFilter(value); got != want[0] {
			t.Errorf("filter %q: %q, want %q", value, got, want[0])
		}
		if got := EscapeDN(value); got != want[1] {
			t.Errorf("DN %q: %q, want %q", value, got, want[1])
		}
	}
}

// What was escaped is one value again when it is read.
func FuzzEscape(f *testing.F) {
	for _, value := range []string{"a", `*()\`, " a ", "#a", "a=b,c", "\x00\xff", "\ufffd", strings.Repeat("*", 5000)} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		p, err := ldap.CompileFilter("(a=" + EscapeFilter(value) + ")")
		if err != nil {
			t.Fatal(err)
		}
		if got := p.Children[1].Data.String(); p.Tag != ldap.FilterEqualityMatch || got != value {
			t.Errorf("filter: %q became %q", value, got)
		}
		if value == "" {
			return
		}
		dn, err := ldap.ParseDN("a=" + EscapeDN(value) + ",b=c")
		if err != nil {
			t.Fatal(err)
		}
		if len(dn.RDNs) != 2 || len(dn.RDNs[0].Attributes) != 1 || dn.RDNs[0].Attributes[0].Value != value {
			t.Errorf("DN: %q became %v", value, dn)
		}
	})
}
