package lmtpd_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// directorySite is a store whose users stand in a directory, and lmtpd
// between both. Its clients may send to lists.
type directorySite struct {
	t *testing.T
	*site
	slapd  *testbed.SlapdServer
	sink   *sink // lmtpd's smarthost
	daemon *daemon
	cli    string // gatepost, once it is built
}

// directoryOptions say what is in the directory and how lmtpd asks it.
type directoryOptions struct {
	preset  string // dbmail if empty
	entries string // LDIF of what is below the suffix and its ou=people and ou=lists
	toml    string // further lines of directory.toml
	// recipients of lmtpd.toml, ["directory"] if empty, and further lines
	// for the parts of that file before and after [store].
	recipients, head, tables string
	slapd                    testbed.SlapdOptions // its LDIF and Schema are made of the above
}

// schemas are what each preset needs in a server.
var schemas = map[string][]string{
	"dbmail":        {"/etc/ldap/schema/dyngroup.schema", "ldapns", "mailmember", "dbmail", "gatepost"},
	"inetorgperson": {},
	"qmail":         {"qmail"},
}

// suffixLDIF begins every directory.
const suffixLDIF = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: ou=lists,dc=example,dc=com
objectClass: organizationalUnit
ou: lists

`

// startSlapd loads a directory.
func startSlapd(t *testing.T, o directoryOptions) *testbed.SlapdServer {
	t.Helper()
	for _, name := range schemas[o.kind()] {
		if !filepath.IsAbs(name) {
			name = "../../schema/ldap/" + name + ".schema"
		}
		o.slapd.Schema = append(o.slapd.Schema, name)
	}
	o.slapd.LDIF = []byte(suffixLDIF + o.entries)
	return testbed.Slapd(t, o.slapd)
}

func (o directoryOptions) kind() string {
	if o.preset == "" {
		return "dbmail"
	}
	return o.preset
}

// newDirectorySite starts all of it. Each address is looked up anew, so that
// a change is seen at once, unless toml says otherwise.
func newDirectorySite(t *testing.T, server *testbed.MariaDBServer, o directoryOptions) *directorySite {
	t.Helper()
	d := &directorySite{t: t, site: newSite(t, server), slapd: startSlapd(t, o), sink: startSink(t)}
	d.daemon = launch(t, "unix:"+filepath.Join(shortDir(t), "lmtp")+"?mode=0666", d.files(o, server.Socket()))
	return d
}

// files are lmtpd's configuration, with the database behind a socket.
func (d *directorySite) files(o directoryOptions, socket string) map[string]string {
	if o.recipients == "" {
		o.recipients = `["directory"]`
	}
	if !strings.Contains(o.toml, "[cache]") {
		o.toml += "[cache]\npositive_ttl = \"0s\"\nnegative_ttl = \"0s\"\n"
	}
	return map[string]string{
		"directory.toml": fmt.Sprintf("uris = [%q]\nbase = %q\npreset = %q\n%s", d.slapd.URI(), d.slapd.BaseDN, o.kind(), o.toml),
		"lmtpd.toml": fmt.Sprintf("hostname = \"store.test\"\nrecipients = %s\n%s[store]\ndsn = %q\n"+
			"[smarthost]\naddress = \"inet:%s\"\ntls = \"off\"\n[[peer]]\nnetworks = [\"unix\", \"127.0.0.0/8\"]\nlists = true\n%s",
			o.recipients, o.head, d.dsn(socket), d.sink.addr, o.tables),
	}
}

// change applies LDIF (RFC 2849) to the directory.
func (d *directorySite) change(ldif string) {
	d.t.Helper()
	if err := d.slapd.Modify(ldif); err != nil {
		d.t.Fatal(err)
	}
}

// replace writes the change of one attribute.
func replace(dn, attribute string, values ...string) string {
	return fmt.Sprintf("dn: %s\nchangetype: modify\nreplace: %s\n%s\n", dn, attribute, lines(attribute, values...))
}

func lines(attribute string, values ...string) string {
	var b strings.Builder
	for _, v := range values {
		fmt.Fprintf(&b, "%s: %s\n", attribute, v)
	}
	return b.String()
}

func personDN(login string) string { return "uid=" + login + ",ou=people,dc=example,dc=com" }
func listDN(name string) string    { return "cn=" + name + ",ou=lists,dc=example,dc=com" }

// person writes the entry of an account in DBMail's schema, no shell account,
// whose address is LOGIN@example.org; more are further lines.
func person(login string, number int, more ...string) string {
	return fmt.Sprintf("dn: %s\nobjectClass: inetOrgPerson\nobjectClass: dbmailUser\nobjectClass: authorizedServiceObject\n"+
		"cn: %[2]s\nsn: %[2]s\nuid: %[2]s\nuidNumber: %[3]d\nmail: %[2]s@example.org\n%[4]s\n", personDN(login), login, number, ending(more))
}

// mailingList writes the entry of a list whose address is NAME@example.org.
func mailingList(name string, more ...string) string {
	return fmt.Sprintf("dn: %s\nobjectClass: nisMailAlias\nobjectClass: gatepostList\ncn: %[2]s\nmail: %[2]s@example.org\n%[3]s\n",
		listDN(name), name, ending(more))
}

// forwarder writes an entry that only forwards.
func forwarder(name string, to ...string) string {
	return fmt.Sprintf("dn: cn=%[1]s,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: dbmailForwardingAddress\ncn: %[1]s\nsn: %[1]s\nmail: %[1]s@example.org\n%[2]s\n",
		name, lines("mailForwardingAddress", to...))
}

func ending(more []string) string {
	var b strings.Builder
	for _, m := range more {
		b.WriteString(strings.TrimRight(m, "\n") + "\n")
	}
	return b.String()
}

// deliver hands a message of its own to an address and gives the reply, that
// to RCPT if it is refused there.
func (d *directorySite) deliver(rcpt, id string) string {
	d.t.Helper()
	reply, err := hand(d.daemon.dial, rcpt, simple(id))
	if err != nil {
		d.t.Fatalf("to %s: %q, %v", rcpt, reply, err)
	}
	noInside(d.t, "the reply", reply)
	return reply
}

// expect delivers and compares the reply's beginning.
func (d *directorySite) expect(rcpt, id, want string) {
	d.t.Helper()
	if got := d.deliver(rcpt, id); !strings.HasPrefix(got, want) {
		d.t.Errorf("%s to %s: %q, want %s; %s", id, rcpt, got, want, d.lastWhy(rcpt))
	}
}

// has compares a user's messages, by subject, in the order of arrival.
func (d *directorySite) has(user string, want ...string) {
	d.t.Helper()
	var got []string
	for _, text := range d.stored(user, "") {
		_, rest, _ := strings.Cut(text, "\r\nSubject: ")
		subject, _, _ := strings.Cut(rest, "\r\n")
		got = append(got, subject)
	}
	if strings.Join(got, " ") != strings.Join(want, " ") {
		d.t.Errorf("%s has %v, want %v", user, got, want)
	}
}

// lastWhy is the last line of the log that says why, of this recipient.
func (d *directorySite) lastWhy(rcpt string) string {
	all := strings.Split(d.daemon.log(), "\n")
	for i := len(all) - 1; i >= 0; i-- {
		if strings.Contains(all[i], " rcpt="+rcpt) && strings.Contains(all[i], "why=") {
			return all[i]
		}
	}
	return "the log says nothing"
}
