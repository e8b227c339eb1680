package recipient

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"gatepost/internal/directory"
	"gatepost/internal/testbed"
)

func list(name string, lines ...string) string {
	return entry("cn="+name, append([]string{"objectClass: groupOfNames", "objectClass: gatepostList", "cn: " + name, "mail: " + name + "@example.org"}, lines...)...)
}

func member(names ...string) string {
	var lines []string
	for _, name := range names {
		lines = append(lines, "member: uid="+name+",dc=example,dc=org")
	}
	return strings.Join(lines, "\n")
}

var listLDIF = peopleLDIF +
	list("plain", member("lena", "mika"), "owner: uid=olli@virtual.example,dc=example,dc=org") +
	list("owned", member("lena"), "owner: uid=none,dc=example,dc=org", "owner: cn=mute,dc=example,dc=org", "owner: cn=plain,dc=example,dc=org") +
	list("own", member("lena"), "owner: cn=own,dc=example,dc=org") +
	list("bad", member("lena", "closed", "smtponly", "vanished", "fat", "bodiless", "nowhere"), "member: cn=shapeless,dc=example,dc=org",
		"member: cn=printer,dc=example,dc=org", "rfc822MailMember: twice@example.org", "rfc822MailMember: |/bin/cat") +
	entry("cn=shapeless", "objectClass: organizationalRole", "cn: shapeless") +
	entry("cn=printer", "objectClass: organizationalRole", "objectClass: extensibleObject", "cn: printer", "mail: printer@elsewhere.example") +
	list("out", "member: cn=fw,dc=example,dc=org", "rfc822MailMember: guest@elsewhere.example", "rfc822MailMember: GUEST@Elsewhere.example",
		"rfc822MailMember: L.Lund@example.org", "rfc822MailMember: a@elsewhere.example") +
	list("outer", "member: cn=inner,dc=example,dc=org", member("lena")) +
	list("inner", "member: cn=outer,dc=example,dc=org", "member: cn=inner,dc=example,dc=org", member("lena", "mika"), "member: cn=out,dc=example,dc=org") +
	entry("cn=logins", "objectClass: groupOfNames", "objectClass: gatepostList", "objectClass: extensibleObject", "cn: logins", "mail: logins@example.org", member("lena"), "memberUid: mika", "memberUid: LENA", "memberUid: unheard") +
	entry("cn=dynamic", "objectClass: groupOfURLs", "objectClass: gatepostList", "cn: dynamic", "mail: dynamic@example.org",
		"memberURL: ldap:///dc=example,dc=org??sub?(|(uid=lena)(uid=mika)(uid=copy))") +
	entry("cn=alias", "objectClass: nisMailAlias", "objectClass: gatepostList", "cn: alias", "mail: alias@example.org", "rfc822MailMember: plain@example.org",
		"rfc822MailMember: x@catch.example") +
	list("forwards", member("away", "self", "lister")) +
	person("lister", 10050, "deliveryMode: forwardonly", "mailForwardingAddress: forwards@example.org", "mailForwardingAddress: team@example.org",
		"mailForwardingAddress: copy@example.org", "authorizedService: imap") +
	list("empty", member("vanished", "closed")) +
	entry("cn=nobody-in-it", "objectClass: nisMailAlias", "objectClass: gatepostList", "cn: nobody-in-it", "mail: nobody-in-it@example.org") +
	list("hollow", "member: cn=hollow,dc=example,dc=org") +
	list("nest", "member: cn=badurl,dc=example,dc=org", member("lena")) +
	entry("cn=badurl", "objectClass: groupOfURLs", "cn: badurl", "memberURL: nonsense") +
	list("twins", member("twin1", "twin2", "lena")) +
	entry("uid=twin1", "objectClass: inetOrgPerson", "objectClass: posixAccount", "objectClass: dbmailUser", "objectClass: authorizedServiceObject", "uid: twin1",
		"cn: t", "sn: t", "uidNumber: 10060", "gidNumber: 1", "homeDirectory: /", "mail: twin1@example.org", "authorizedService: imap") +
	entry("uid=twin2", "objectClass: inetOrgPerson", "objectClass: posixAccount", "objectClass: dbmailUser", "objectClass: authorizedServiceObject", "uid: twin2",
		"cn: t", "sn: t", "uidNumber: 10060", "gidNumber: 1", "homeDirectory: /", "mail: twin2@example.org", "authorizedService: imap") +
	list("private", member("solo", "duo")) +
	entry("uid=solo", "objectClass: inetOrgPerson", "objectClass: posixAccount", "objectClass: dbmailUser", "objectClass: authorizedServiceObject",
		"objectClass: extensibleObject", "objectClass: gatepostList", "uid: solo", "cn: solo", "sn: solo", "uidNumber: 10061", "gidNumber: 1", "homeDirectory: /",
		"mail: solo@example.org", "memberUid: SOLO", "authorizedService: imap") +
	entry("uid=duo", "objectClass: inetOrgPerson", "objectClass: posixAccount", "objectClass: dbmailUser", "objectClass: authorizedServiceObject",
		"objectClass: gatepostList", "uid: duo", "cn: duo", "sn: duo", "uidNumber: 10062", "gidNumber: 1", "homeDirectory: /",
		"mail: duo@example.org", "rfc822MailMember: lena@example.org", "authorizedService: imap")

