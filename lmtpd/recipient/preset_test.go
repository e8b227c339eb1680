package recipient

import (
	"strings"
	"testing"

	"gatepost/internal/directory"
	"gatepost/internal/testbed"
)

type asked struct{ address, want string }

func checkAll(t *testing.T, s Source, all []asked) {
	t.Helper()
	for _, tc := range all {
		got := ask(t, s, tc.address)
		if got != tc.want && !(strings.HasPrefix(got, "cannot tell: ") && strings.HasSuffix(got, tc.want)) {
			t.Errorf("%q:\n got %s\nwant %s", tc.address, got, tc.want)
		}
	}
}

func ou(name string) string {
	return entry("ou="+name, "objectClass: organizationalUnit", "ou: "+name)
}

// TestInetOrgPerson: a directory with nothing but what every server loads.
func TestInetOrgPerson(t *testing.T) {
	ldif := ou("people") + ou("groups") +
		entry("cn=Lena Lund,ou=people", "objectClass: inetOrgPerson", "objectClass: posixAccount", "cn: Lena Lund", "sn: Lund", "uid: lena", "uidNumber: 501",
			"gidNumber: 1", "homeDirectory: /", "mail: lena@example.org", "mail: l@example.org") +
		entry("cn=Mika,ou=people", "objectClass: inetOrgPerson", "objectClass: posixAccount", "cn: Mika", "sn: M", "uid: mika", "uidNumber: 502",
			"gidNumber: 1", "homeDirectory: /", "mail: mika@example.org") +
		// A contact: an address elsewhere, without login.
		entry("cn=Guest,ou=people", "objectClass: inetOrgPerson", "cn: Guest", "sn: G", "mail: guest@elsewhere.example") +
		entry("cn=staff,ou=groups", "objectClass: groupOfNames", "objectClass: extensibleObject", "cn: staff", "mail: staff@example.org",
			"member: cn=Lena Lund,ou=people,dc=example,dc=org", "member: cn=Guest,ou=people,dc=example,dc=org", "owner: cn=Mika,ou=people,dc=example,dc=org") +
		entry("cn=unix,ou=groups", "objectClass: posixGroup", "objectClass: extensibleObject", "cn: unix", "gidNumber: 7", "mail: unix@example.org",
			"memberUid: mika", "memberUid: daemon") +
		entry("cn=stray,ou=people", "objectClass: groupOfNames", "objectClass: extensibleObject", "cn: stray", "mail: stray@example.org",
			"member: cn=Mika,ou=people,dc=example,dc=org") +
		entry("cn=Lost,ou=groups", "objectClass: inetOrgPerson", "objectClass: posixAccount", "cn: Lost", "sn: L", "uid: lost", "uidNumber: 503",
			"gidNumber: 1", "homeDirectory: /", "mail: lost@example.org") +
		// Somebody of a class that only derives from an account's.
		entry("cn=Own,ou=people", "objectClass: ownPerson", "objectClass: posixAccount", "cn: Own", "sn: O", "uid: own", "uidNumber: 504",
			"gidNumber: 1", "homeDirectory: /", "mail: own@example.org")
	people := []asked{
		{"lena@example.org", "lena/501"},
		{"L@example.org", "lena/501"},
		{"lena", "lena/501"},
		{"lena+Box@example.org", "lena/501 detail:Box"},
		{"guest@elsewhere.example", "shows neither a mailbox nor an address to forward to"},
		{"own@example.org", "own/504"},
		{"staff@example.org", "lena/501 >guest@elsewhere.example list:staff@example.org owner:mika@example.org"},
		{"unix@example.org", "mika/502 list:unix@example.org failure:daemon=unknown"},
		{"nobody@example.org", "unknown"},
		{"*", "unknown"},
	}
	ownClass := testbed.SlapdOptions{Global: []string{"objectclass ( 1.3.6.1.4.1.32473.1 NAME 'ownPerson' SUP inetOrgPerson STRUCTURAL )"}}
	const base = "dc=example,dc=org"
	t.Run("one base", func(t *testing.T) {
		s := newSite(t, siteOptions{preset: "inetorgperson", ldif: ldif, slapd: ownClass})
		checkAll(t, s, append(people, asked{"stray@example.org", "mika/502 list:stray@example.org"}, asked{"lost@example.org", "lost/503"}))
	})
	// Entries at the wrong place are not what they look like.
	t.Run("bases apart", func(t *testing.T) {
		s := newSite(t, siteOptions{preset: "inetorgperson", ldif: ldif, slapd: ownClass,
			bases: directory.Bases{Accounts: "ou=people," + base, Groups: "ou=groups," + base, Domains: base}})
		checkAll(t, s, append(people, asked{"stray@example.org", "unknown"}, asked{"lost@example.org", "unknown"}))
	})
	t.Run("groups within", func(t *testing.T) {
		s := newSite(t, siteOptions{preset: "inetorgperson", ldif: ldif, slapd: ownClass,
			bases: directory.Bases{Accounts: base, Groups: "ou=groups," + base, Domains: base}})
		checkAll(t, s, append(people, asked{"stray@example.org", "unknown"}, asked{"lost@example.org", "lost/503"}))
	})
	t.Run("no search by DN", func(t *testing.T) {
		s := newSite(t, siteOptions{preset: "inetorgperson", ldif: ldif, slapd: ownClass,
			change: func(a *directory.Attributes) { a.EntryDN = []string{"seeAlso"} }})
		checkAll(t, s, people)
	})
}

