package ldapmap

import (
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// The sample file says what the defaults are: with every comment sign taken
// away it gives them.
func TestSampleConfig(t *testing.T) {
	sample, err := os.ReadFile("../contrib/etc/ldapmap.toml")
	if err != nil {
		t.Fatal(err)
	}
	dir := tree(t, map[string]string{"t.cf": plainTable})
	plain := regexp.MustCompile(`(?m)^#([a-z_]+ = )`).ReplaceAllString(string(sample), "$1")
	path := filepath.Join(dir, "ldapmap.toml")
	if err := os.WriteFile(path, []byte(plain), 0o600); err != nil {
		t.Fatal(err)
	}
	got, _, _, problems := LoadConfig(path, dir)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	// What the sample can only say in words.
	if len(got.Listen) != 1 || got.Listen[0] != defaultListen || len(got.Postfix.Mydestination) != 0 || got.Postfix.Myorigin != "" {
		t.Errorf("listen %q, mydestination %q, myorigin %q", got.Listen, got.Postfix.Mydestination, got.Postfix.Myorigin)
	}
	got.Listen, got.Tables, got.path = nil, "", ""
	got.Postfix.Mydestination, got.Postfix.Myorigin, got.Postfix.known = nil, want.Postfix.Myorigin, false
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sample gives\n%+v\ndefaults are\n%+v", got, want)
	}
	lacks := func(key string) {
		if !strings.Contains(string(sample), key) {
			t.Errorf("the sample lacks %s", key)
		}
	}
	var fields func(reflect.Type)
	fields = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			switch key := f.Tag.Get("toml"); {
			case key == "" || key == "-":
			case f.Type.Kind() == reflect.Struct:
				lacks("\n[" + key + "]\n")
				fields(f.Type)
			case f.Type.Kind() == reflect.Map:
				lacks("\n# [" + key + ".")
				fields(f.Type.Elem())
			default:
				lacks(key + " = ")
			}
		}
	}
	fields(reflect.TypeFor[Config]())
	for _, class := range Classes() {
		lacks("\n#   " + string(class) + " ")
	}
}

func TestBases(t *testing.T) {
	for want, bases := range map[string][]string{
		"DC=example,dc=com":           {"ou=people,dc=example,dc=com", "DC=example,dc=com", "dc=example,dc=com"},
		"ou=a,dc=x ou=b,dc=x":         {"ou=a,dc=x", "ou=b,dc=x", "ou=c,ou=b,dc=x"},
		"dc=example,dc=org":           {"ou=%d,dc=example,dc=org"},
		"dc=org":                      {"dc=%2,dc=%1,dc=org", ""},
		"":                            {"%s"},
		"ou=one,dc=x dc=someone,dc=y": {"ou=one,dc=x", "dc=someone,dc=y"},
		"dc=xone,dc=y dc=one,dc=y":    {"dc=xone,dc=y", "dc=one,dc=y"},
	} {
		o := &origin{}
		for _, base := range bases {
			c := parse(t, "search_base = "+base, "query_filter = (mail=%s)")
			o.tables = append(o.tables, plannedTable{TableConfig: c})
		}
		if got := strings.Join(o.bases(), " "); got != want {
			t.Errorf("%q: %q, want %q", bases, got, want)
		}
	}
}