var lists = []struct{ address, want string }{
	{"plain@example.org", "lena/10001 mika/10002 list:plain@example.org owner:o@virtual.example"},
	{"PLAIN+x@Example.org", "lena/10001 mika/10002 detail:x list:plain@example.org owner:o@virtual.example"},
	{"owned@example.org", "lena/10001 list:owned@example.org owner:plain@example.org"},
	{"own@example.org", "lena/10001 list:own@example.org"},
	{"bad@example.org", "lena/10001 >printer@elsewhere.example refused:|/bin/cat list:bad@example.org" +
		" doubt:bodiless@example.org=no number doubt:fat@example.org=malformed doubt:nowhere@example.org=nowhere doubt:twice@example.org=ambiguous" +
		" failure:closed@example.org=inactive failure:cn=shapeless,dc=example,dc=org=undeliverable" +
		" failure:smtponly@example.org=no service failure:uid=vanished,dc=example,dc=org=unknown"},
	{"out@example.org", "lena/10001 >a@elsewhere.example >b@elsewhere.example >guest@elsewhere.example list:out@example.org"},
	{"outer@example.org", "lena/10001 mika/10002 >a@elsewhere.example >b@elsewhere.example >guest@elsewhere.example list:outer@example.org"},
	{"inner@example.org", "lena/10001 mika/10002 >a@elsewhere.example >b@elsewhere.example >guest@elsewhere.example list:inner@example.org"},
	{"logins@example.org", "lena/10001 mika/10002 list:logins@example.org failure:unheard=unknown"},
	{"dynamic@example.org", "copy/10010 lena/10001 mika/10002 >copy@elsewhere.example list:dynamic@example.org"},
	// What a catch-all takes is nobody's own: it goes out and comes back.
	{"alias@example.org", "lena/10001 mika/10002 >x@catch.example list:alias@example.org"},
	{"forwards@example.org", "copy/10010 mika/10002 self/10012 >copy@elsewhere.example >team@example.org list:forwards@example.org"},
	{"empty@example.org", "undeliverable"},
	{"nobody-in-it@example.org", "undeliverable"},
	{"hollow@example.org", "undeliverable"},
	{"nest@example.org", "lena/10001 list:nest@example.org doubt:cn=badurl,dc=example,dc=org=malformed"},
	{"twins@example.org", "lena/10001 list:twins@example.org doubt:twin1@example.org=pairing doubt:twin2@example.org=pairing"},
	{"private@example.org", "solo/10061 list:private@example.org doubt:duo@example.org=malformed"},
	{"duo@example.org", `cannot tell: "duo@example.org": an entry cannot be understood: "uid=duo,dc=example,dc=org" is an account and a group with members`},
	{"solo@example.org", "solo/10061"},
}

