package directory

import (
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// dbmailLDIF are accounts, lists and domains in the schemas of schema/ldap.
const dbmailLDIF = `dn: uid=lena,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: dbmailUser
objectClass: gatepostAccount
objectClass: authorizedServiceObject
uid: lena
cn: Lena
sn: Lena
uidNumber: 10001
gidNumber: 10001
homeDirectory: /nonexistent
mail: Lena@Example.com
mailAlternateAddress: l.lund@example.com
mailAlternateAddress: lena@xn--mller-kva.example
mailAlternateAddress: LENA@example.com
mailQuota: 100M
mailForwardingAddress: lena@elsewhere.example
accountStatus: Active
deliveryMode: normal
authorizedService: smtp
authorizedService: imap
gatepostDelegate: uid=mika,dc=example,dc=com
gatepostLimit: messages 200/1h
gatepostLimit: bytes 500M/1d

dn: uid=mika,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
objectClass: authorizedServiceObject
uid: mika
cn: Mika
sn: Mika
mail: mika@example.com
accountStatus: disabled
deliveryMode: forwardonly
mailForwardingAddress: mika@elsewhere.example
authorizedService: *

dn: uid=olli,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: olli
cn: Olli
sn: Olli
mail: olli@example.com
mail: shared@example.com
mail: @catch.example.com

dn: uid=paul,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: dbmailUser
uid: paul
cn: Paul
sn: Paul
mail: paul@example.com
mailAlternateAddress: shared@example.com
mailQuota: a lot

dn: cn=away,dc=example,dc=com
objectClass: organizationalRole
objectClass: dbmailForwardingAddress
cn: away
mail: away@example.com
mailForwardingAddress: a@elsewhere.example
mailForwardingAddress: b@elsewhere.example
mailForwardingAddress: A@elsewhere.example

dn: cn=nobody,dc=example,dc=com
objectClass: inetOrgPerson
cn: nobody
sn: nobody
mail: nobody@example.com

dn: cn=team,dc=example,dc=com
objectClass: groupOfNames
objectClass: gatepostList
cn: team
mail: team@example.com
mail: crew@xn--mller-kva.example
member: uid=lena,dc=example,dc=com
member: uid=mika,dc=example,dc=com
gatepostListSenders: Members
gatepostModerator: uid=mika,dc=example,dc=com
gatepostDelegate: uid=lena,dc=example,dc=com

dn: mailDomain=example.com,dc=example,dc=com
objectClass: dbmailDomain
mailDomain: example.com

dn: cn=other,dc=example,dc=com
objectClass: organizationalRole
objectClass: domainRelatedObject
cn: other
associatedDomain: xn--mller-kva.example
associatedDomain: twice.example

dn: cn=again,dc=example,dc=com
objectClass: organizationalRole
objectClass: domainRelatedObject
cn: again
associatedDomain: twice.example
`

func TestAccountDBMail(t *testing.T) {
	n, s := nounsOn(t, presetDBMail(), testbed.SlapdOptions{LDIF: []byte(dbmailLDIF)})
	ctx := brief(t)

	got, err := n.Accounts.ByAddress(ctx, "lena@example.com")
	if err != nil {
		t.Fatal(err)
	}
	if len(got.UUID) != 36 {
		t.Errorf("UUID %q", got.UUID)
	}
	want := &Account{
		DN: "uid=lena,dc=example,dc=com", UUID: got.UUID, Login: "lena", UIDNumber: 10001, Address: "Lena@Example.com",
		Alternates: []string{"l.lund@example.com", "lena@xn--mller-kva.example"}, Quota: 100 << 20,
		Forward: []string{"lena@elsewhere.example"}, Keep: true, Services: []string{"smtp", "imap"},
		Delegates: []string{"uid=mika,dc=example,dc=com"},
		Limits:    []Limit{{"messages", 200, time.Hour}, {"bytes", 500 << 20, 24 * time.Hour}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}

	for _, tc := range []struct{ address, login string }{
		{"lena@example.com", "lena"},
		{"LENA@EXAMPLE.COM", "lena"},
		{"l.lund@example.com", "lena"},
		{"lena@xn--mller-kva.example", "lena"},
		{"lena@müller.example", "lena"},
		{"Lena@MÜLLER.example", "lena"},
		{"mika@example.com", "mika"},
		{"@catch.example.com", "olli"},
		{"away@example.com", ""},
	} {
		a, err := n.Accounts.ByAddress(ctx, tc.address)
		if err != nil || a.Login != tc.login {
			t.Errorf("%s: %+v, %v", tc.address, a, err)
		} else if !a.HasAddress(tc.address) {
			t.Errorf("%s is not among %q", tc.address, a.Addresses())
		}
	}
	for _, address := range []string{"", "x@example.com", "lena", "lena@", "@example.com", "lena@example.com.", "lena@muller.example",
		"nobody@example.com", "team@example.com", "*", "l*@example.com", "lena@example.com)(uid=*", "\x00", "lena\x00@example.com", "\xff@example.com",
		strings.Repeat("a", 10_000) + "@example.com"} {
		if a, err := n.Accounts.ByAddress(ctx, address); !errors.Is(err, ErrNotFound) {
			t.Errorf("%.30q: %+v, %v", address, a, err)
		}
	}
	if a, err := n.Accounts.ByAddress(ctx, "shared@example.com"); !errors.Is(err, ErrAmbiguous) || errors.Is(err, ErrNotFound) {
		t.Errorf("an address of two: %+v, %v", a, err)
	}
	if a, err := n.Accounts.ByLogin(ctx, "paul"); !errors.Is(err, ErrMalformed) || errors.Is(err, ErrNotFound) || !strings.Contains(err.Error(), "uid=paul") {
		t.Errorf("a quota that is none: %+v, %v", a, err)
	}
	for _, login := range []string{"", "*", "nobody", "away", "lena@example.com", "lena)(uid=mika"} {
		if a, err := n.Accounts.ByLogin(ctx, login); !errors.Is(err, ErrNotFound) {
			t.Errorf("login %q: %+v, %v", login, a, err)
		}
	}

	mika, err := n.Accounts.ByDN(ctx, "UID=mika, dc=example,dc=com")
	if err != nil || mika.Status != StatusDisabled || mika.Keep || len(mika.Forward) != 1 || mika.Quota != 0 {
		t.Errorf("%+v, %v", mika, err)
	}
	if !mika.HasService("sieve") || want.HasService("sieve") || !want.HasService("SMTP") {
		t.Error("services")
	}
	away, err := n.Accounts.ByAddress(ctx, "away@example.com")
	if err != nil || away.Keep || !reflect.DeepEqual(away.Forward, []string{"a@elsewhere.example", "b@elsewhere.example"}) {
		t.Errorf("%+v, %v", away, err)
	}
	if _, err := n.Accounts.ByDN(ctx, "cn=nobody,dc=example,dc=com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an entry that is no account: %v", err)
	}
	if _, err := n.Accounts.ByDN(ctx, "cn=none,dc=example,dc=com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("no entry: %v", err)
	}

	// Deleted is not found at once; without a right to read addresses, the
	// server's word that it is the one is enough.
	if err := s.Modify("dn: uid=mika,dc=example,dc=com\nchangetype: delete\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Accounts.ByAddress(ctx, "mika@example.com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("deleted: %v", err)
	}
	if err := s.Configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n" +
		"olcAccess: to attrs=mail,mailAlternateAddress by * search\nolcAccess: to * by * read\n"); err != nil {
		t.Fatal(err)
	}
	if a, err := n.Accounts.ByAddress(ctx, "l.lund@example.com"); err != nil || a.Login != "lena" || len(a.Addresses()) != 0 {
		t.Errorf("hidden addresses: %+v, %v", a, err)
	}
}

