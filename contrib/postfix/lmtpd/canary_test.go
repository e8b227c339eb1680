package lmtpd_test

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"gatepost/internal/testbed"
)

const canaryLDIF = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: uid=alice,dc=example,dc=com
objectClass: account
objectClass: dbmailUser
objectClass: posixAccount
uid: alice
cn: alice
uidNumber: 1001
gidNumber: 1001
homeDirectory: /
mail: alice@example.com
mailAlternateAddress: alice.a@example.com
mailHost: lmtpd.example.com
mailHost: imap.example.com

dn: uid=bob,dc=example,dc=com
objectClass: account
objectClass: dbmailUser
objectClass: posixAccount
uid: bob
cn: bob
uidNumber: 1002
gidNumber: 1002
homeDirectory: /
mail: bob@example.com
mailHost: dbmail.example.com

dn: uid=carol,dc=example,dc=com
objectClass: account
objectClass: dbmailUser
objectClass: posixAccount
uid: carol
cn: carol
uidNumber: 1003
gidNumber: 1003
homeDirectory: /
mail: carol@example.com
`

// twin is an entry with an address that another one has.
const twin = `dn: uid=%[1]s,dc=example,dc=com
changetype: add
objectClass: account
objectClass: dbmailUser
objectClass: posixAccount
uid: %[1]s
cn: %[1]s
uidNumber: %[2]d
gidNumber: 1
homeDirectory: /
mail: dave@example.com
mailHost: lmtpd.example.com

