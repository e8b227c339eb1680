package lmtpd_test

import (
	"encoding/base64"
	"fmt"
	"path/filepath"
	"testing"

	"gatepost/internal/testbed"
)

// acme is a directory whose owners have their own names for everything.
const acme = `[attributes]
account_class = "acmePerson"
login = "acmeId"
uid_number = "acmeNumber"
mail = "acmePostbox"
alternate = "acmeOldPostbox"
status = "acmeState"
quota = "acmeRoom"
forward = "acmeCopyTo"
delivery = "acmeMode"
service = "acmeMay"
group_class = "acmeRound"
member = "member"
member_login = []
member_address = "acmeIn"
domain_class = []
domain = []
`

// posix is one with nothing but shell accounts: their logins are their addresses.
const posix = `[attributes]
account_class = "posixAccount"
login = "uid"
mail = "uid"
group_class = "posixGroup"
member = []
service = []
member_of = []
domain_class = []
domain = []
`

// TestDirectoryOtherSchemas delivers to directories that were made by others.
func TestDirectoryOtherSchemas(t *testing.T) {
	server := testbed.MariaDB(t)
	schema, err := filepath.Abs("testdata/acme.schema")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		directoryOptions
		parcels []parcel
	}{
		{"inetOrgPerson", directoryOptions{preset: "inetorgperson", entries: inetOrgPerson("ann", 2001, "mail: ann@example.org", "mail: ann.a@example.org") +
			inetOrgPerson("ben", 2002, "mail: ben@example.org") + inetOrgPerson("cat", 2003) +
			"dn: cn=team,ou=lists,dc=example,dc=com\nobjectClass: groupOfNames\nobjectClass: extensibleObject\ncn: team\nmail: team@example.org\n" +
			"member: " + personDN("ann") + "\nmember: " + personDN("ben") + "\n\n" +
			"dn: cn=shell,ou=lists,dc=example,dc=com\nobjectClass: posixGroup\nobjectClass: extensibleObject\ncn: shell\ngidNumber: 7\nmail: shell@example.org\nmemberUid: ben\nmemberUid: cat\n\n",
		}, []parcel{
			{"ann@example.org", yes, []string{"ann"}, nil},
			{"ann.a@example.org", yes, []string{"ann"}, nil},
			{"team@example.org", yes, []string{"ann", "ben"}, nil},
			{"shell@example.org", yes, []string{"ben", "cat"}, nil},
			{"cat@example.org", "550 5.1.1", nil, nil},
		}},
		{"own names", directoryOptions{preset: "inetorgperson", toml: acme, head: "service = \"post\"\n",
			slapd: testbed.SlapdOptions{Schema: []string{schema}}, entries: acmePerson("Ann", 2001, "acmePostbox: ann@example.org", "acmeMay: post",
				"acmeOldPostbox:: "+utf8("jörg@müller.example")) +
				acmePerson("ben", 2002, "acmePostbox: ben@example.org", "acmeMay: post", "acmeState: disabled") +
				acmePerson("cat", 2003, "acmePostbox: cat@example.org", "acmeMay: web") +
				acmePerson("dan", 2004, "acmePostbox: dan@example.org", "acmeMay: post", "acmeRoom: 10") +
				acmePerson("eve", 2005, "acmePostbox: eve@example.org", "acmeMay: post", "acmeCopyTo: pat@elsewhere.test", "acmeMode: forwardonly") +
				"dn: acmeId=round,ou=lists,dc=example,dc=com\nobjectClass: acmeRound\nacmeId: round\nacmePostbox: round@example.org\n" +
				"member: " + acmeDN("Ann") + "\nacmeIn: eve@example.org\nacmeIn: lee@elsewhere.test\n\n",
		}, []parcel{
			{"ann@example.org", yes, []string{"Ann"}, nil},
			{"jörg@müller.example", yes, []string{"Ann"}, nil},
			{"JÖRG@xn--mller-kva.example", yes, []string{"Ann"}, nil},
			{"ben@example.org", "550 5.2.1", nil, nil},
			{"cat@example.org", "550 5.7.1", nil, nil},
			{"dan@example.org", "552 5.2.2", nil, nil},
			{"eve@example.org", yes, nil, []string{"pat@elsewhere.test"}},
			{"round@example.org", yes, []string{"Ann"}, []string{"lee@elsewhere.test", "pat@elsewhere.test"}},
		}},
		{"qmail", directoryOptions{preset: "qmail", entries: qmailUser("ann", "qmailUID: 2001", "mailAlternateAddress: ann.a@example.org") +
			qmailUser("ben", "qmailUID: 2002", "accountStatus: nopop") + qmailUser("cat", "qmailUID: 2003", "accountStatus: disabled") +
			qmailUser("dan", "qmailUID: 2004", "deliveryMode: nolocal", "mailForwardingAddress: pat@elsewhere.test") +
			qmailUser("eve", "qmailUID: 2005", "deliveryMode: noforward", "mailForwardingAddress: lee@elsewhere.test") +
			qmailUser("fay", "qmailUID: 2006", "mailQuotaSize: 10") +
			"dn: cn=club,ou=lists,dc=example,dc=com\nobjectClass: organizationalRole\nobjectClass: qmailGroup\ncn: club\nmail: club@example.org\nmailMessageStore: /nowhere\nmailAlternateAddress: klub@example.org\n" +
			"dnmember: " + personDN("ann") + "\nrfc822member: kim@elsewhere.test\nfiltermember: (qmailUID=2005)\n\n",
		}, []parcel{
			{"ann@example.org", yes, []string{"ann"}, nil},
			{"ann.a@example.org", yes, []string{"ann"}, nil},
			{"ben@example.org", yes, []string{"ben"}, nil},
			{"cat@example.org", "550 5.2.1", nil, nil},
			{"dan@example.org", yes, nil, []string{"pat@elsewhere.test"}},
			{"eve@example.org", yes, []string{"eve"}, nil},
			{"fay@example.org", "552 5.2.2", nil, nil},
			{"club@example.org", yes, []string{"ann", "eve"}, []string{"kim@elsewhere.test"}},
		}},
		{"posix", directoryOptions{preset: "inetorgperson", toml: posix, entries: posixAccount(2001, "ann", "ann@example.org") +
			posixAccount(2002, "ben@example.org") + posixAccount(0, "root", "root@example.org"),
		}, []parcel{
			{"ann@example.org", yes, []string{"ann"}, nil},
			{"Ben@Example.org", yes, []string{"ben@example.org"}, nil},
			{"cat@example.org", "550 5.1.1", nil, nil},
			{"root@example.org", "451 4.3.0", nil, nil}, // no number that a mailbox could have
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			newDirectorySite(t, server, c.directoryOptions).post(c.parcels)
		})
	}
}

