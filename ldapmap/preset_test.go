package ldapmap

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/testbed"
)

const presetLDIF = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: uid=alice,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: alice
cn: Alice
sn: A
mail: alice@example.com
mailAlternateAddress: a.alice@example.com

dn: uid=bob,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: bob
cn: Bob
sn: B
mail: bob@example.com
mailForwardingAddress: bob@elsewhere.test
deliveryMode: nolocal

dn: uid=carol,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: carol
cn: Carol
sn: C
mail: carol@example.com
mailForwardingAddress: carol@elsewhere.test

dn: uid=gone,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: gone
cn: Gone
sn: G
mail: gone@example.com
accountStatus: disabled

dn: uid=twin1,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: twin1
cn: Twin
sn: T
mail: twin@example.com

dn: uid=twin2,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: twin2
cn: Twin
sn: T
mail: twin@example.com

dn: cn=staff,dc=example,dc=com
objectClass: groupOfNames
objectClass: gatepostList
cn: staff
mail: staff@example.com
member: uid=alice,dc=example,dc=com
member: uid=bob,dc=example,dc=com

dn: dc=mail,dc=example,dc=com
objectClass: dcObject
objectClass: organization
objectClass: domainRelatedObject
o: Mail
dc: mail
associatedDomain: example.com
`

func TestPresets(t *testing.T) {
	dir, err := filepath.Abs("../schema/ldap")
	if err != nil {
		t.Fatal(err)
	}
	slapd := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(presetLDIF), Index: []string{"mail,mailAlternateAddress,associatedDomain eq"},
		Schema: []string{"/etc/ldap/schema/dyngroup.schema", dir + "/dbmail.schema", dir + "/mailmember.schema", dir + "/ldapns.schema", dir + "/gatepost.schema"}})
	conf := tree(t, map[string]string{"directory.toml": "uris = [\"" + slapd.URI() + "\"]\nbase = \"dc=example,dc=com\"\npreset = \"dbmail\"\n"})
	var text strings.Builder
	text.WriteString("[postfix]\nmydestination = []\nrecipient_delimiter = \"+\"\n")
	for _, p := range presets() {
		text.WriteString("[table." + p + "]\npreset = \"" + p + "\"\n")
	}
	path := filepath.Join(conf, "ldapmap.toml")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, plan, _, problems := LoadConfig(path, "")
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	metrics := NewMetrics(prometheus.NewRegistry())
	live := plan.Open(nil, metrics, discard())
	defer func() { live.Close(nil) }()
	if again := plan.Open(live, metrics, discard()); len(live.groups) != 1 || len(again.groups) != 1 || len(live.Maps) != len(presets()) {
		t.Errorf("%d directories for %d tables", len(live.groups), len(live.Maps))
	} else {
		again.Close(live)
	}
	for _, c := range []struct{ table, key, want string }{
		{"virtual_alias", "alice@example.com", "NOTFOUND "},
		{"virtual_alias", "A.Alice@Example.com", "OK alice@example.com"},
		{"virtual_alias", "a.alice+x@example.com", "OK alice+x@example.com"},
		{"virtual_alias", "bob@example.com", "OK bob@elsewhere.test"},
		{"virtual_alias", "carol@example.com", "OK carol@example.com,carol@elsewhere.test"},
		{"virtual_alias", "staff@example.com", "OK alice@example.com,bob@example.com"},
		{"virtual_alias", "gone@example.com", "NOTFOUND "},
		{"virtual_alias", "nobody@example.com", "NOTFOUND "},
		{"virtual_alias", "twin@example.com", "TEMP the directory cannot tell"},
		{"virtual_alias", "example.com", "NOTFOUND "},
		{"relay_recipient", "alice@example.com", "OK OK"},
		{"relay_recipient", "a.alice+x@example.com", "OK OK"},
		{"relay_recipient", "staff@example.com", "OK OK"},
		{"relay_recipient", "gone@example.com", "NOTFOUND "},
		{"relay_recipient", "nobody@example.com", "NOTFOUND "},
		{"mailbox", "alice+x@example.com", "OK alice"},
		{"mailbox", "bob@example.com", "NOTFOUND "},
		{"mailbox", "carol@example.com", "OK carol"},
		{"mailbox", "staff@example.com", "NOTFOUND "},
		{"sender_login", "a.alice@example.com", "OK alice"},
		{"sender_login", "gone@example.com", "OK gone"},
		{"sender_login", "nobody@example.com", "NOTFOUND "},
		{"domain", "Example.com", "OK example.com"},
		{"domain", "example.org", "NOTFOUND "},
	} {
		r := answer(live.Maps[c.table].Lookup(t.Context(), c.key))
		if got := r.status + " " + r.data; got != c.want {
			t.Errorf("%s %s: %s, want %s (%v)", c.table, c.key, got, c.want, r.why)
		}
	}
	// They are explained as tables with files are, also when opened alone.
	one, ok := plan.Only("virtual_alias")
	if !ok {
		t.Fatal(plan.Names())
	}
	alone := one.Open(nil, NewMetrics(prometheus.NewRegistry()), discard())
	defer alone.Close(nil)
	e := alone.Maps["virtual_alias"].Explain(t.Context(), "a.alice+x@example.com", true)
	if n := len(e.Tried); n != 2 || e.Reply.Text != "alice+x@example.com" || len(e.Tried[n-1].Searches) == 0 || e.Tried[n-1].Searches[0].Server != slapd.URI() {
		t.Errorf("%+v", e)
	}
}
