package testbed_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-ldap/ldap/v3"

	"gatepost/internal/testbed"
)

const smallLDIF = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: cn=z,dc=example,dc=com
objectClass: inetOrgPerson
cn: z
sn: z
mail: z@example.com

dn: cn=a,dc=example,dc=com
objectClass: inetOrgPerson
cn: a
sn: a
mail: a@example.com
`

// mails searches as somebody, or as nobody, and lists the mail attribute.
func mails(t *testing.T, conn *ldap.Conn, base string) string {
	t.Helper()
	conn.SetTimeout(30 * time.Second)
	answer, err := conn.Search(ldap.NewSearchRequest(base, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false,
		"(mail=*)", []string{"mail"}, nil))
	if err != nil {
		t.Fatalf("search: %v", err)
	}
	var list []string
	for _, e := range answer.Entries {
		list = append(list, e.GetAttributeValue("mail"))
	}
	return strings.Join(list, " ")
}

func dial(t *testing.T, uri string, options ...ldap.DialOpt) *ldap.Conn {
	t.Helper()
	conn, err := ldap.DialURL(uri, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

func TestSlapdAddresses(t *testing.T) {
	server := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(smallLDIF), Index: []string{"mail eq"}, Debug: "stats"})
	// Entries come back in the order in which they were loaded.
	const want = "z@example.com a@example.com"
	if got := mails(t, dial(t, server.URI()), server.BaseDN); got != want {
		t.Errorf("ldap: %q", got)
	}
	if !strings.Contains(server.Log(), `SRCH base="dc=example,dc=com"`) {
		t.Errorf("log without the search:\n%s", server.Log())
	}
	pem, err := os.ReadFile(server.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	config := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
	if got := mails(t, dial(t, "ldaps://"+server.TLSAddr(), ldap.DialWithTLSConfig(config)), server.BaseDN); got != want {
		t.Errorf("ldaps: %q", got)
	}
	conn := dial(t, "ldap://"+server.Addr())
	if err := conn.StartTLS(config); err != nil {
		t.Errorf("StartTLS: %v", err)
	}
	out, err := exec.Command("ldapsearch", "-x", "-LLL", "-H", server.SocketURI(), "-b", server.BaseDN, "(mail=a@example.com)", "cn").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "cn: a\n") {
		t.Errorf("ldapi: %v\n%s", err, out)
	}
}

func TestSlapdLives(t *testing.T) {
	server := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(smallLDIF)})
	if err := server.Modify("dn: cn=n,dc=example,dc=com\nobjectClass: inetOrgPerson\ncn: n\nsn: n\nmail: n@example.com\n" +
		"\ndn: cn=z,dc=example,dc=com\nchangetype: delete\n"); err != nil {
		t.Fatal(err)
	}
	if err := server.Modify("dn: cn=none,dc=example,dc=com\nchangetype: delete\n"); err == nil {
		t.Error("an entry that does not exist was deleted")
	}
	dead := server.Pid()
	server.Kill()
	if err := syscall.Kill(dead, 0); err != syscall.ESRCH {
		t.Errorf("process %d after Kill: %v", dead, err)
	}
	if _, err := ldap.DialURL(server.URI()); err == nil {
		t.Error("a killed server accepts")
	}
	addr := server.Addr()
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if server.Addr() != addr {
		t.Errorf("address %s, was %s", server.Addr(), addr)
	}
	if got := mails(t, dial(t, server.URI()), server.BaseDN); got != "a@example.com n@example.com" {
		t.Errorf("after the crash: %q", got)
	}

	// Frozen: it accepts and does not answer.
	server.Pause()
	frozen := dial(t, server.URI())
	frozen.SetTimeout(200 * time.Millisecond)
	if _, err := frozen.Search(ldap.NewSearchRequest("", ldap.ScopeBaseObject, 0, 0, 0, false, "(objectClass=*)", nil, nil)); err == nil {
		t.Error("a frozen server answers")
	}
	server.Resume()
	if got := mails(t, dial(t, server.URI()), server.BaseDN); got == "" {
		t.Error("nothing after Resume")
	}
	server.Pause()
	server.Stop()

	if err := server.Reload([]byte(smallLDIF)); err != nil {
		t.Fatal(err)
	}
	if got := mails(t, dial(t, server.URI()), server.BaseDN); got != "z@example.com a@example.com" {
		t.Errorf("after Reload: %q", got)
	}
}

func TestSlapdAccess(t *testing.T) {
	server := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(smallLDIF)})
	conn := dial(t, server.URI())
	if got := mails(t, conn, server.BaseDN); got == "" {
		t.Error("nothing to read")
	}
	// Live, on a connection that stays.
	if err := server.Configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n" +
		"olcAccess: to attrs=mail by * none\nolcAccess: to * by * read\n"); err != nil {
		t.Fatal(err)
	}
	if got := mails(t, conn, server.BaseDN); got != "" {
		t.Errorf("read without the right: %q", got)
	}
	if err := server.Restart(); err != nil {
		t.Fatal(err)
	}
	if got := mails(t, dial(t, server.URI()), server.BaseDN); got == "" {
		t.Error("nothing to read after a restart")
	}
	if err := server.Reconfigure(func(o *testbed.SlapdOptions) {
		o.Access = []string{"to * by users read by anonymous auth"}
		o.Index = []string{"mail eq"}
	}); err != nil {
		t.Fatal(err)
	}
	conn = dial(t, server.URI())
	conn.SetTimeout(30 * time.Second)
	if err := conn.Bind(server.AdminDN, server.AdminPassword); err != nil {
		t.Fatal(err)
	}
	if got := mails(t, conn, server.BaseDN); got == "" {
		t.Error("the administrator reads nothing")
	}
}

func TestSlapdReplica(t *testing.T) {
	provider := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(smallLDIF), Syncprov: true})
	consumer := testbed.Slapd(t, testbed.SlapdOptions{Consumes: provider})
	if err := provider.Modify("dn: cn=n,dc=example,dc=com\nobjectClass: inetOrgPerson\ncn: n\nsn: n\nmail: n@example.com\n"); err != nil {
		t.Fatal(err)
	}
	conn := dial(t, consumer.URI())
	conn.SetTimeout(30 * time.Second)
	for deadline := time.Now().Add(30 * time.Second); ; {
		answer, err := conn.Search(ldap.NewSearchRequest("cn=n,"+consumer.BaseDN, ldap.ScopeBaseObject, 0, 0, 0, false, "(mail=n@example.com)", nil, nil))
		if err == nil && len(answer.Entries) == 1 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the replica never got the new entry: %v", err)
		}
	}
}

func TestSlapdWholeConfig(t *testing.T) {
	dir := t.TempDir()
	schema := "attributetype ( 1.3.6.1.4.1.4203.666.1.99 NAME 'testColour' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )\n" +
		"objectclass ( 1.3.6.1.4.1.4203.666.3.99 NAME 'testThing' SUP top AUXILIARY MAY testColour )\n"
	if err := os.WriteFile(filepath.Join(dir, "test.schema"), []byte(schema), 0o644); err != nil {
		t.Fatal(err)
	}
	server := testbed.Slapd(t, testbed.SlapdOptions{Dir: dir, LDIF: []byte(smallLDIF), Config: `include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
include @DIR@/test.schema
modulepath /usr/lib/ldap
moduleload back_mdb
database mdb
suffix "dc=example,dc=com"
rootdn "cn=admin,dc=example,dc=com"
rootpw adminpw
directory @RUN@/data
access to * by * read
`})
	if err := server.Modify("dn: cn=a,dc=example,dc=com\nchangetype: modify\nadd: objectClass\nobjectClass: testThing\n-\nadd: testColour\ntestColour: red\n"); err != nil {
		t.Error(err)
	}
}
