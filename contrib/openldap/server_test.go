// Package openldap has what an administrator copies to make OpenLDAP the one
// directory; its tests run a real slapd with it.
package openldap

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"gatepost/internal/testbed"
	ldapschema "gatepost/schema/ldap"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

const suffix = "dc=example,dc=com"

// who may bind, by name.
var who = map[string]string{
	"ldapmap": "cn=ldapmap,ou=daemons," + suffix, "policyd": "cn=policyd,ou=daemons," + suffix,
	"milter": "cn=milter,ou=daemons," + suffix, "lmtpd": "cn=lmtpd,ou=daemons," + suffix,
	"dbmail": "cn=dbmail,ou=daemons," + suffix, "webmail": "cn=webmail,ou=daemons," + suffix,
	"alice": "uid=alice,ou=people," + suffix,
}

func password(name string) string { return "secret-of-" + name }

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// replace replaces each old by its new, which must be there.
func replace(t *testing.T, text string, pairs ...string) string {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			t.Fatalf("there is no %q", pairs[i])
		}
		text = strings.ReplaceAll(text, pairs[i], pairs[i+1])
	}
	return text
}

// forms are the ways to configure a server; each starts one.
var forms = map[string]func(*testing.T) *testbed.SlapdServer{"slapd.conf": byFile, "cn=config": byConfig}

// byFile starts a server with slapd.conf, as it stands but for its paths.
func byFile(t *testing.T) *testbed.SlapdServer {
	t.Helper()
	dir := t.TempDir()
	var all []string
	for _, name := range ldapschema.Names() {
		if name == "qmail" {
			continue
		}
		text, err := ldapschema.Schema(name)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, text)
	}
	write(t, filepath.Join(dir, "gatepost-all.schema"), strings.Join(all, "\n"))
	write(t, filepath.Join(dir, "access.conf"), read(t, "access.conf"))
	config := replace(t, read(t, "slapd.conf"), "/etc/ldap/schema/gatepost-all.schema", "@DIR@/gatepost-all.schema",
		"/etc/ldap/access.conf", "@DIR@/access.conf", "/run/slapd/", "@RUN@/", "/var/lib/ldap", "@RUN@/data",
		"rootpw {CRYPT}*CHANGE-ME*", "rootpw "+testbed.AdminPassword)
	s := testbed.Slapd(t, testbed.SlapdOptions{Config: config, Dir: dir, Suffix: suffix, Syncprov: true,
		LDIF: []byte(read(t, "directory.ldif")), Debug: "stats"})
	return s
}

// byConfig starts a server like Debian's, and changes it while it runs.
func byConfig(t *testing.T) *testbed.SlapdServer {
	t.Helper()
	s := testbed.Slapd(t, testbed.SlapdOptions{Suffix: suffix, Schema: []string{"/etc/ldap/schema/dyngroup.schema"},
		Index: []string{"cn eq", "uidNumber,gidNumber eq", "member,memberUid eq"},
		Access: []string{"to attrs=userPassword by self write by anonymous auth by * none",
			"to attrs=shadowLastChange by self write by * read", "to * by * read"}, Debug: "stats"})
	for _, name := range ldapschema.Names() {
		if name == "qmail" {
			continue
		}
		text, err := ldapschema.LDIF(name)
		if err != nil {
			t.Fatal(err)
		}
		configure(t, s, text)
	}
	configure(t, s, read(t, "config.ldif"))
	if err := s.Modify(read(t, "directory.ldif")); err != nil {
		t.Fatal(err)
	}
	return s
}

func configure(t *testing.T, s *testbed.SlapdServer, ldif string) {
	t.Helper()
	if err := s.Configure(ldif); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// setPasswords lets everybody in.
func setPasswords(t *testing.T, s *testbed.SlapdServer) {
	t.Helper()
	var ldif strings.Builder
	for name, dn := range who {
		fmt.Fprintf(&ldif, "dn: %s\nchangetype: modify\nreplace: userPassword\nuserPassword: %s\n\n", dn, password(name))
	}
	if err := s.Modify(ldif.String()); err != nil {
		t.Fatal(err)
	}
}

// as connects as somebody; "anonymous" does not bind, "admin" may all.
func as(t *testing.T, s *testbed.SlapdServer, name string) *ldap.Conn {
	t.Helper()
	conn, err := ldap.DialURL(s.URI())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	switch name {
	case "anonymous":
	case "admin":
		err = conn.Bind(s.AdminDN, s.AdminPassword)
	default:
		err = conn.Bind(who[name], password(name))
	}
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return conn
}

func search(conn *ldap.Conn, base string, scope int, filter string, attributes ...string) ([]*ldap.Entry, error) {
	r, err := conn.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 0, 0, false, filter, attributes, nil))
	if err != nil {
		return nil, err
	}
	return r.Entries, nil
}
