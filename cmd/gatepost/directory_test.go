//go:build !dmz

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// sampleDirectory starts a server with the directory of contrib/openldap, and
// gives a directory.toml for it.
func sampleDirectory(t *testing.T, more string) (server *testbed.SlapdServer, file string) {
	t.Helper()
	sample, err := os.ReadFile("../../contrib/openldap/directory.ldif")
	if err != nil {
		t.Fatal(err)
	}
	o := testbed.SlapdOptions{LDIF: append(sample, "\n"+more...), Schema: []string{"/etc/ldap/schema/dyngroup.schema"}}
	for _, name := range []string{"ldapns", "mailmember", "dbmail", "gatepost"} {
		o.Schema = append(o.Schema, "../../schema/ldap/"+name+".schema")
	}
	server = testbed.Slapd(t, o)
	return server, writeFile(t, "directory.toml", directoryTOML(server.URI()))
}

func directoryTOML(uri string) string {
	return fmt.Sprintf("uris = [%q]\nbase = \"dc=example,dc=com\"\nsentinel = \"(mail=sentinel@example.com)\"\n", uri)
}

// twins are two people with one address, and what is wrong in other ways.
const twins = `dn: uid=eve,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: eve
uidNumber: 10008
cn: Eve
sn: Eve
mail: eve@example.com
mailAlternateAddress: twin@example.com
mailAlternateAddress: eve@elsewhere.example

dn: uid=eva,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: eva
uidNumber: 10009
cn: Eva
sn: Eva
mail: Twin@Example.com

dn: uid=odd,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: odd
cn: Odd
sn: Odd
mail: odd@example.com
mailQuota: lots

dn: uid=all,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: all
uidNumber: 10010
cn: All
sn: All
mail: @example.org

dn: cn=left,ou=lists,dc=example,dc=com
objectClass: groupOfNames
objectClass: gatepostList
cn: left
mail: left@example.com
member: cn=right,ou=lists,dc=example,dc=com
member: uid=carol,ou=people,dc=example,dc=com
member: uid=gone,ou=people,dc=example,dc=com
member: uid=dan,ou=people,dc=example,dc=com

dn: cn=right,ou=lists,dc=example,dc=com
objectClass: groupOfNames
objectClass: gatepostList
cn: right
mail: right@example.com
member: cn=left,ou=lists,dc=example,dc=com
member: cn=team,ou=lists,dc=example,dc=com
`

