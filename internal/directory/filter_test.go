package directory

import (
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// What libldap 2.5 makes of filters, as recorded; empty: it refuses.
var looseFilters = map[string]string{
	"(mail=x)":                     "(mail=x)",
	"mail=x":                       "(mail=x)",
	"( mail=x)":                    "(mail=x)",
	"(mail=x )":                    "(mail=x )",
	"(mail= x)":                    "(mail= x)",
	"(mail=x\ty)":                  "(mail=x\ty)",
	"(mail=)":                      "(mail=)",
	"(&(mail=x)(uid=*))":           "(&(mail=x)(uid=*))",
	"(& (mail=x)\t(uid=*)\n)":      "(&(mail=x)(uid=*))",
	"( &(mail=x)(uid=*))":          "(&(mail=x)(uid=*))",
	"(! (mail=x))":                 "(!(mail=x))",
	"(&(mail=x)(!(uid=y)))":        "(&(mail=x)(!(uid=y)))",
	"(&(mail=x)(&))":               "(&(mail=x)(&))",
	"(mail=\\*)":                   "(mail=\\2A)",
	"(mail=\\2a)":                  "(mail=\\2a)",
	"(|(mail=\\(\\))(mail=x))":     "(|(mail=\\28\\29)(mail=x))",
	"(mail=*x*y*)":                 "(mail=*x*y*)",
	"(mail>=x)":                    "(mail>=x)",
	"(mail~=x)":                    "(mail~=x)",
	"(mail:=x)":                    "(mail:=x)",
	"(mail::=x)":                   "(mail::=x)",
	"(mail:caseIgnoreMatch:=x)":    "(mail:caseIgnoreMatch:=x)",
	"(mail:dn:=x)":                 "(mail:dn:=x)",
	"(mail:dn:2.5.13.2:=x)":        "(mail:dn:2.5.13.2:=x)",
	"(:2.5.13.2:=x)":               "(:2.5.13.2:=x)",
	"(1.2.3=x)":                    "(1.2.3=x)",
	"(mail;lang-de=x)":             "(mail;lang-de=x)",
	"(mail=j\xfcrgen)":             "(mail=j\\FCrgen)",
	"(mail=jürgen)":                "(mail=jürgen)",
	"(mail=\ufffd)":                "(mail=\\EF\\BF\\BD)",
	"(mail=a\x00b)":                "(mail=a\\00b)",
	"":                             "",
	"(":                            "",
	"(mail=x":                      "",
	"mail=x)":                      "",
	"((mail=x))":                   "",
	"(mail=x)y":                    "",
	"(mail=x)(uid=y)":              "",
	"(mail =x)":                    "",
	"(!(mail=x) )":                 "",
	"(!(mail=x)(uid=y))":           "",
	"(!)":                          "",
	"(mail=x\\)":                   "",
	"(mail=x\\zz)":                 "",
	"(|(mail=(y))(mail=x))":        "",
	"(mail=x(y)":                   "",
	"(mail=**)":                    "",
	"(mail=x**y)":                  "",
	"(mail:=*)":                    "",
	"(mail>=*)":                    "",
	"(:dn:=x)":                     "",
	"(mail:caseIgnoreMatch:dn:=x)": "",
	"(=x)":                         "",
	"(mail)":                       "",
	"mail":                         "",
	"()":                           "",
	"(mail;=x)":                    "",
	"(ma_il=x)":                    "",
	"(1mail=x)":                    "",
	"(-mail=x)":                    "",
	"(&mail=x)":                    "",
	"&(mail=x)":                    "",
	"(|(uid=x)mail=x)":             "",
	"\"(mail=x)\"":                 "",
	strings.Repeat("(!", 200) + "(a=b)" + strings.Repeat(")", 200): "",
}

func TestCanonicalFilter(t *testing.T) {
	for loose, want := range looseFilters {
		got, err := CanonicalFilter(loose)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", loose, got, err, want)
		}
		if err == nil {
			if _, err := ldap.CompileFilter(got); err != nil {
				t.Errorf("%q: %q does not compile: %v", loose, got, err)
			}
		}
	}
}

// nodes counts the parts of a compiled filter and names its assertions.
func nodes(p *ber.Packet) string {
	shape := string(rune('0' + p.Tag))
	for _, child := range p.Children {
		shape += "(" + nodes(child) + ")"
	}
	return shape
}

func shapeOf(t *testing.T, filter string) string {
	t.Helper()
	packet, err := ldap.CompileFilter(filter)
	if err != nil {
		t.Fatalf("%q: %v", filter, err)
	}
	return nodes(packet)
}

// Whatever the key is, the filter has the shape that it has for a harmless one.
func FuzzFilterShape(f *testing.F) {
	var all []*Templates
	for _, filter := range []string{"(mail=%s)", "(& (mail=%u@%d)\n (|(uid=%u) (x=*%s*) (y=%2.%1)) (!(z:=%S)))", "mail=%U"} {
		for _, base := range []string{"dc=example", "ou=%u,o=%d,dc=%1"} {
			all = append(all, mustTemplates(f, base, filter, "%s"))
		}
	}
	for _, key := range []string{"x@a.b", "*)(uid=*))(|(uid=*@a.b", `\`, `\2a@a.b`, "(", ")", "a\x00b@\x00.b", "jürgen@ä.b", "\xff\xfe@\xc0\xaf.b",
		"\ufffd@a.b", "@", "a@", "@b.c", "a@b..c", strings.Repeat(`*()\`, 2500) + "@a.b", "x\n\t @a.b", "%s@%u.b"} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		for _, templates := range all {
			harmless, _ := templates.Key("x@a.b")
			_, want, err := templates.Query(harmless)
			if err != nil {
				t.Fatal(err)
			}
			parts, reason := templates.Key(key)
			if reason != "" {
				continue
			}
			base, got, err := templates.Query(parts)
			if err != nil {
				t.Fatalf("key %q: %v", key, err)
			}
			if shapeOf(t, got) != shapeOf(t, want) {
				t.Errorf("key %q changes the shape: %q", key, got)
			}
			if dn, err := ldap.ParseDN(base); err == nil && strings.Contains(templates.Base.String(), "%") && len(dn.RDNs) != 3 {
				t.Errorf("key %q changes the base: %q", key, base)
			}
		}
	})
}

func FuzzCanonicalFilter(f *testing.F) {
	for loose := range looseFilters {
		f.Add(loose)
	}
	f.Fuzz(func(t *testing.T, loose string) {
		strict, err := CanonicalFilter(loose)
		if err != nil {
			return
		}
		if _, err := ldap.CompileFilter(strict); err != nil {
			t.Fatalf("%q: %q does not compile: %v", loose, strict, err)
		}
		again, err := CanonicalFilter(strict)
		if err != nil || again != strict {
			t.Fatalf("%q: %q becomes %q, %v", loose, strict, again, err)
		}
	})
}