func inetOrgPerson(login string, number int, more ...string) string {
	return fmt.Sprintf("dn: %s\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\ncn: %[2]s\nsn: %[2]s\nuid: %[2]s\nuidNumber: %[3]d\ngidNumber: 7\nhomeDirectory: /nowhere\n%[4]s\n",
		personDN(login), login, number, ending(more))
}

func acmeDN(id string) string { return "acmeId=" + id + ",ou=people,dc=example,dc=com" }

func acmePerson(id string, number int, more ...string) string {
	return fmt.Sprintf("dn: %s\nobjectClass: acmePerson\nacmeId: %s\nacmeNumber: %d\n%s\n", acmeDN(id), id, number, ending(more))
}

func qmailUser(login string, more ...string) string {
	return fmt.Sprintf("dn: %s\nobjectClass: inetOrgPerson\nobjectClass: qmailUser\ncn: %[2]s\nsn: %[2]s\nuid: %[2]s\nmail: %[2]s@example.org\n%[3]s\n",
		personDN(login), login, ending(more))
}

func posixAccount(number int, uids ...string) string {
	return fmt.Sprintf("dn: cn=%d,ou=people,dc=example,dc=com\nobjectClass: account\nobjectClass: posixAccount\ncn: %[1]d\nuidNumber: %[1]d\ngidNumber: 7\nhomeDirectory: /nowhere\n%[2]s\n",
		number, lines("uid", uids...))
}

func utf8(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }
