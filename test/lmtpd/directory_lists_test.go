package lmtpd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// TestDirectoryLists delivers to lists of all forms.
func TestDirectoryLists(t *testing.T) {
	group := func(name string, members ...string) string { // nested by DN
		return fmt.Sprintf("dn: %s\nobjectClass: groupOfNames\nobjectClass: gatepostList\ncn: %[2]s\nmail: %[2]s@example.org\n%s\n",
			listDN(name), name, lines("member", members...))
	}
	d := newDirectorySite(t, testbed.MariaDB(t), directoryOptions{
		entries: person("ann", 2001) + person("ben", 2002) + person("cat", 2003, "mailForwardingAddress: cat@elsewhere.test") +
			person("off", 2004, "accountStatus: disabled") + person("full", 2005, "mailQuota: 10") + person("boss", 2006) +
			person("odd", 2007, "mailQuota: plenty") +
			group("inner", personDN("ann"), personDN("ben"), listDN("middle")) +
			group("middle", personDN("ben"), listDN("outer")) +
			group("outer", listDN("inner"), listDN("outer"), personDN("cat")) +
			mailingList("round", "rfc822MailMember: trip@example.org", "rfc822MailMember: ann@example.org") +
			mailingList("trip", "rfc822MailMember: ROUND@example.org", "rfc822MailMember: ben@example.org") +
			mailingList("world", "owner: "+personDN("boss"), "rfc822MailMember: pat@elsewhere.test", "rfc822MailMember: PAT@elsewhere.test",
				"rfc822MailMember: lee@elsewhere.test", "rfc822MailMember: ann@example.org", "rfc822MailMember: outer@example.org") +
			mailingList("sick", "owner: "+personDN("boss"), "rfc822MailMember: off@example.org", "rfc822MailMember: full@example.org",
				"rfc822MailMember: ann@example.org", "rfc822MailMember: ben+notes@example.org") +
			group("ghosts", personDN("ghost"), personDN("ann")) +
			mailingList("alone", "rfc822MailMember: off@example.org") +
			mailingList("empty") +
			mailingList("doubt", "rfc822MailMember: odd@example.org", "rfc822MailMember: ann@example.org") +
			mailingList("search", "memberURL: ldap:///ou=people,dc=example,dc=com??one?(&(objectClass=dbmailUser)(uidNumber<=2002))"),
	})
	d.post([]parcel{
		{"inner@example.org", yes, []string{"ann", "ben", "cat"}, []string{"cat@elsewhere.test"}},
		{"outer@example.org", yes, []string{"ann", "ben", "cat"}, []string{"cat@elsewhere.test"}},
		{"round@example.org", yes, []string{"ann", "ben"}, nil},
		{"world@example.org", yes, []string{"ann", "ben", "cat"}, []string{"cat@elsewhere.test", "lee@elsewhere.test", "pat@elsewhere.test"}},
		{"sick@example.org", yes, []string{"ann"}, []string{"ben+notes@example.org"}}, // an address of nobody's entry: Postfix knows where it leads
		{"ghosts@example.org", yes, []string{"ann"}, nil},
		{"alone@example.org", "550 5", nil, nil},
		{"empty@example.org", "550 5", nil, nil},
		{"doubt@example.org", "451 4.3.0", []string{"ann"}, nil},
		{"search@example.org", yes, []string{"ann", "ben"}, nil},
	})
	// What goes outside comes from the list's owner, who gets its bounces, and
	// is the same message.
	for _, rcpt := range []string{"pat@elsewhere.test", "lee@elsewhere.test"} {
		if got := d.sink.to(rcpt); len(got) != 1 || got[0].from != "boss@example.org" || !strings.HasSuffix(got[0].text, simple("parcel3")) {
			t.Errorf("to %s: %v", rcpt, got)
		}
	}
	reports := d.sink.to("boss@example.org")
	if len(reports) != 1 || reports[0].from != "" {
		t.Fatalf("reports to the owner: %v", reports)
	}
	for _, w := range []string{"off@example.org", "full@example.org", "sick@example.org", "parcel4", "5.2.1", "5.2.2"} {
		if !strings.Contains(reports[0].text, w) {
			t.Errorf("the report to the owner lacks %q: %s", w, reports[0].text)
		}
	}
	if strings.Contains(reports[0].text, "ann@example.org") {
		t.Errorf("the report to the owner tells of who has it: %s", reports[0].text)
	}
	noInside(t, "the report", reports[0].text)

	// The member of which nothing could be told is settled: the others have
	// their copies and get no other.
	d.change(replace(personDN("odd"), "mailQuota", "1M"))
	d.expect("doubt@example.org", "parcel8", yes)
	for user, n := range map[string]int{"odd": 1, "ann": 1} {
		if got := d.number("SELECT count(*)"+copyTables+" AND v.headervalue = 'parcel8' AND u.userid = ?", user); got != int64(n) {
			t.Errorf("%s has %d copies, want %d", user, got, n)
		}
	}
	d.verify()
}

// TestDirectoryListPeers: only a peer that asks who may send to lists may
// send to them.
func TestDirectoryListPeers(t *testing.T) {
	d := newDirectorySite(t, testbed.MariaDB(t), directoryOptions{
		entries: person("ann", 2001) + mailingList("all", "rfc822MailMember: ann@example.org"),
	})
	files := d.files(directoryOptions{}, d.server.Socket())
	files["lmtpd.toml"] = strings.ReplaceAll(files["lmtpd.toml"], "lists = true", "lists = false")
	d.expect("all@example.org", "trusted", yes)
	trusted := d.daemon
	d.daemon = launch(t, "unix:"+shortDir(t)+"/lmtp?mode=0666", files)
	d.expect("ann@example.org", "person", yes)
	if reply := d.deliver("all@example.org", "untrusted"); !slices.Contains([]string{"4", "5"}, reply[:1]) {
		t.Errorf("a list takes mail from a peer that may not: %q", reply)
	}
	d.daemon = trusted
	d.has("ann", "trusted", "person")
}
