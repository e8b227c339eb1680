//go:build !dmz

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/internal/testbed"
	"gatepost/ldapmap"
)

// importSample copies a configuration of Postfix into a directory of its own.
func importSample(t *testing.T, name string) string {
	t.Helper()
	testbed.Need(t, "postconf", "postfix")
	dir := t.TempDir()
	files, err := filepath.Glob(filepath.Join("testdata", "import", name, "*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, filepath.Base(file)), []byte(strings.ReplaceAll(string(text), "@DIR@", dir)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestImport(t *testing.T) {
	for _, tc := range []struct {
		name, arg string
		code      int
	}{
		{"plain", "", 0},
		{"site", "/main.cf", 1}, // a table follows referrals
		{"none", "", 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := importSample(t, tc.name)
			r := gatepost(t, "ldapmap", "import", dir+tc.arg)
			r.expect(t, tc.code, "", "")
			golden(t, "import-"+tc.name+".golden", strings.ReplaceAll(r.out, dir, "DIR"))
		})
	}
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"/none", 78, "stat /none: no such file"},
		{"testdata", 78, "postconf -c testdata -n: "},
		{"testdata/import/plain/recipients.cf", 2, "name main.cf or the directory"},
		{"a b", 2, "want: gatepost ldapmap import"},
	} {
		gatepost(t, append([]string{"ldapmap", "import"}, strings.Fields(tc.args)...)...).expect(t, tc.code, "", tc.want)
	}
}

// TestImportHolds makes the changes, in either form, and looks again: the
// tables are good for ldapmap, and what was to change has changed.
func TestImportHolds(t *testing.T) {
	dir := importSample(t, "site")
	cf := filepath.Join(dir, "groups.cf")
	text, err := os.ReadFile(cf)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cf, []byte(strings.Replace(string(text), "chase_referrals = yes\n", "", 1)), 0o644); err != nil {
		t.Fatal(err)
	}
	out := good(t, "ldapmap", "import", dir)
	var plan importPlan
	decode(t, good(t, "ldapmap", "import", "--json", dir), &plan)

	// ldapmap takes it, but for the file that has to be written first.
	toml, rest, ok := strings.Cut(out, "\n# ---- "+importedDir)
	if !ok {
		t.Fatal(out)
	}
	_, content, _ := strings.Cut(rest, "\n")
	content, _, _ = strings.Cut(content, "\n# ----")
	people := writeFile(t, "people.cf", content)
	toml = strings.Replace(toml, importedDir+"/people.cf", people, 1)
	_, tables, _, problems := ldapmap.LoadConfig(writeFile(t, "ldapmap.toml", toml), "")
	if err := problems.Err(); err != nil || len(tables.Names()) != len(plan.Tables) {
		t.Errorf("%v: %v\n%s", err, tables.Names(), toml)
	}

	for _, union := range []bool{false, true} {
		dir := importSample(t, "site")
		var main, master strings.Builder
		for _, name := range []string{"main.cf", "master.cf"} {
			text, err := os.ReadFile(filepath.Join(dir, name))
			if err != nil {
				t.Fatal(err)
			}
			map[string]*strings.Builder{"main.cf": &main, "master.cf": &master}[name].Write(text)
		}
		for _, c := range plan.Changes {
			value := c.Class
			if union {
				value = c.Union
			}
			if c.Service == "" {
				main.WriteString(c.Parameter + " = " + value + "\n") // the last one counts
			} else {
				master.WriteString("  -o { " + c.Parameter + " = " + value + " }\n")
			}
		}
		for name, text := range map[string]string{"main.cf": main.String(), "master.cf": master.String()} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		var again importPlan
		decode(t, good(t, "ldapmap", "import", "--json", dir), &again)
		if len(again.Changes) > 0 || len(again.Tables) > 0 || len(again.Left) == 0 {
			t.Errorf("still to change: %+v", again)
		}
	}
}