`

// TestCanary: some users' mail goes to gatepost-lmtpd, that of the others to
// the server that was there, as the directory says; users go there and back.
func TestCanary(t *testing.T) {
	dir, err := filepath.Abs("../../../schema/ldap")
	if err != nil {
		t.Fatal(err)
	}
	slapd := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(canaryLDIF), Syncprov: true,
		Schema: []string{"/etc/ldap/schema/dyngroup.schema", dir + "/dbmail.schema", dir + "/mailmember.schema", dir + "/ldapns.schema", dir + "/gatepost.schema"}})
	old := newOldServer(t, "alice", "alice.a", "bob", "carol", "dave")
	forwards := freeAddress(t)
	programs := build(t, "gatepost-ldapmap", "gatepost-lmtpd")
	s := newStore(t)
	addr := startLmtpd(t, programs, s, slapd)

	route, err := os.ReadFile("../ldapmap/tables/routes.cf")
	if err != nil {
		t.Fatal(err)
	}
	table := string(route)
	for was, is := range map[string]string{"ldap://ldap.example.com": slapd.URI(), "lmtp:inet:127.0.0.1:2424": "lmtp:inet:" + addr} {
		if !strings.Contains(table, was) {
			t.Fatalf("the sample table has no %s", was)
		}
		table = strings.Replace(table, was, is, 1)
	}
	p := start(t, s, forwards, map[string]string{
		"virtual_transport": "lmtp:inet:" + old.addr,
		"transport_maps":    "socketmap:unix:gatepost/ldapmap:routes",
		// What was asked for before the move must not hide where it goes now.
		"address_verify_map": "",
	})
	socket := filepath.Join(filepath.Dir(p.ConfigDir()), "q", "gatepost", "ldapmap")
	startLdapmap(t, programs, socket, table)

	// Postfix asks each server for those that are its own.
	for i, err := range send(t, p, "alice@example.com", "alice.a@example.com", "bob@example.com", "carol@example.com") {
		if err != nil {
			t.Errorf("recipient %d: %v", i, err)
		}
	}
	waitUntil(t, p, "both servers have theirs", func() bool {
		return s.messages(t, "alice") == 1 && old.got("bob") == 1 && old.got("carol") == 1
	})
	var refused *smtp.SMTPError
	if err := send(t, p, "nobody@example.com")[0]; !errors.As(err, &refused) || refused.Code != 550 {
		t.Errorf("unknown recipient: %v", err)
	}

	// There, and back.
	goes := func(user string) string {
		out, _ := exec.Command("postmap", "-c", p.ConfigDir(), "-q", user+"@example.com", "socketmap:unix:"+socket+":routes").Output()
		return strings.TrimSpace(string(out))
	}
	change := func(user, how string) {
		t.Helper()
		if err := slapd.Modify("dn: uid=" + user + ",dc=example,dc=com\nchangetype: modify\n" + how + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	change("bob", "replace: mailHost\nmailHost: lmtpd.example.com")
	change("alice", "delete: mailHost")
	waitUntil(t, p, "the directory's change is seen", func() bool { return goes("bob") == "lmtp:inet:"+addr && goes("alice") == "" })
	send(t, p, "alice@example.com", "bob@example.com")
	waitUntil(t, p, "they have changed places", func() bool { return s.messages(t, "bob") == 1 && old.got("alice") == 1 })
	if s.messages(t, "alice") != 1 || old.got("bob") != 1 {
		t.Errorf("a copy at both: alice %d, bob %d", s.messages(t, "alice"), old.got("bob"))
	}

	// Nobody can tell which of two entries is meant: later, perhaps.
	if err := slapd.Modify(fmt.Sprintf(twin, "dave", 1004) + fmt.Sprintf(twin, "dave2", 1005)); err != nil {
		t.Fatal(err)
	}
	if err := send(t, p, "dave@example.com")[0]; !errors.As(err, &refused) || refused.Code/100 != 4 {
		t.Errorf("an address of two entries: %v", err)
	}

	// Without the directory whoever is known stays where he was, and the
	// others' mail waits.
	slapd.Stop()
	send(t, p, "bob@example.com")
	waitUntil(t, p, "a known user's mail", func() bool { return s.messages(t, "bob") == 2 })
	if err := send(t, p, "erin@example.com")[0]; !errors.As(err, &refused) || refused.Code/100 != 4 {
		t.Errorf("a user of whom nothing is known: %v", err)
	}
	if log := p.Log(); strings.Contains(log, "status=bounced") || old.got("dave") != 0 {
		t.Errorf("bounced, or went to the wrong server:\n%s", log)
	}
}

// build makes programs of ours and gives their directory.
func build(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	args := []string{"build", "-o", dir + "/"}
	for _, name := range names {
		args = append(args, "gatepost/cmd/"+name)
	}
	if out, err := exec.Command("go", args...).CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// startLmtpd runs the daemon over the site's store, with users of the
// directory, and gives its address.
func startLmtpd(t *testing.T, programs string, s *site, slapd *testbed.SlapdServer) string {
	t.Helper()
	config := filepath.Join(t.TempDir(), "lmtpd.toml")
	writeFile(t, filepath.Join(filepath.Dir(config), "directory.toml"), fmt.Sprintf("uris = %q\nbase = \"dc=example,dc=com\"\n", slapd.URI()))
	writeFile(t, config, fmt.Sprintf("hostname = \"lmtpd.example.com\"\nrecipients = \"directory\"\n[store]\ndsn = %q\n", s.dsn))
	d := testbed.Run(t, filepath.Join(programs, "gatepost-lmtpd"), "--config", config, "--listen", "inet:127.0.0.1:0")
	return d.WaitLog(`msg=listening address=inet:(\S+)`)
}

// startLdapmap runs the daemon with one table on a socket that Postfix may use.
func startLdapmap(t *testing.T, programs, socket, table string) {
	t.Helper()
	dir := t.TempDir()
	writeFile(t, filepath.Join(dir, "ldapmap.d", "routes.cf"), table)
	config := filepath.Join(dir, "ldapmap.toml")
	writeFile(t, config, fmt.Sprintf("tables = %q\n[postfix]\nmydestination = []\n[cache]\ncoherence = true\n", filepath.Join(dir, "ldapmap.d")))
	if err := os.MkdirAll(filepath.Dir(socket), 0o755); err != nil {
		t.Fatal(err)
	}
	d := testbed.Run(t, filepath.Join(programs, "gatepost-ldapmap"), "--config", config, "--listen", "unix:"+socket+"?mode=0660&group=postfix")
	d.WaitLog(`msg=listening`)
}
