package directory

import (
	"strings"
	"testing"
)

// Which filters are put together without being read again.
func TestCanonicalFilterOfTemplate(t *testing.T) {
	for filter, want := range map[string]string{
		"(mail=%s)":                         "(mail=|)",
		"mail=%s":                           "(mail=|)",
		"(& (a=b)\n (|(mail=%s) (x=*@%d)))": "(&(a=b)(|(mail=|)(x=*@|)))",
		`(a=\*%u%%%d=%s)`:                   `(a=\2A|%|=|)`,
		"(cn:dn:=%s)":                       "(cn:dn:=|)",
		"(objectClass=x)":                   "(objectClass=x)",
		"(%s)":                              "", "%s": "", "(%u=x)": "", "(x:%u:=y)": "", `(a=\%s)`: "", `(a=\2%s)`: "", "(a=b": "", "(a=(%s))": "",
		"(a=zzMARKzz%s)": "", "(&%s(a=b))": "", "(a=%s": "",
	} {
		template, err := ParseTemplate(filter)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if c := canonicalFilter(template); c != nil {
			var b strings.Builder
			for _, p := range c.parts {
				if b.WriteString(p.literal); p.letter != 0 {
					b.WriteByte('|')
				}
			}
			got = b.String()
		}
		if got != want {
			t.Errorf("%q: %q, want %q", filter, got, want)
		}
	}
}

// What is put together is what CanonicalFilter would have made of it.
func FuzzQuery(f *testing.F) {
	for filter := range looseFilters {
		f.Add(filter, "x@a.b")
	}
	for _, filter := range []string{"(mail=%s)", "mail=%u", "(& (mail=%u@%d)\n (|(uid=%u) (x=*%s*) (y=%2.%1)) (!(z:=%S)))", `(a=\%s)`, "(%s)", "(a=%s%u)", "(a=(%s))"} {
		for _, key := range []string{"x@a.b", "*)(uid=*))(|(uid=*@a.b", `\2a@a.b`, "a\x00b@\x00.b", "jürgen@ä.b", "\xff@\xc0.b", "\ufffd@a.b", "a@", "@b.c", "(", ")"} {
			f.Add(filter, key)
		}
	}
	f.Fuzz(func(t *testing.T, filter, text string) {
		template, err := ParseTemplate(filter)
		if err != nil {
			return
		}
		fixed, _ := ParseTemplate("")
		templates := NewTemplates(fixed, template, fixed)
		key, reason := templates.Key(text)
		if reason != "" {
			return
		}
		want, wantErr := CanonicalFilter(string(template.expand(nil, key, key.address, EscapeFilter)))
		_, got, err := templates.Query(key)
		if got != want || (err == nil) != (wantErr == nil) {
			t.Errorf("filter %q, key %q: %q, %v; want %q, %v", filter, text, got, err, want, wantErr)
		}
	})
}
