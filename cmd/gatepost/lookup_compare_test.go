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

// needPostfix makes Postfix's programs read a configuration of the test's.
func needPostfix(t *testing.T, main string) {
	t.Helper()
	testbed.Need(t, "postmap", "postfix")
	dir := t.TempDir()
	for name, text := range map[string]string{"main.cf": "compatibility_level = 3.6\n" + main, "master.cf": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MAIL_CONFIG", dir)
}

func TestLookupCompare(t *testing.T) {
	s := newLookupSite(t)
	needPostfix(t, "")
	// The same table with other settings, so that there are differences.
	host := "server_host = " + s.server.URI() + "\n"
	s.write(t, "other.cf", host+strings.Replace(lookupTable, "result_attribute = mail", "result_attribute = sn", 1))
	s.write(t, "wrong.cf", host+lookupTable+"size_limit = many\n")
	compare := func(keys string, args ...string) result {
		return gatepostWith(t, strings.NewReader(keys), append([]string{"lookup", "--tables", s.dir + "/ours"}, args...)...)
	}
	if err := os.Mkdir(s.dir+"/ours", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"plain", "aliases", "down"} {
		if err := os.Link(s.dir+"/"+name+".cf", s.dir+"/ours/"+name+".cf"); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct {
		name, theirs, ours, keys string
		code                     int
		out, err                 string
	}{
		{"exact", "plain", "plain", "alice@example.com\nAlice@Example.com\nnobody@example.com\nteam\n\nalice@example.com\na*(b)\n", 0,
			"6 keys: 4 found and 2 not found by both alike, 0 that neither can tell, 0 with differences\n", ""},
		// An ldap: table is not asked for all these keys by postmap: we walk.
		{"class", "plain", "aliases", "Alice+x@example.com\nany+x@catchall.example.com\nnobody+y@example.com\n", 0,
			"3 keys: 2 found and 1 not found by both alike, 0 that neither can tell, 0 with differences\n", ""},
		{"differences", "other", "aliases", "alice+x@example.com\nbob@example.com\nnobody@example.com\n", 1,
			"alice+x@example.com\n  Postfix   OK alice+x\n  Gatepost  OK alice+x@example.com\n" +
				"bob@example.com\n  Postfix   OK two,words\n  Gatepost  OK bob@example.com,@catchall.example.com\n" +
				"3 keys: 0 found and 1 not found by both alike, 0 that neither can tell, 2 with differences\n", ""},
		{"neither can tell", "down", "down", "alice@example.com\n", 75,
			"1 keys: 0 found and 0 not found by both alike, 1 that neither can tell, 0 with differences\n", ""},
		{"we cannot tell", "plain", "down", "alice@example.com\nnobody@example.com\n", 1,
			"alice@example.com\n  Postfix   OK alice@example.com\n  Gatepost  TEMP no directory server answers\n  table down: ", ""},
		{"they cannot tell", "down", "plain", "alice@example.com\nnobody@example.com\n", 1,
			"alice@example.com\n  Postfix   TEMP\n  Gatepost  OK alice@example.com\n  postmap cannot tell: postmap: warning: dict_ldap_lookup: ", ""},
		{"wrong table", "wrong", "plain", "alice@example.com\n", 78, "", "postmap -q KEY ldap:" + s.dir + "/wrong.cf"},
		{"no keys", "plain", "plain", "", 0, "0 keys", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			compare(tc.keys, "--compare", "ldap:"+s.dir+"/"+tc.theirs+".cf", tc.ours).expect(t, tc.code, tc.out, tc.err)
		})
	}
	var c comparison
	decode(t, compare("alice@example.com\n", "--json", "--compare", "ldap:"+s.dir+"/other.cf", "plain").out, &c)
	if c.Keys != 1 || len(c.Differences) != 1 || c.Differences[0].Postfix != (ldapmap.Reply{Status: "OK", Text: "alice"}) {
		t.Errorf("%+v", c)
	}
}

// TestPostmapOutput reads results that have line ends in them.
func TestPostmapOutput(t *testing.T) {
	p := &postmap{known: map[string]string{}, absent: map[string]bool{}}
	p.take([]string{"a", "b", "c", "d", "c"}, "b\tone\ntwo\nc\tc\td\nd\t1\nc\tc\td\n")
	want := map[string]string{"b": "one\ntwo", "c": "c\td", "d": "1"}
	for key, value := range want {
		if p.known[key] != value {
			t.Errorf("%s: %q, want %q", key, p.known[key], value)
		}
	}
	if len(p.known) != 3 || !p.absent["a"] {
		t.Errorf("%v, %v", p.known, p.absent)
	}
}
