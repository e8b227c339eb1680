package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/schema/ldap"
	"gatepost/test/rig"
)

// What the directory holds: 20,000 entries in all.
const (
	baseDN  = "dc=example,dc=com"
	users   = 19_797
	groups  = 200
	members = 20 // of each group
)

// Addresses of the users and groups, and of nobody.
func mailOf(user int) string       { return fmt.Sprintf("user%05d@example.com", user) }
func alternateOf(user int) string  { return fmt.Sprintf("first.last%05d@example.com", user) }
func groupMailOf(group int) string { return fmt.Sprintf("team%03d@example.com", group) }
func missing(n int) string         { return fmt.Sprintf("nobody%05d@example.com", n) }

func userDN(user int) string { return fmt.Sprintf("uid=user%05d,ou=people,%s", user, baseDN) }

// ldif is the directory's content.
func ldif() []byte {
	var b strings.Builder
	b.WriteString("dn: " + baseDN + "\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n")
	for _, unit := range []string{"people", "groups"} {
		fmt.Fprintf(&b, "dn: ou=%s,%s\nobjectClass: organizationalUnit\nou: %s\n\n", unit, baseDN, unit)
	}
	for n := range users {
		fmt.Fprintf(&b, "dn: %s\nobjectClass: inetOrgPerson\nobjectClass: dbmailUser\nuid: user%05d\ncn: First Last%05d\nsn: Last%05d\n"+
			"mail: %s\nmailAlternateAddress: %s\nmailQuota: 1073741824\naccountStatus: active\n\n", userDN(n), n, n, n, mailOf(n), alternateOf(n))
	}
	for n := range groups {
		fmt.Fprintf(&b, "dn: cn=team%03d,ou=groups,%s\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: team%03d\nmail: %s\n",
			n, baseDN, n, groupMailOf(n))
		for k := range members {
			fmt.Fprintf(&b, "member: %s\n", userDN((n*members+k)%users))
		}
		b.WriteString("\n")
	}
	return []byte(b.String())
}

// startSlapd starts the directory server that all systems ask.
func startSlapd(t testing.TB) *testbed.SlapdServer {
	t.Helper()
	text, err := ldap.Schema("dbmail")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(rig.Scratch(t), "dbmail.schema")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return testbed.Slapd(t, testbed.SlapdOptions{Schema: []string{path}, LDIF: ldif(), Index: []string{"mail,mailAlternateAddress,uid,member eq"}})
}

// tableFile is the ldap_table(5) file that all systems use; the comments are
// for ldapmap.
const tableFile = `server_host = %s
search_base = ` + baseDN + `
bind = no
query_filter = (|(mail=%%s)(mailAlternateAddress=%%s))
result_attribute = mail
`

const relayComments = "# gatepost: class = relay_recipient\n# gatepost: mydestination =\n"

// Names of the tables: the map class of the first is relay_recipient, that of
// the other exact.
const (
	relayTable = "users"
	exactTable = "users.exact"
)

// writeTables writes the tables into a new directory that Postfix's user may
// read.
func writeTables(t testing.TB, uri string) string {
	t.Helper()
	dir := rig.Scratch(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// Postfix waits for a file that was written within the last second.
	past := time.Now().Add(-time.Hour)
	text := fmt.Sprintf(tableFile, uri)
	for name, text := range map[string]string{relayTable: text + relayComments, exactTable: text} {
		path := filepath.Join(dir, name+".cf")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, past, past); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
