//go:build !dmz

package main

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/cmd/gatepost/dbmailconf"
	"gatepost/internal/testbed"
)

const importedPeople = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=dbmail,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: dbmail
userPassword: s3cr%t "

dn: uid=mika,dc=example,dc=com
objectClass: account
objectClass: dbmailUser
uid: mika
uidNumber: 1004
gidNumber: 1004
mail: mika@example.org
`

// TestLmtpdImportRuns: what is made of a DBMail with its users in LDAP is what
// gatepost-lmtpd starts and delivers with, as it is.
func TestLmtpdImportRuns(t *testing.T) {
	schemas, err := filepath.Abs("../../schema/ldap")
	if err != nil {
		t.Fatal(err)
	}
	slapd := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(importedPeople), Index: []string{"uid,mail,mailAlternateAddress,member,uniqueMember eq"},
		Access: []string{`to attrs=userPassword by anonymous auth by * none`, `to * by dn.exact="cn=dbmail,dc=example,dc=com" read by * none`},
		Schema: []string{"/etc/ldap/schema/dyngroup.schema", schemas + "/dbmail.schema", schemas + "/mailmember.schema", schemas + "/ldapns.schema", schemas + "/gatepost.schema"}})
	dsn := newTestStore(t)
	conf := writeFile(t, "dbmail.conf", "[DBMAIL]\ndburi = sqlite://"+strings.TrimPrefix(dsn, "sqlite:")+`
authdriver = ldap
sendmail = /usr/sbin/sendmail
[LDAP]
URI = `+slapd.URI()+`
base_dn = dc=example,dc=com
bind_dn = cn=dbmail,dc=example,dc=com
bind_pw = s3cr%t "   # not to be shown
user_objectclass = top,account,dbmailUser
field_uid = uid
field_nid = uidNumber
field_mail = mail
field_quota = mailQuota
field_fwdtarget = mailForwardingAddress
query_timeout = 3
`)
	dir := t.TempDir()
	good(t, "lmtpd", "import", conf, "--out", dir)

	program := filepath.Join(binaries(t, "gatepost/cmd/gatepost-lmtpd"), "gatepost-lmtpd")
	config := filepath.Join(dir, "lmtpd.toml")
	if out, err := exec.CommandContext(t.Context(), program, "--config", config, "--check").CombinedOutput(); err != nil || strings.Contains(string(out), "s3cr") {
		t.Errorf("--check: %v\n%s", err, out)
	}
	d := testbed.Run(t, program, "--config", config, "--listen", "inet:127.0.0.1:0")
	addr := d.WaitLog(`msg=listening address=(inet:\S+)`)
	d.WaitLog(`msg="store is open"`)
	message := writeFile(t, "message", "Subject: x\r\n\r\nx\r\n")
	good(t, "deliver", "--lmtp", addr, "--to", "mika@example.org", message)
	if out := good(t, "store", "user", "show", "mika", "--store", dsn); !strings.Contains(out, "1004") {
		t.Errorf("no shadow row:\n%s", out)
	}
	gatepost(t, "deliver", "--lmtp", addr, "--to", "*@example.org", message).expect(t, 1, "550", "")
}

// FuzzLmtpdImport: whatever the file says, there is a plan or there are
// problems, and what is printed has none of its passwords.
func FuzzLmtpdImport(f *testing.F) {
	f.Add("[DBMAIL]\ndburi = mysql://u:qqqqqqqq@h/d\nauthdriver = sql\nport = 1\nbindip = *, ::1\nsmtp_host = smtp://x:y\n")
	f.Add("[DBMAIL]\ndriver = mysql\nhost = h\nuser = u\npass = qqqqqqqq\ndb = d\nauthdriver = ldap\n[LDAP]\nuri = ldap://x\nbase_dn = o=x\nbind_dn = o=y\n" +
		"bind_pw = qqqqqqqq\nfield_uid = a\nfield_nid = b\nfield_mail = c,d\nuser_objectclass = e\n[x]\n\x7f = \x1b\n")
	f.Fuzz(func(t *testing.T, text string) {
		conf, problems := dbmailconf.Parse("dbmail.conf", []byte(text))
		if len(problems) > 0 {
			return
		}
		plan, err := newLmtpdImportPlan(conf, "/etc/gatepost")
		if err != nil {
			return
		}
		var out strings.Builder
		if err := plan.print(&out); err != nil {
			t.Fatal(err)
		}
		for _, file := range plan.Files {
			if file.Secret && len(file.secret) > 7 && !strings.Contains(strings.Replace(text, file.secret, "", 1), file.secret) && strings.Contains(out.String(), file.secret) {
				t.Errorf("shows %q:\n%s", file.secret, &out)
			}
		}
	})
}