func TestAccountInetOrgPerson(t *testing.T) {
	n, _ := nounsOn(t, presetInetOrgPerson(), testbed.SlapdOptions{LDIF: []byte(`dn: uid=lena,dc=example,dc=com
objectClass: inetOrgPerson
uid: lena
cn: Lena
sn: Lena
mail: lena@example.com
mail: l.lund@example.com
mail: LENA@example.com

dn: cn=x,dc=example,dc=com
objectClass: domainRelatedObject
objectClass: organizationalRole
cn: x
associatedDomain: example.com
`)})
	ctx := brief(t)
	a, err := n.Accounts.ByAddress(ctx, "L.Lund@example.com")
	if err != nil || a.Login != "lena" || a.Address != "lena@example.com" || len(a.Alternates) != 1 || !a.Keep || a.Status != StatusActive {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := n.Accounts.ByAddress(ctx, "nobody@example.com"); !errors.Is(err, ErrNotFound) {
		t.Error(err)
	}
	if ok, err := n.Domains.Has(ctx, "EXAMPLE.com"); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
}

func TestQmail(t *testing.T) {
	n, _ := nounsOn(t, presetQmail(), testbed.SlapdOptions{LDIF: []byte(`dn: uid=lena,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: qmailUser
uid: lena
cn: Lena
sn: Lena
qmailUID: 10001
mail: lena@example.com
mailAlternateAddress: l.lund@example.com
mailQuotaSize: 1048576
accountStatus: noaccess
deliveryMode: nolocal
deliveryMode: reply
mailForwardingAddress: lena@elsewhere.example

dn: uid=mika,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: qmailUser
uid: mika
cn: Mika
sn: Mika
departmentNumber: 7
mail: mika@example.com
deliveryMode: noforward
mailForwardingAddress: mika@elsewhere.example

dn: cn=list,dc=example,dc=com
objectClass: organizationalRole
objectClass: qmailGroup
cn: list
mail: list@example.com
mailAlternateAddress: old-list@example.com
mailMessageStore: /x
dnmember: uid=lena,dc=example,dc=com
rfc822member: guest@elsewhere.example
filtermember: departmentNumber=7
membersonly: TRUE
dnsender: uid=mika,dc=example,dc=com
rfc822moderator: boss@elsewhere.example

dn: cn=closed,dc=example,dc=com
objectClass: organizationalRole
objectClass: qmailGroup
cn: closed
mail: closed@example.com
mailAlternateAddress: x@example.com
mailMessageStore: /x
filtersender: (uid=mika)
`)})
	ctx := brief(t)
	lena, err := n.Accounts.ByAddress(ctx, "l.lund@example.com")
	if err != nil || lena.UIDNumber != 10001 || lena.Quota != 1<<20 || lena.Status != StatusNoAccess || lena.Keep || len(lena.Forward) != 1 {
		t.Fatalf("%+v, %v", lena, err)
	}
	if !lena.Status.TakesMail() || lena.Status.MayLogIn() {
		t.Error("noaccess takes mail, and no more")
	}
	mika, err := n.Accounts.ByLogin(ctx, "mika")
	if err != nil || !mika.Keep || mika.Forward != nil {
		t.Fatalf("%+v, %v", mika, err)
	}
	list, err := n.Groups.ByAddress(ctx, "old-list@example.com")
	if err != nil || list.Senders != SendersMembers || len(list.Allowed) != 1 || len(list.ModeratorAddresses) != 1 {
		t.Fatalf("%+v, %v", list, err)
	}
	if got := membersOf(t, n, list.DN); got != "guest@elsewhere.example uid=lena,dc=example,dc=com uid=mika,dc=example,dc=com" {
		t.Errorf("members %s", got)
	}
	closed, err := n.Groups.ByAddress(ctx, "closed@example.com")
	if err != nil || closed.Senders != SendersListed || len(closed.AllowedQueries) != 1 {
		t.Fatalf("%+v, %v", closed, err)
	}
	for _, tc := range []struct {
		a    *Account
		want bool
	}{{mika, true}, {lena, false}} {
		if got, err := n.Groups.Matches(ctx, closed.AllowedQueries[0], tc.a.DN); got != tc.want || err != nil {
			t.Errorf("%s may send: %v, %v", tc.a.Login, got, err)
		}
	}
	for _, a := range []*Account{lena, mika, {Address: "Guest@elsewhere.example"}} {
		if in, err := n.Groups.IsMember(ctx, list, a); !in || err != nil {
			t.Errorf("%s: %v, %v", a.Address, in, err)
		}
		if in, err := n.Groups.IsMember(ctx, closed, a); in || err != nil {
			t.Errorf("%s: %v, %v", a.Address, in, err)
		}
	}
}

func TestDomains(t *testing.T) {
	n, _ := nounsOn(t, presetDBMail(), testbed.SlapdOptions{LDIF: []byte(dbmailLDIF)})
	ctx := brief(t)
	for domain, want := range map[string]bool{
		"example.com": true, "Example.COM": true, "xn--mller-kva.example": true, "müller.example": true, "twice.example": true,
		"example.org": false, "com": false, "sub.example.com": false, "*": false, "muller.example": false, "": false, "xn--": false, "_dmarc.example.com": false,
	} {
		if got, err := n.Domains.Has(ctx, domain); got != want || err != nil {
			t.Errorf("%q: %v, %v", domain, got, err)
		}
	}
	if d, err := n.Domains.ByName(ctx, "müller.example"); err != nil || len(d.Names) != 2 || d.DN != "cn=other,dc=example,dc=com" {
		t.Errorf("%+v, %v", d, err)
	}
	if _, err := n.Domains.ByName(ctx, "twice.example"); !errors.Is(err, ErrAmbiguous) {
		t.Error(err)
	}
	p := presetDBMail()
	p.Attributes.Domain = nil
	if _, err := NewNouns(n.Accounts.searcher, p, Bases{}).Domains.Has(ctx, "example.com"); err == nil {
		t.Error("a directory without domains knows that there is none")
	}
}

// The order of values is nothing that replicas have in common.
func TestLoginOfSeveral(t *testing.T) {
	p := presetDBMail()
	at := &p.Attributes
	for _, c := range []struct {
		dn     string
		logins []string
		want   string
	}{
		{"uid=two,dc=example", []string{"alsotwo", "two"}, "two"},
		{"uid=two,dc=example", []string{"two", "alsotwo"}, "two"},
		{"UID=Two+cn=x,dc=example", []string{"alsotwo", "two"}, "Two"},
		{"cn=two,dc=example", []string{"alsotwo", "two"}, "alsotwo"},
		{"uid=gone,dc=example", []string{"alsotwo", "two"}, "alsotwo"},
		{"not a dn", []string{"alsotwo", "two"}, "alsotwo"},
		{"uid=one,dc=example", []string{"one"}, "one"},
		{"uid=one,dc=example", nil, ""},
	} {
		e := &Entry{DN: c.dn, Attributes: []Attribute{{Name: "uid"}}}
		for _, l := range c.logins {
			e.Attributes[0].Values = append(e.Attributes[0].Values, []byte(l))
		}
		if got := at.login(e); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.dn, c.logins, got, c.want)
		}
	}
}
