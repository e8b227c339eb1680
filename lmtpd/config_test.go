package lmtpd

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
	sample, err := os.ReadFile("../contrib/etc/lmtpd.toml")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lmtpd.toml")
	plain := regexp.MustCompile(`(?m)^#([a-z_]+ = )`).ReplaceAll(sample, []byte("$1"))
	if err := os.WriteFile(path, plain, 0o600); err != nil {
		t.Fatal(err)
	}
	got, problems := LoadConfig(path)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	want := DefaultConfig()
	if got.Hostname != "mail.example.com" || got.Store.DSN == "" || *got.Store.TablePrefix != "dbmail_" || len(got.Listen) != 1 {
		t.Errorf("%+v", got)
	}
	want.Hostname, want.Store.DSN, want.Store.TablePrefix, want.Listen, want.Ignore = got.Hostname, got.Store.DSN, got.Store.TablePrefix, got.Listen, got.Ignore
	want.Directory = got.Directory
	if !reflect.DeepEqual(got, want) {
		t.Errorf("sample gives\n%+v\ndefaults are\n%+v", got, want)
	}
	var missing func(t reflect.Type)
	missing = func(typ reflect.Type) {
		for i := range typ.NumField() {
			f := typ.Field(i)
			key := f.Tag.Get("toml")
			if key == "peer" {
				continue // in prose: one would change the defaults
			}
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

func TestSmallestConfig(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lmtpd.toml")
	if err := os.WriteFile(path, []byte("hostname = \"mx.example.org\"\nrecipients = \"sql\"\n[store]\ndsn = \"sqlite:/srv/store.db\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c, problems := LoadConfig(path)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	if a := c.Addresses(nil); len(a) != 1 || a[0] != "inet:127.0.0.1:24" {
		t.Errorf("listens on %v", a)
	}
}

var update = flag.Bool("update", false, "write the expected errors anew")

// Each broken file gives all its errors at once, each with its line.
func TestBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatal("no files")
	}
	for _, f := range files {
		_, problems := LoadConfig(f)
		if len(problems) == 0 {
			t.Errorf("%s: no problem", f)
			continue
		}
		expected := strings.TrimSuffix(f, ".toml") + ".expected-error"
		got := strings.ReplaceAll(problems.Error(), "testdata/bad/", "") + "\n"
		if *update {
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
		if strings.Contains(got, "secret") {
			t.Errorf("%s: a password is shown", f)
		}
	}
}
