package directory

import (
	"fmt"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// listLDIF is a list of n accounts, by DN.
func listLDIF(n int) []byte {
	var b, list strings.Builder
	b.WriteString(nounsLDIF + "dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n\n")
	list.WriteString("dn: cn=big,dc=example,dc=com\nobjectClass: groupOfNames\nobjectClass: gatepostList\ncn: big\nmail: big@example.com\n")
	for i := range n {
		fmt.Fprintf(&b, "dn: uid=person%d,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: dbmailUser\n"+
			"objectClass: authorizedServiceObject\nuid: person%d\ncn: Person %d\nsn: Person\nuidNumber: %d\ngidNumber: 100\nhomeDirectory: /nonexistent\n"+
			"mail: person%d@example.com\nmailAlternateAddress: p.%d@example.com\nmailQuota: 1G\naccountStatus: active\nauthorizedService: imap\nauthorizedService: smtp\n\n",
			i, i, i, 10000+i, i, i)
		fmt.Fprintf(&list, "member: uid=person%d,ou=people,dc=example,dc=com\n", i)
	}
	return []byte(b.String() + list.String())
}

// BenchmarkMembers expands a list of 5,000: cold, as the first message to it
// finds it, one by one where the server cannot do better, and warm.
func BenchmarkMembers(b *testing.B) {
	s := testbed.Slapd(b, testbed.SlapdOptions{LDIF: listLDIF(5000), Index: []string{"uid,mail,mailAlternateAddress eq"},
		Schema: []string{"/etc/ldap/schema/dyngroup.schema", "../../schema/ldap/ldapns.schema", "../../schema/ldap/mailmember.schema",
			"../../schema/ldap/dbmail.schema", "../../schema/ldap/gatepost.schema"}})
	p := presetDBMail()
	for _, kind := range []string{"cold", "one by one", "warm"} {
		b.Run(kind, func(b *testing.B) {
			p := p
			if kind == "one by one" {
				p.Attributes.EntryDN = nil
			}
			d := New(NewPool(Settings{URIs: []string{s.URI()}}, nil), DefaultCacheOptions(), DefaultDoubtOptions(), nil)
			defer d.Close()
			n := NewNouns(d, p, Bases{s.BaseDN, s.BaseDN, s.BaseDN})
			expand := func() {
				m, err := n.Groups.Members(b.Context(), &Group{DN: "cn=big,dc=example,dc=com"})
				if err != nil {
					b.Fatal(err)
				}
				if len(m.Members) != 5000 || m.Members[4999].Account == nil || len(m.Missing) > 0 {
					b.Fatalf("%d members, %d missing", len(m.Members), len(m.Missing))
				}
			}
			expand()
			if kind == "warm" {
				expand()
			}
			before := d.Stats().Cache
			for b.Loop() {
				if kind != "warm" {
					d.Flush()
				}
				expand()
			}
			after := d.Stats().Cache
			b.ReportMetric(float64(after.Bytes)/1e6, "MB-cached")
			b.ReportMetric(float64(after.Misses-before.Misses)/float64(b.N), "searches/op")
			b.ReportMetric(float64(after.Evictions), "evictions")
		})
	}
}
