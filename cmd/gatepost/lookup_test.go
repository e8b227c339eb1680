//go:build !dmz

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/ldapmap"
)

const lookupLDIF = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: cn=alice,dc=example,dc=com
objectClass: inetOrgPerson
cn: alice
sn: alice
mail: alice@example.com

dn: cn=bob,dc=example,dc=com
objectClass: inetOrgPerson
cn: bob
sn: two
sn: words
mail: bob@example.com
mail: @catchall.example.com

dn: cn=team,dc=example,dc=com
objectClass: groupOfNames
cn: team
member: cn=alice,dc=example,dc=com
member: cn=bob,dc=example,dc=com
member: cn=gone,dc=example,dc=com
`

const lookupTable = `bind = no
search_base = dc=example,dc=com
query_filter = (|(mail=%s)(cn=%s))
result_attribute = mail
special_result_attribute = member
`

const lookupClass = `# gatepost: class = virtual_alias
# gatepost: recipient_delimiter = +
# gatepost: mydestination =
# gatepost: myorigin = mx.test
`

// lookupSite is a directory, and tables that ask it.
type lookupSite struct {
	server *testbed.SlapdServer
	dir    string
}

func newLookupSite(t *testing.T) *lookupSite {
	t.Helper()
	s := &lookupSite{server: testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(lookupLDIF), Index: []string{"mail,cn eq"}}), dir: t.TempDir()}
	host := "server_host = " + s.server.URI() + "\n"
	s.write(t, "plain.cf", host+lookupTable)
	s.write(t, "aliases.cf", host+lookupTable+lookupClass)
	s.write(t, "odd.cf", host+lookupTable+"query_fliter = x\n")
	s.write(t, "down.cf", "server_host = ldap://127.0.0.1:1\n"+lookupTable)
	s.write(t, "base.cf", host+strings.Replace(lookupTable, "dc=example", "ou=none,dc=example", 1))
	s.write(t, "domain.cf", host+lookupTable+"domain = example.com\n")
	return s
}

func (s *lookupSite) write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *lookupSite) lookup(t *testing.T, args ...string) result {
	t.Helper()
	return gatepost(t, append([]string{"lookup", "--tables", s.dir}, args...)...)
}

var anyTime = regexp.MustCompile(`\d+\.\d\d ms`)

func TestLookup(t *testing.T) {
	s := newLookupSite(t)
	r := s.lookup(t, "aliases", "Alice+lists@Example.com")
	if r.code != 0 || r.err != "" {
		t.Fatalf("%+v", r)
	}
	golden(t, "lookup.golden", strings.ReplaceAll(anyTime.ReplaceAllString(r.out, "T ms"), s.server.URI(), "ldap://HOST"))
	s.lookup(t, "plain", "bob@example.com").expect(t, 0, "Postfix gets, after", "")
	r = s.lookup(t, "plain", "team")
	for _, want := range []string{
		"  search (|(mail=team)(cn=team)), base \"dc=example,dc=com\", scope sub, for mail, member\n    1 entry from ",
		"    search (objectClass=*), base \"cn=bob,dc=example,dc=com\", scope base, for mail, member\n      1 entry from ",
		"    search (objectClass=*), base \"cn=gone,dc=example,dc=com\", scope base, for mail, member\n      0 entries from ",
		"\n  result: alice@example.com,bob@example.com,@catchall.example.com\n",
	} {
		r.expect(t, 0, want, "")
	}

	for _, tc := range []struct {
		args     string
		code     int
		out, err string
	}{
		{"plain nobody@example.com", 1, ": NOTFOUND\n", ""},
		{"plain \x1b@example.com", 1, "\uFFFD@example.com: not found", ""},
		{"domain alice@elsewhere.com", 1, "not searched for: the key's domain is not one of the table's", ""},
		{"down alice@example.com", 75, "TEMP no directory server answers", ""},
		{"base alice@example.com", 75, "TEMP the search base is missing", ""},
		{"none alice@example.com", 78, "", `there is no table "none"; there are: aliases, base, domain, down, odd, plain`},
		{"odd alice@example.com", 0, "OK alice@example.com", "note: " + s.dir + "/odd.cf:7: query_fliter: "},
		{s.dir + "/plain.cf alice@example.com", 2, "", "leave --tables out"},
		{"plain", 2, "", "want: gatepost lookup"},
		{"plain alice@example.com --control unix:/x", 2, "", "none of the others can be"},
		{"plain alice@example.com --compare ldap:x", 2, "", "standard input"},
	} {
		r := s.lookup(t, strings.Split(tc.args, " ")...)
		t.Run(tc.args, func(t *testing.T) { r.expect(t, tc.code, tc.out, tc.err) })
	}

	var e ldapmap.Explanation
	decode(t, s.lookup(t, "--json", "aliases", "Alice+lists@Example.com").out, &e)
	if len(e.Tried) != 2 || e.Reply != (ldapmap.Reply{Status: "OK", Text: "alice+lists@example.com"}) || e.Tried[1].Searches[0].Entries != 1 {
		t.Errorf("%+v", e)
	}

	// A path needs no directory of tables; ldapmap.toml may tell of Postfix.
	gatepost(t, "lookup", s.dir+"/plain.cf", "alice@example.com").expect(t, 0, "table plain, class exact", "")
	gatepost(t, "lookup", s.dir+"/none.cf", "alice@example.com").expect(t, 78, "", "none.cf: cannot be read")
	s.write(t, "class.cf", "server_host = "+s.server.URI()+"\n"+lookupTable+"# gatepost: class = relay_recipient\n")
	gatepost(t, "lookup", s.dir+"/class.cf", "alice+x@example.com").expect(t, 78, "", "looks up bare users")
	s.write(t, "ldapmap.toml", "tables = "+quoted(s.dir)+"\n[postfix]\nmydestination = []\nrecipient_delimiter = \"+\"\n")
	gatepost(t, "lookup", "--config", s.dir+"/ldapmap.toml", s.dir+"/class.cf", "alice+x@example.com").expect(t, 0, "class relay_recipient", "")
	gatepost(t, "lookup", "--config", s.dir+"/ldapmap.toml", "class", "alice+x@example.com").expect(t, 0, "class relay_recipient", "")
}

func quoted(s string) string { return `"` + s + `"` }

// TestLookupControl asks a running daemon.
func TestLookupControl(t *testing.T) {
	s := newLookupSite(t)
	control := "unix:" + filepath.Join(s.dir, "control")
	s.write(t, "ldapmap.toml", "tables = "+quoted(s.dir)+"\nlisten = [\"inet:127.0.0.1:0\"]\ncontrol = "+quoted(control)+"\n")
	cmd := exec.Command(filepath.Join(binaries(t, "gatepost/cmd/gatepost-ldapmap"), "gatepost-ldapmap"), "--config", filepath.Join(s.dir, "ldapmap.toml"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	waitForSocket(t, strings.TrimPrefix(control, "unix:"))
	lookup := func(args ...string) result {
		return gatepost(t, append([]string{"lookup", "--control", control}, args...)...)
	}
	lookup("aliases", "alice+x@example.com").expect(t, 0, "OK alice+x@example.com", "")
	lookup("plain", "alice@example.com").expect(t, 0, " from "+s.server.URI()+" in ", "")
	lookup("plain", "alice@example.com").expect(t, 0, "1 entry, remembered from "+s.server.URI(), "")
	lookup("--no-cache", "plain", "alice@example.com").expect(t, 0, " from "+s.server.URI()+" in ", "")
	lookup("none", "alice@example.com").expect(t, 78, "", `there is no table "none"; there are: aliases,`)
	daemon := func(args ...string) result {
		return gatepost(t, append([]string{"ldapmap", args[0], "--control", control}, args[1:]...)...)
	}
	daemon("tables").expect(t, 0, "aliases  virtual_alias  "+s.dir+"/aliases.cf  "+s.server.URI()+"\n", "")
	daemon("stats").expect(t, 0, "  "+s.server.URI()+"  ", "")
	var stats []ldapmap.DirectoryInfo
	decode(t, daemon("stats", "--json").out, &stats)
	if len(stats) != 2 || len(stats[0].Servers) != 1 { // and the one that is down
		t.Errorf("%+v", stats)
	}
	daemon("flush", "--table", "plain").expect(t, 0, " forgotten\n", "")
	daemon("flush", "--table", "plain", "--key", "alice@example.com").expect(t, 0, " from "+s.server.URI()+" in ", "")
	daemon("flush", "--dn", "cn=alice,dc=example,dc=com").expect(t, 0, " forgotten\n", "")
	daemon("flush", "--key", "x").expect(t, 2, "", "of which table")
	daemon("flush", "--table", "none").expect(t, 78, "", "there is no table")
	gatepost(t, "ldapmap", "stats").expect(t, 2, "", `required flag(s) "control" not set`)
	lookup("plain", "alice@example.com").expect(t, 0, "OK alice@example.com", "")
	s.server.Stop()
	lookup("plain", "alice@example.com").expect(t, 0, "remembered", "")
	lookup("plain", "nobody@example.com").expect(t, 75, "TEMP", "")
	gatepost(t, "lookup", "--control", "unix:"+s.dir+"/none", "plain", "x").expect(t, 75, "", "ask the daemon at "+s.dir+"/none: ")
	gatepost(t, "lookup", "--control", "inet:127.0.0.1:1", "plain", "x").expect(t, 2, "", "write unix:/path")
}

// waitForSocket waits until a socket is there.
func waitForSocket(t *testing.T, path string) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if _, err := os.Stat(path); err == nil {
			return
		} else if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}
