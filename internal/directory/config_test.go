package directory

import (
	"flag"
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
	sample, err := os.ReadFile("../../contrib/etc/directory.toml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "directory.toml")
	plain := regexp.MustCompile(`(?m)^#([a-z_]+ = )`).ReplaceAll(sample, []byte("$1"))
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	got, problems := LoadConfig(path)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	want.URIs, want.Base = got.URIs, got.Base
	attributes := got.Attributes
	got.Attributes = Attributes{}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sample gives\n%+v\ndefaults are\n%+v", got, want)
	}
	preset := presetDBMail().Attributes
	mine := preset.fields()
	for key, names := range attributes.fields() {
		if *names == nil {
			t.Errorf("the sample lacks attributes.%s", key)
		}
		if strings.Join(*names, " ") != strings.Join(*mine[key], " ") {
			t.Errorf("attributes.%s: sample %q, preset %q", key, *names, *mine[key])
		}
	}
	var missing func(t reflect.Type)
	missing = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			key := f.Tag.Get("toml")
			if f.Type.Kind() == reflect.Struct {
				missing(f.Type)
				key = "[" + key + "]"
			} else {
				key += " = "
			}
			if !strings.Contains(string(plain), "\n"+key) {
				t.Errorf("the sample lacks %s", key)
			}
		}
	}
	missing(reflect.TypeFor[Config]())
}

// TestAttributeFields finds an attribute that was forgotten in fields.
func TestAttributeFields(t *testing.T) {
	var a Attributes
	fields := a.fields()
	typ := reflect.TypeFor[Attributes]()
	if len(fields) != typ.NumField() {
		t.Errorf("%d fields, %d listed", typ.NumField(), len(fields))
	}
	for i := range typ.NumField() {
		f := typ.Field(i)
		if listed := fields[f.Tag.Get("toml")]; listed == nil || any(listed) != reflect.ValueOf(&a).Elem().Field(i).Addr().Interface() {
			t.Errorf("%s is listed as another", f.Name)
		}
	}
}

func TestSmallestConfig(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "directory.toml")
	write := func(text string) Config {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, problems := LoadConfig(path)
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		return c
	}
	const smallest = "uris = [\"ldap://127.0.0.1:389\"]\nbase = \"dc=example,dc=com\"\npreset = \"dbmail\"\n"
	c := write(smallest)
	if b := c.Bases(); b.Accounts != c.Base || b.Groups != c.Base || b.Domains != c.Base {
		t.Errorf("%+v", b)
	}
	s := c.Settings()
	if s.Bind.Method != BindNone || s.StartTLS || s.NoVerify {
		t.Errorf("%+v", s)
	}
	if err := s.Check(); err != nil {
		t.Error(err)
	}
	if got := c.CacheOptions(); got != DefaultCacheOptions() {
		t.Errorf("%+v", got)
	}
	if err := os.WriteFile(dir+"/password", []byte("s3cret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c = write(smallest + "bind_dn = \"cn=gatepost,dc=example,dc=com\"\nbind_password_file = \"" + dir + "/password\"\n" +
		"group_base = \"ou=groups,dc=example,dc=com\"\n[attributes]\nstatus = []\nmail = [\"mail\", \"otherMailbox\"]\n")
	if b := c.Bases(); b.Accounts != c.Base || b.Groups != "ou=groups,dc=example,dc=com" {
		t.Errorf("%+v", b)
	}
	s = c.Settings()
	if password, err := s.Bind.Password(); s.Bind.Method != BindSimple || err != nil || password != "s3cret" {
		t.Errorf("%+v: %q, %v", s.Bind, password, err)
	}
	a := c.Kind().Attributes
	if len(a.Status) != 0 || len(a.Mail) != 2 || a.Login[0] != "uid" {
		t.Errorf("%+v", a)
	}
}

var updateConfig = flag.Bool("update-config", false, "write the expected errors of configurations anew")

// Each broken file gives all its errors at once, each with its line.
func TestBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/config/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files")
	}
	for _, f := range files {
		_, problems := LoadConfig(f)
		expected := strings.TrimSuffix(f, ".toml") + ".expected-error"
		got := strings.ReplaceAll(problems.Error(), "testdata/config/", "") + "\n"
		if *updateConfig {
			if err := os.WriteFile(expected, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(expected)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s:\n got %s\nwant %s", f, got, want)
		}
	}
}
