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

func TestLdapmapCheck(t *testing.T) {
	server := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(lookupLDIF), Index: []string{"cn eq"},
		Global: []string{`authz-regexp "gidNumber=0\\+uidNumber=0,cn=peercred,cn=external,cn=auth" "cn=config"`}})
	host := "server_host = " + server.URI() + "\n"
	tls := "server_host = " + server.TLSURI() + "\ntls_require_cert = yes\n"
	plain := "bind = no\nsearch_base = dc=example,dc=com\nresult_attribute = mail\n"
	config := "--config-uri " + server.SocketURI()
	for _, tc := range []struct {
		name, cf, args string
		code           int
		want           []string
	}{
		{"good", host + plain + "query_filter = (cn=%s)\n# gatepost: sentinel = cn=alice,dc=example,dc=com\n", config, 0, []string{
			server.URI() + "\n  ok       connection  t: connected, anonymous\n", "  ok       base        t: \"dc=example,dc=com\" is there\n",
			"  ok       sentinel    t: cn=alice,dc=example,dc=com is found\n", "  ok       schema      t: knows cn, mail\n", "  ok       index       t: cn eq\n"}},
		{"indexes unseen", host + plain + "query_filter = (mail=%s)\n", "", 0, []string{
			"note     sentinel    t: none is configured", "note     index       t: not checked for \"dc=example,dc=com\": the server's indexes cannot be read: ", "--config-uri ldapi:/// can tell"}},
		{"indexes seen by the bind", host + "bind_dn = cn=config\nbind_pw = " + server.AdminPassword + "\n" + strings.TrimPrefix(plain, "bind = no\n") + "query_filter = (mail=%s)\n", "", 1, []string{
			"ok       connection  t: connected, bound as cn=config", "bad      index       t: mail has no index eq, and each look-up reads a large part of the entries below dc=example,dc=com\n"}},
		{"no index", host + plain + "query_filter = (|(cn=%s)(mail=%s)(mail=*))\n", config, 1, []string{
			"mail has no index eq", "dn: olcDatabase={1}mdb,cn=config\n             changetype: modify\n             add: olcDbIndex\n             olcDbIndex: mail eq\n", "mail has no index pres"}},
		{"an index that will do", host + plain + "query_filter = (&(cn=%s)(mail=%s))\n", config, 0, []string{"note     index       t: mail has no index eq; the rest of the filter has\n"}},
		{"no index can help", host + plain + "query_filter = (!(cn=%s))\n", config, 0, []string{"note     index       t: no index can help with (!(cn="}},
		{"unknown attributes", host + plain + "query_filter = (|(cn=%s)(maildrop=%s))\nspecial_result_attribute = mgrpRFC822MailMember\n", config, 1, []string{
			"bad      schema      t: there is no attribute maildrop: a search for it finds nothing", "note     schema      t: there is no attribute mgrpRFC822MailMember, which"}},
		{"base", host + strings.Replace(plain, "dc=example", "ou=none,dc=example", 1) + "query_filter = (cn=%s)\n", "", 1, []string{`bad      base        t: "ou=none,dc=example,dc=com": the search base does not exist`}},
		{"base from the key", host + strings.Replace(plain, "dc=example", "ou=%d,dc=example", 1) + "query_filter = (cn=%s)\n", config, 0, []string{"ok       index       t: cn eq\n"}},
		{"sentinel", host + plain + "query_filter = (cn=%s)\n# gatepost: sentinel = cn=none,dc=example,dc=com\n", "", 1, []string{"bad      sentinel    t: cn=none,dc=example,dc=com"}},
		{"password", host + "bind_dn = " + server.AdminDN + "\nbind_pw = wrong\nsearch_base = dc=example,dc=com\nquery_filter = (cn=%s)\n", "", 1, []string{"bad      connection  t: ", "49 (Invalid Credentials)"}},
		{"down", "server_host = ldap://127.0.0.1:1\n" + plain + "query_filter = (cn=%s)\n", "", 75, []string{"ldap://127.0.0.1:1\n  unknown  connection  t: ", "connection refused"}},
		{"one of two is down", "server_host = ldap://127.0.0.1:1 " + server.URI() + "\n" + plain + "query_filter = (cn=%s)\n", "", 75, []string{"unknown  connection", server.URI() + "\n  ok       connection"}},
		{"TLS", tls + "tls_ca_cert_file = " + server.CAFile + "\n" + plain + "query_filter = (cn=%s)\n", "", 0, []string{"ok       connection  t: connected, anonymous, TLS, certificate verified"}},
		{"TLS of nobody", tls + plain + "query_filter = (cn=%s)\n", "", 1, []string{"bad      connection  t: TLS: tls: failed to verify certificate"}},
		{"TLS of anybody", strings.Replace(tls, "yes", "no", 1) + plain + "query_filter = (cn=%s)\n", "", 0, []string{"note     connection  t: connected, anonymous, TLS with any certificate"}},
		{"configuration", host + "bind = maybe\n", "", 78, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "t.cf"), []byte(tc.cf), 0o600); err != nil {
				t.Fatal(err)
			}
			r := gatepost(t, append([]string{"ldapmap", "check", "--tables", dir}, strings.Fields(tc.args)...)...)
			r.expect(t, tc.code, "", "")
			for _, want := range tc.want {
				if !strings.Contains(r.out, want) {
					t.Errorf("no %q in\n%s", want, r.out)
				}
			}
			// One table, by its path, is checked alike.
			one := gatepost(t, append([]string{"ldapmap", "check", dir + "/t.cf"}, strings.Fields(tc.args)...)...)
			if one.code != tc.code || one.out != r.out {
				t.Errorf("exit status %d\n%s", one.code, one.out)
			}
		})
	}
}