func TestLists(t *testing.T) {
	s := newSite(t, siteOptions{ldif: listLDIF, service: "imap"})
	for _, tc := range lists {
		if got := ask(t, s, tc.address); got != tc.want {
			t.Errorf("%s:\n got %s\nwant %s", tc.address, got, tc.want)
		}
	}
}

// TestListInDoubt: while the directory cannot tell of every member, it cannot
// tell of the list.
func TestListInDoubt(t *testing.T) {
	s := newSite(t, siteOptions{ldif: listLDIF, service: "imap"})
	members, err := s.nouns.Groups.ByAddress(brief(t), "bad@example.org")
	if err != nil {
		t.Fatal(err)
	}
	// The group is known; the members are not.
	if _, err := s.nouns.Find(brief(t), mustNames("bad@example.org")); err != nil {
		t.Fatal(err)
	}
	s.slapd.Kill()
	if got := ask(t, s, "bad@example.org"); !strings.HasPrefix(got, "cannot tell") {
		t.Errorf("%s: %s", members.DN, got)
	}
}

func mustNames(address string) []directory.Name {
	names, _ := directory.NamesOf(address)
	return names
}

// TestListPairing: a member that the store takes for somebody else does not
// hold up the others.
func TestListPairing(t *testing.T) {
	s := newSite(t, siteOptions{ldif: listLDIF, service: "imap"})
	if _, err := s.store.AddUser(context.Background(), "mika", 0, nil); err != nil {
		t.Fatal(err)
	}
	const want = "lena/10001 list:plain@example.org owner:o@virtual.example doubt:mika@example.org=pairing"
	if got := ask(t, s, "plain@example.org"); got != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}

// manyLDIF is a list of n people and as many strangers.
func manyLDIF(n int) string {
	var b strings.Builder
	lines := []string{"owner: uid=p0,dc=example,dc=org"}
	for i := range n {
		name := fmt.Sprintf("p%d", i)
		b.WriteString(person(name, 20000+i, "authorizedService: imap"))
		lines = append(lines, member(name), fmt.Sprintf("rfc822MailMember: s%d@elsewhere.example", i))
	}
	return b.String() + list("many", lines...)
}

// TestManyMembers: thousands are each found once, from the cache the second
// time, also those that are nobody's here.
func TestManyMembers(t *testing.T) {
	const n = 2000
	s := newSite(t, siteOptions{ldif: manyLDIF(n), service: "imap", slapd: testbed.SlapdOptions{Index: []string{"mail,mailAlternateAddress,uid eq"}}})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var misses uint64
	for range 2 {
		r, err := s.Lookup(ctx, "many@example.org")
		if err != nil || len(r.Users) != n || len(r.Forwards) != n || len(r.List.Failures)+len(r.List.Doubts) > 0 || r.List.Owner != "p0@example.org" {
			t.Fatalf("%d users, %d forwards, %+v, %v", len(r.Users), len(r.Forwards), r.List, err)
		}
		ids := map[uint64]bool{}
		for _, u := range r.Users {
			ids[u.ID] = true
		}
		slices.Sort(r.Forwards)
		if len(ids) != n || len(slices.Compact(r.Forwards)) != n {
			t.Errorf("%d different users, %d forwards", len(ids), len(slices.Compact(r.Forwards)))
		}
		stats := s.live.Stats().Cache
		if misses > 0 && stats.Misses != misses {
			t.Errorf("%d searches the second time", stats.Misses-misses)
		}
		if misses = stats.Misses; misses > 2*n/100+10 {
			t.Errorf("%d searches", misses)
		}
	}
}
