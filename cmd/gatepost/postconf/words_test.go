package postconf

import (
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	for _, tc := range []struct {
		list string
		want []string
	}{
		{"", nil},
		{" , ", nil},
		{"a, b\tc,d", []string{"a", "b", "c", "d"}},
		{"pipemap:{ldap:/a, inline:{x=y, z}}, b", []string{"pipemap:{ldap:/a, inline:{x=y, z}}", "b"}},
		{"{a, b", []string{"{a, b"}},
		{"a} b", []string{"a}", "b"}},
	} {
		var got []string
		for _, w := range split(tc.list) {
			if tc.list[w.start:w.end] != w.text {
				t.Errorf("%q: %+v", tc.list, w)
			}
			got = append(got, w.text)
		}
		if !slices.Equal(got, tc.want) {
			t.Errorf("%q: %q", tc.list, got)
		}
	}
}

func TestReference(t *testing.T) {
	for text, want := range map[string]string{"$name": "name", "${name}": "name", "$(my_name2)": "my_name2",
		"name": "", "$": "", "${}": "", "$name.cf": "", "${name?yes}": "", "ldap:$name": ""} {
		if got, ok := reference(text); ok != (want != "") || ok && got != want {
			t.Errorf("%s: %q, %v", text, got, ok)
		}
	}
}

func TestTables(t *testing.T) {
	for _, tc := range []struct {
		text, name string
		holds      bool
	}{
		{"ldap:/etc/x.cf", "/etc/x.cf", true},
		{"proxy:ldap:people", "people", true},
		{"unionmap:{ldap:/a,hash:/b}", "", true},
		{"ldap://host ldap:x", "", true},
		{"ldap://host", "", false},
		{"ldap:", "", true},
		{"hash:/etc/ldap", "", false},
	} {
		if name, ok := ldapTable(tc.text); ok != (tc.name != "") || ok && name != tc.name || holdsTable(tc.text) != tc.holds {
			t.Errorf("%s: %q, %v, %v", tc.text, name, ok, holdsTable(tc.text))
		}
	}
}

func FuzzSplit(f *testing.F) {
	f.Add("a, {b c} $d")
	f.Fuzz(func(t *testing.T, list string) {
		at := 0
		for _, w := range split(list) {
			if w.start < at || w.end <= w.start || list[w.start:w.end] != w.text {
				t.Fatalf("%q: %+v after %d", list, w, at)
			}
			at = w.end
		}
	})
}