// TestLdapmapCheckMends does what the check advises.
func TestLdapmapCheckMends(t *testing.T) {
	schema, err := filepath.Abs("../../schema/ldap")
	if err != nil {
		t.Fatal(err)
	}
	server := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(lookupLDIF), Index: []string{"mail,cn pres"},
		Schema: []string{"/etc/ldap/schema/dyngroup.schema", schema + "/dbmail.schema", schema + "/mailmember.schema", schema + "/ldapns.schema", schema + "/gatepost.schema"},
		Global: []string{`authz-regexp "gidNumber=0\\+uidNumber=0,cn=peercred,cn=external,cn=auth" "cn=config"`}})
	dir := t.TempDir()
	for name, text := range map[string]string{
		"a.cf":           "server_host = " + server.URI() + "\n" + lookupTable,
		"b.cf":           "server_host = " + server.URI() + "\n" + lookupTable,
		"directory.toml": "uris = [\"" + server.URI() + "\"]\nbase = \"dc=example,dc=com\"\nsentinel = \"(cn=alice)\"\n",
		"ldapmap.toml":   "tables = \"" + dir + "\"\n[postfix]\nmydestination = []\n[table.aliases]\npreset = \"virtual_alias\"\n[table.domains]\npreset = \"domain\"\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	args := []string{"ldapmap", "check", "--json", "--config", dir + "/ldapmap.toml", "--config-uri", server.SocketURI()}
	r := gatepost(t, args...)
	r.expect(t, 1, "", "")
	var findings []ldapmap.Finding
	decode(t, r.out, &findings)
	tables := map[string]bool{}
	mended := 0
	for rounds := 0; ; rounds++ {
		bad := 0
		for _, f := range findings {
			if f.Level != ldapmap.LevelBad {
				continue
			}
			if f.What != "index" || f.Mend == "" {
				t.Fatalf("%+v", f)
			}
			tables[strings.Join(f.Tables, " ")] = true
			// One at a time: a line that is mended is another line then.
			if bad++; bad == 1 {
				if err := server.Configure(f.Mend); err != nil {
					t.Fatalf("%v\n%s", err, f.Mend)
				}
				mended++
			}
		}
		if bad == 0 {
			break
		}
		if rounds == 30 {
			t.Fatalf("still bad: %+v", findings)
		}
		findings = nil
		decode(t, gatepost(t, args...).out, &findings)
	}
	if mended < 5 || !tables["a b"] || !tables["aliases"] || !tables["domains"] {
		t.Errorf("%d mended, of %v", mended, tables)
	}
	gatepost(t, args...).expect(t, 0, `"what": "sentinel"`, "")
}