func TestDirectoryShow(t *testing.T) {
	server, file := sampleDirectory(t, twins)
	show := func(args ...string) result {
		t.Helper()
		return gatepost(t, append([]string{"directory", "show", "--directory", file}, args...)...)
	}

	var text strings.Builder
	for _, asked := range []string{"alice", "Alice+Work@Example.ORG", "team@example.com", "dan@example.com", "nobody@example.com"} {
		r := show(asked)
		fmt.Fprintf(&text, "$ gatepost directory show %s\n%s%sexit status %d\n\n", asked, r.out, r.err, r.code)
	}
	out := regexp.MustCompile(`ldap://127\.0\.0\.1:\d+`).ReplaceAllString(text.String(), "ldap://127.0.0.1:PORT")
	out = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]{27}`).ReplaceAllString(out, "UUID")
	out = regexp.MustCompile(`answered \d+ search(es)?, the longest in [0-9.]+ ms`).ReplaceAllString(out, "answered N searches, the longest in N ms")
	golden(t, "directory_show.golden", out)

	for _, tc := range []struct {
		asked string
		code  int
		want  []string
	}{
		{"bob", 0, []string{"uid=bob,ou=people", "shell@example.com, cn=shell", "through cn=developers"}},
		{"postmaster@example.org", 0, []string{"account cn=postmaster,ou=addresses", "forwarded only", "bob@example.com"}},
		{"webmaster@bücher.example", 0, []string{"uid=alice", "webmaster@xn--bcher-kva.example (domain hosted)"}},
		{"carol@example.com", 1, []string{"refused: the account is disabled"}},
		{"twin@example.com", 1, []string{"no single entry", "uid=eve,", "uid=eva,"}},
		{"eve", 1, []string{"account uid=eve", "several entries match", "uid=eva,", "no mail domain elsewhere.example", "eve@elsewhere.example (domain not hosted)"}},
		{"odd", 1, []string{"cannot be understood", "lots"}},
		{"anybody@example.org", 0, []string{"account uid=all", "by @example.org"}},
		{"left@example.com", 1, []string{"list within", "cn=right,", "carol@example.com: the account is disabled", "uid=gone,ou=people,dc=example,dc=com: there is no such entry", "2 members cannot receive",
			"partner@example.net, elsewhere"}},
		{"x@y@", 1, []string{"neither an address nor a login"}},
		{"*@example.com", 1, []string{"nobody has it"}},
		{"nobody@nowhere.example", 1, []string{"no mail domain nowhere.example"}},
		{"--members=1 staff@example.com", 0, []string{"and 2 more"}},
	} {
		r := show(strings.Fields(tc.asked)...)
		if r.code != tc.code {
			t.Errorf("%s: exit status %d, want %d\n%s%s", tc.asked, r.code, tc.code, r.out, r.err)
		}
		for _, want := range tc.want {
			if !strings.Contains(r.out, want) {
				t.Errorf("%s: no %q in\n%s%s", tc.asked, want, r.out, r.err)
			}
		}
	}

	var v directoryView
	if err := json.Unmarshal([]byte(show("--json", "dan@example.com").out), &v); err != nil {
		t.Fatal(err)
	}
	if v.Account == nil || v.Account.UIDNumber != 10004 || len(v.Account.Forward) != 1 || len(v.Lists) == 0 || v.Wrong != nil || v.Servers[0].Searches == 0 {
		t.Errorf("%+v", v)
	}

	server.Stop()
	show("alice@example.com").expect(t, 75, "cannot tell", "")
	show("nobody@example.com").expect(t, 75, ": down: ", "")
	gatepost(t, "directory", "show", "--directory", "/none/directory.toml", "alice").expect(t, 78, "", "/none/directory.toml")
	show("alice", "bob").expect(t, 2, "", "")
	show("--members=-1", "alice").expect(t, 2, "", "less than nothing")
}

// TestDirectoryShowStore: what lmtpd answers, whose rows and mailboxes there
// are, and whose there will be.
func TestDirectoryShowStore(t *testing.T) {
	_, file := sampleDirectory(t, twins)
	dsn := newTestStore(t)
	show := func(asked string) result {
		t.Helper()
		return squeezed(gatepost(t, "directory", "show", "--directory", file, "--store", dsn, asked))
	}
	show("alice@example.com").expect(t, 0, "in the store alice, number 10001: the first delivery makes it", "")
	show("carol@example.com").expect(t, 1, "550 5.2.1", "")
	show("nobody@example.com").expect(t, 1, "550 5.1.1", "")
	show("dan@example.com").expect(t, 0, "to the smarthost dan@example.net", "")
	execSQL(t, dsn, "INSERT INTO dbmail_users (user_idnr, userid, passwd, client_idnr, maxmail_size, curmail_size, encryption_type, active) VALUES (10001, 'alice', 'UNUSED', 65535, 0, 1024, 'md5', 1)",
		"INSERT INTO dbmail_mailboxes (owner_idnr, name) VALUES (10001, 'INBOX')",
		"INSERT INTO dbmail_users (user_idnr, userid, passwd, client_idnr, maxmail_size, curmail_size, encryption_type, active) VALUES (10004, 'somebody', 'UNUSED', 65535, 0, 0, 'md5', 1)")
	show("alice@example.com").expect(t, 0, "alice, number 10001: 1.0K used, quota 2.0G", "")
	show("alice").expect(t, 0, "INBOX (0 messages, 0)", "")
	r := show("dan@example.com") // number 10004 is somebody else's in the store
	r.expect(t, 1, "451 ", "")
	if !strings.Contains(r.out, "somebody") {
		t.Errorf("who has the number is not told:\n%s", r.out)
	}

	good(t, "store", "user", "add", "local", "--alias", "local@example.com", "--store", dsn)
	config := writeFile(t, "lmtpd.toml", fmt.Sprintf("hostname = \"store.example.com\"\nrecipients = [\"directory\", \"sql\"]\ndirectory = %q\nservice = \"imap\"\n[store]\ndsn = %q\n", file, dsn))
	with := func(asked string) result {
		return squeezed(gatepost(t, "directory", "show", "--config", config, asked))
	}
	with("local@example.com").expect(t, 0, "local, number ", "")
	with("eve@example.com").expect(t, 1, "550 5.7.1", "")
	with("bob@example.com").expect(t, 0, "lmtpd answers 250\n", "")
	with("alice").expect(t, 0, "INBOX (0 messages", "")
	gatepost(t, "directory", "show", "--config", config, "--store", dsn, "alice").expect(t, 2, "", "config store")
	gatepost(t, "directory", "show", "--directory", file, "--store", "sqlite:/none/store.db", "alice").expect(t, 78, "", "/none/store.db")
}

// squeezed takes the columns out of a table.
func squeezed(r result) result {
	r.out = regexp.MustCompile(` +`).ReplaceAllString(r.out, " ")
	return r
}
