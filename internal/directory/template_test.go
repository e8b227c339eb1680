package directory

import (
	"strings"
	"testing"
)

func mustTemplates(t testing.TB, base, filter, result string) *Templates {
	t.Helper()
	var all [3]*Template
	for i, text := range []string{base, filter, result} {
		var err error
		if all[i], err = ParseTemplate(text); err != nil {
			t.Fatal(err)
		}
	}
	return NewTemplates(all[0], all[1], all[2])
}

func TestTemplateErrors(t *testing.T) {
	for _, text := range []string{"%", "(mail=%", "%x", "%0", "%n", "%é", "%%%"} {
		if _, err := ParseTemplate(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
	for text, dynamic := range map[string]bool{"": false, "a%%b": false, "%s": true, "%S": true, "%9": true, "100%%%u": true} {
		got, err := ParseTemplate(text)
		if err != nil || got.Dynamic() != dynamic || got.String() != text {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

func TestQuery(t *testing.T) {
	for _, c := range []struct {
		base, filter, result, key string
		want                      string // base and filter, or the reason
	}{
		{"dc=x", "(mail=%s)", "%s", "a@b.c", "dc=x (mail=a@b.c)"},
		{"dc=x", "(mail=%s)", "%s", "a", "dc=x (mail=a)"},
		{"dc=x", "(mail=%s)", "%s", "", "the key is empty"},
		{"dc=x", "(mail=%s)", "%s", "@b.c", "dc=x (mail=@b.c)"},
		{"dc=x", "(mail=%u)", "%s", "a@b.c", "dc=x (mail=a)"},
		{"dc=x", "(mail=%u)", "%s", "a", "dc=x (mail=a)"},
		{"dc=x", "(mail=%u)", "%s", "a@", "dc=x (mail=a)"},
		{"dc=x", "(mail=%u)", "%s", "@b.c", "the key has no local part"},
		{"dc=x", "(mail=%u)", "%s", "a@b@c", "dc=x (mail=a@b)"},
		{"dc=x", "(mail=*@%d)", "%s", "a@b.c", "dc=x (mail=*@b.c)"},
		{"dc=x", "(mail=*@%d)", "%s", "a", "the key has no domain"},
		{"dc=x", "(mail=*@%d)", "%s", "a@", "the key has no domain"},
		{"dc=x", "(mail=*@%d)", "%s", "@b", "dc=x (mail=*@b)"},
		{"o=%d", "(mail=%s)", "%s", "a", "the key has no domain"},
		{"o=%d", "(mail=%s)", "%s", `a@b c+d"e#f,g;h<i>j\k=l` + "\t", `o=b\20c\2Bd\22e\23f\2Cg\3Bh\3Ci\3Ej\5Ck=l\09 (mail=a@b c+d"e#f,g;h<i>j\5Ck=l` + "\t)"},
		// What the result needs of the key counts before the search.
		{"dc=x", "(mail=%s)", "%d", "a", "dc=x (mail=a)"},
		{"dc=x", "(mail=%s)", "%u", "@b", "dc=x (mail=@b)"},
		{"dc=x", "(mail=%s)", "%D", "a", "the key has no domain"},
		{"dc=x", "(mail=%s)", "%U", "@b", "the key has no local part"},
		{"dc=x", "(mail=%s)", "%S", "@b", "dc=x (mail=@b)"},
		{"dc=x", "(mail=%s)", "%3", "a@b.c", "the key's domain has fewer than 3 labels"},
		{"dc=%2,dc=%1", "(mail=%s)", "%s", "a@b.c.d", "dc=c,dc=d (mail=a@b.c.d)"},
		{"dc=%2,dc=%1", "(mail=%s)", "%s", "a@.c..d.", "dc=c,dc=d (mail=a@.c..d.)"},
		{"dc=%2,dc=%1", "(mail=%s)", "%s", "a@...", "the key's domain has fewer than 2 labels"},
		{"dc=x", "(mail=%s%%%s)", "%s", "*(", `dc=x (mail=\2A\28%\2A\28)`},
	} {
		templates := mustTemplates(t, c.base, c.filter, c.result)
		key, got := templates.Key(c.key)
		if got == "" {
			base, filter, err := templates.Query(key)
			if err != nil {
				t.Errorf("%q: %v", c.key, err)
			}
			got = base + " " + filter
		}
		if got != c.want {
			t.Errorf("base %q, filter %q, result %q, key %q:\ngot  %q\nwant %q", c.base, c.filter, c.result, c.key, got, c.want)
		}
	}
}

func TestResult(t *testing.T) {
	for _, c := range []struct {
		format, key string
		values      string // with a space between
		want        string
	}{
		{"%s", "k", "a b@c", "a,b@c"},
		{"%s", "k", "a  b", "a,b"}, // the empty one is left out
		{"<%u>at<%d>", "k", "a@b c @d e@ f@g@h", "<a>at<b>,<f@g>at<h>"},
		{"%u", "k", "a@b c @d e@", "a,c,e"},
		{"%S|%U|%D|%%|%s", "k@x.y", "v@w", "k@x.y|k|x.y|%|v@w"},
		{"%2-%1:%s", "k@a.x.y", "v w", "x-y:v,x-y:w"},
		{"OK", "k", "a b", "OK,OK"},
		{"%s", "k", "a,b c", "a,b,c"},
	} {
		templates := mustTemplates(t, "", "(a=b)", c.format)
		key, reason := templates.Key(c.key)
		if reason != "" {
			t.Fatal(reason)
		}
		var out []byte
		for _, v := range strings.Split(c.values, " ") {
			before := string(out)
			added := false
			if out, added = templates.Append(out, key, v); !added && string(out) != before {
				t.Errorf("%q: %q was added though it says not", c.format, v)
			}
		}
		if string(out) != c.want {
			t.Errorf("format %q, values %q: %q, want %q", c.format, c.values, out, c.want)
		}
	}
}