// TestQmail: qmail-ldap's schema.
func TestQmail(t *testing.T) {
	user := func(name string, more ...string) string {
		return entry("uid="+name, append([]string{"objectClass: inetOrgPerson", "objectClass: qmailUser", "uid: " + name, "cn: " + name, "sn: " + name,
			"mail: " + name + "@example.org"}, more...)...)
	}
	s := newSite(t, siteOptions{preset: "qmail", ldif: user("lena", "qmailUID: 701", "mailAlternateAddress: l@example.org", "mailQuotaSize: 5000") +
		user("nolocal", "qmailUID: 702", "deliveryMode: nolocal", "mailForwardingAddress: n@elsewhere.example") +
		user("nofwd", "qmailUID: 703", "deliveryMode: noforward", "mailForwardingAddress: n@elsewhere.example") +
		user("nomail", "qmailUID: 704", "accountStatus: noaccess") +
		user("off", "qmailUID: 705", "accountStatus: disabled") +
		user("nonumber") +
		entry("cn=team", "objectClass: inetOrgPerson", "objectClass: qmailGroup", "cn: team", "sn: team", "mail: team@example.org",
			"mailAlternateAddress: t@example.org", "mailMessageStore: /", "dnmember: uid=lena,dc=example,dc=org", "rfc822member: out@elsewhere.example",
			"filtermember: (uid=nomail)")})
	checkAll(t, s, []asked{
		{"lena@example.org", "lena/701"},
		{"l@example.org", "lena/701"},
		{"nolocal@example.org", ">n@elsewhere.example"},
		{"nofwd@example.org", "nofwd/703"},
		{"nomail@example.org", "nomail/704"},
		{"off@example.org", "inactive"},
		{"nonumber@example.org", "without which there is no mailbox"},
		{"t@example.org", "lena/701 nomail/704 >out@elsewhere.example list:team@example.org"},
		{"nobody@example.org", "unknown"},
	})
}

// TestLikeAD: entries as Active Directory has them, in slapd, which knows none
// of its matching rules.
func TestLikeAD(t *testing.T) {
	var schema []string
	for i, name := range []string{"proxyAddresses", "sAMAccountName", "userAccountControl", "targetAddress", "managedBy",
		"msExchRequireAuthToSendTo", "authOrig", "dLMemSubmitPerms", "msExchModeratedByLink", "publicDelegates", "objectGUID"} {
		schema = append(schema, "attributetype ( 1.3.6.1.4.1.32473.2."+string(rune('1'+i/10))+string(rune('0'+i%10))+" NAME '"+name+
			"' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15 )")
	}
	schema = append(schema, "objectclass ( 1.3.6.1.4.1.32473.3.1 NAME 'user' SUP top STRUCTURAL MUST cn MAY ( mail $ uidNumber $ member $ proxyAddresses $ sAMAccountName $ userAccountControl $ targetAddress ) )",
		"objectclass ( 1.3.6.1.4.1.32473.3.2 NAME 'group' SUP top STRUCTURAL MUST cn MAY ( mail $ member $ managedBy $ sAMAccountName $ proxyAddresses ) )",
		"objectclass ( 1.3.6.1.4.1.32473.3.3 NAME 'contact' SUP top STRUCTURAL MUST cn MAY ( mail $ targetAddress $ proxyAddresses ) )")
	s := newSite(t, siteOptions{preset: "ad", slapd: testbed.SlapdOptions{Global: schema},
		change: func(a *directory.Attributes) { a.MemberOf = nil },
		ldif: entry("cn=Lena", "objectClass: user", "cn: Lena", "sAMAccountName: lena", "uidNumber: 801", "userAccountControl: 512", "mail: lena@example.org", "proxyAddresses: SMTP:lena@example.org", "proxyAddresses: smtp:l@example.org", "proxyAddresses: X400:c=de") +
			entry("cn=Off", "objectClass: user", "cn: Off", "sAMAccountName: off", "uidNumber: 802", "userAccountControl: 514", "mail: off@example.org") +
			entry("cn=Guest", "objectClass: contact", "cn: Guest", "mail: guest@elsewhere.example", "proxyAddresses: SMTP:guest@example.org",
				"targetAddress: SMTP:guest@elsewhere.example") +
			entry("cn=staff", "objectClass: group", "cn: staff", "sAMAccountName: staff", "proxyAddresses: SMTP:staff@example.org",
				"member: cn=Lena,dc=example,dc=org", "member: cn=Off,dc=example,dc=org", "member: cn=Guest,dc=example,dc=org", "managedBy: cn=Lena,dc=example,dc=org")})
	checkAll(t, s, []asked{
		{"lena@example.org", "lena/801"},
		{"L@Example.org", "lena/801"},
		{"lena", "lena/801"},
		{"staff", "unknown"},
		{"off@example.org", "inactive"},
		{"guest@example.org", ">guest@elsewhere.example"},
		{"staff@example.org", "lena/801 >guest@elsewhere.example list:staff@example.org owner:lena@example.org failure:off@example.org=inactive"},
		{"X400:c=de", "unknown"},
		{"smtp:lena@example.org", "unknown"},
		{"nobody@example.org", "unknown"},
	})
}
