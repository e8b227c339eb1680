package directory

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// membersOf lists the members by DN, or by address.
func membersOf(t *testing.T, n *Nouns, dn string) string {
	t.Helper()
	m, err := n.Groups.Members(brief(t), &Group{DN: dn})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, one := range m.Members {
		if one.DN == "" {
			one.DN = one.Address
		}
		names = append(names, one.DN)
	}
	for _, one := range m.Missing {
		names = append(names, "missing:"+one)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func TestGroupDBMail(t *testing.T) {
	n, _ := nounsOn(t, presetDBMail(), testbed.SlapdOptions{LDIF: []byte(dbmailLDIF)})
	ctx := brief(t)
	for _, address := range []string{"team@example.com", "TEAM@example.com", "crew@müller.example"} {
		g, err := n.Groups.ByAddress(ctx, address)
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		want := &Group{DN: "cn=team,dc=example,dc=com", UUID: g.UUID, Address: "team@example.com", Alternates: []string{"crew@xn--mller-kva.example"},
			Senders: SendersMembers, Moderators: []string{"uid=mika,dc=example,dc=com"}, Delegates: []string{"uid=lena,dc=example,dc=com"}}
		if !reflect.DeepEqual(g, want) || len(g.UUID) != 36 {
			t.Errorf("got  %+v\nwant %+v", g, want)
		}
	}
	for _, address := range []string{"", "lena@example.com", "tea@example.com", "*"} {
		if g, err := n.Groups.ByAddress(ctx, address); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %+v, %v", address, g, err)
		}
	}
	if _, err := n.Groups.ByDN(ctx, "uid=lena,dc=example,dc=com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("an account as a group: %v", err)
	}
	if _, err := n.Groups.Members(ctx, &Group{DN: "cn=none,dc=example,dc=com"}); !errors.Is(err, ErrNotFound) {
		t.Errorf("no group: %v", err)
	}
}

// treeLDIF are groups of all kinds, in each other and in circles.
func treeLDIF() []byte {
	var b strings.Builder
	for i := range 6 {
		fmt.Fprintf(&b, "dn: uid=u%d,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: dbmailUser\nuid: u%d\ncn: u%d\nsn: u%d\n"+
			"mail: u%d@example.com\nmailAlternateAddress: alt%d@example.com\nemployeeType: t%d\n\n", i, i, i, i, i, i, i%2)
	}
	b.WriteString(`dn: cn=plain,dc=example,dc=com
objectClass: groupOfNames
objectClass: gatepostList
cn: plain
mail: plain@example.com
member: uid=u0,dc=example,dc=com
member: UID=U1, dc=example, dc=com
member: uid=gone,dc=example,dc=com
rfc822MailMember: guest@elsewhere.example
rfc822MailMember: ALT1@example.com

dn: cn=unique,dc=example,dc=com
objectClass: groupOfUniqueNames
cn: unique
uniqueMember: uid=u2,dc=example,dc=com
uniqueMember: cn=plain,dc=example,dc=com

dn: cn=posix,dc=example,dc=com
objectClass: posixGroup
cn: posix
gidNumber: 7
memberUid: u3
memberUid: unknown

dn: cn=alias,dc=example,dc=com
objectClass: nisMailAlias
cn: alias
rfc822MailMember: plain@example.com
rfc822MailMember: alt4@example.com

dn: cn=dynamic,dc=example,dc=com
objectClass: groupOfURLs
cn: dynamic
memberURL: ldap:///dc=example,dc=com??one?(employeeType=t1)

dn: cn=left,dc=example,dc=com
objectClass: groupOfNames
cn: left
member: cn=right,dc=example,dc=com
member: uid=u4,dc=example,dc=com

dn: cn=right,dc=example,dc=com
objectClass: groupOfNames
cn: right
member: cn=left,dc=example,dc=com
member: cn=right,dc=example,dc=com
member: cn=posix,dc=example,dc=com

dn: cn=all,dc=example,dc=com
objectClass: groupOfNames
cn: all
member: cn=unique,dc=example,dc=com
member: cn=dynamic,dc=example,dc=com
member: cn=alias,dc=example,dc=com
member: cn=left,dc=example,dc=com
`)
	return []byte(b.String())
}

func TestMembers(t *testing.T) {
	n, _ := nounsOn(t, presetDBMail(), testbed.SlapdOptions{LDIF: treeLDIF()})
	const guest, gone = "guest@elsewhere.example", "missing:uid=gone,dc=example,dc=com"
	groups := map[string][]string{
		"plain":   {"0", "1", guest, gone},
		"unique":  {"0", "1", "2", guest, gone},
		"posix":   {"3", "missing:unknown"},
		"alias":   {"0", "1", "4", guest, gone},
		"dynamic": {"1", "3", "5"},
		"left":    {"3", "4", "missing:unknown"},
		"right":   {"3", "4", "missing:unknown"},
		"all":     {"0", "1", "2", "3", "4", "5", guest, gone, "missing:unknown"},
	}
	user := func(name string) string { return "uid=u" + name + ",dc=example,dc=com" }
	for group, names := range groups {
		dn := "cn=" + group + ",dc=example,dc=com"
		want := slices.Clone(names)
		for i, name := range want {
			if len(name) == 1 {
				want[i] = user(name)
			}
		}
		slices.Sort(want)
		if got := membersOf(t, n, dn); got != strings.Join(want, " ") {
			t.Errorf("%s:\n got %s\nwant %s", group, got, want)
		}
		// The other direction says the same.
		for i := range 6 {
			name := fmt.Sprint(i)
			a, err := n.Accounts.ByLogin(brief(t), "u"+name)
			if err != nil {
				t.Fatal(err)
			}
			in, err := n.Groups.IsMember(brief(t), &Group{DN: strings.ToUpper(dn)}, a)
			if want := slices.Contains(names, name); in != want || err != nil {
				t.Errorf("u%s in %s: %v, %v", name, group, in, err)
			}
		}
		in, err := n.Groups.IsMember(brief(t), &Group{DN: dn}, &Account{Address: "GUEST@elsewhere.example"})
		if want := slices.Contains(names, guest); in != want || err != nil {
			t.Errorf("guest in %s: %v, %v", group, in, err)
		}
		if in, err := n.Groups.IsMember(brief(t), &Group{DN: dn}, &Account{Address: "other@elsewhere.example"}); in || err != nil {
			t.Errorf("a stranger in %s: %v, %v", group, in, err)
		}
	}
}

func TestGroupBounds(t *testing.T) {
	var b strings.Builder
	b.Write(treeLDIF())
	for i := range 30 { // a chain
		fmt.Fprintf(&b, "\ndn: cn=c%d,dc=example,dc=com\nobjectClass: groupOfNames\ncn: c%d\nmember: cn=c%d,dc=example,dc=com\n", i, i, i+1)
	}
	b.WriteString("\ndn: cn=c30,dc=example,dc=com\nobjectClass: groupOfNames\ncn: c30\nmember: uid=u0,dc=example,dc=com\n")
	b.WriteString("\ndn: cn=bad,dc=example,dc=com\nobjectClass: groupOfURLs\ncn: bad\nmemberURL: http://elsewhere.example/\n")
	n, s := nounsOn(t, presetDBMail(), testbed.SlapdOptions{LDIF: []byte(b.String())})
	u0, err := n.Accounts.ByLogin(brief(t), "u0")
	if err != nil {
		t.Fatal(err)
	}
	top, all := &Group{DN: "cn=c0,dc=example,dc=com"}, &Group{DN: "cn=all,dc=example,dc=com"}
	try := func(what string, bounds Bounds, want error) {
		t.Helper()
		n.Groups.bounds = bounds
		if _, err := n.Groups.Members(brief(t), top); !errors.Is(err, want) {
			t.Errorf("%s: members: %v", what, err)
		}
	}
	try("deep", DefaultBounds(), ErrTooLarge)
	bounds := DefaultBounds()
	bounds.Depth = 40
	try("deeper", bounds, nil)
	bounds.Entries = 10
	try("many", bounds, ErrTooLarge)
	bounds.Time = 0
	try("slow", bounds, ErrUnavailable)

	// One malformed search makes every answer that depends on it uncertain.
	n.Groups.bounds = DefaultBounds()
	if _, err := n.Groups.Members(brief(t), &Group{DN: "cn=bad,dc=example,dc=com"}); !errors.Is(err, ErrMalformed) {
		t.Errorf("bad URL: %v", err)
	}
	if _, err := n.Groups.IsMember(brief(t), top, u0); !errors.Is(err, ErrMalformed) {
		t.Errorf("bad URL: %v", err)
	}
	if err := s.Modify("dn: cn=bad,dc=example,dc=com\nchangetype: delete\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Groups.IsMember(brief(t), top, u0); !errors.Is(err, ErrTooLarge) {
		t.Errorf("deep: %v", err)
	}
	n.Groups.bounds.Depth = 40
	if in, err := n.Groups.IsMember(brief(t), top, u0); !in || err != nil {
		t.Errorf("deeper: %v, %v", in, err)
	}

	// What an entry is must be seen, or a list would be cut.
	if err := s.Configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n" +
		"olcAccess: to attrs=objectClass by * search\nolcAccess: to * by * read\n"); err != nil {
		t.Fatal(err)
	}
	if m, err := n.Groups.Members(brief(t), all); !errors.Is(err, ErrMalformed) {
		t.Errorf("hidden classes: %+v, %v", m, err)
	}
}

// TestMemberOf: what the server keeps with the account counts too.
func TestMemberOf(t *testing.T) {
	p := presetDBMail()
	p.Attributes.Member, p.Attributes.MemberLogin, p.Attributes.MemberAddress, p.Attributes.MemberURL = nil, nil, nil, nil
	n, s := nounsOn(t, p, testbed.SlapdOptions{LDIF: treeLDIF(), Modules: []string{"memberof"}, Database: []string{"overlay memberof"}})
	if err := s.Modify("dn: cn=new,dc=example,dc=com\nobjectClass: groupOfNames\ncn: new\nmember: uid=u5,dc=example,dc=com\n"); err != nil {
		t.Fatal(err)
	}
	for login, want := range map[string]bool{"u5": true, "u4": false} {
		a, err := n.Accounts.ByLogin(brief(t), login)
		if err != nil {
			t.Fatal(err)
		}
		if in, err := n.Groups.IsMember(brief(t), &Group{DN: "cn=new,dc=example,dc=com"}, a); in != want || err != nil {
			t.Errorf("%s (%q): %v, %v", login, a.Groups, in, err)
		}
	}
}

func TestSenders(t *testing.T) {
	at := presetDBMail().Attributes.over(Attributes{MembersOnly: []string{"membersonly"}, OrganisationOnly: []string{"internal"}})
	for _, tc := range []struct {
		e      *Entry
		listed bool
		want   SenderRule
		bad    bool
	}{
		{entryOf(), false, SendersEveryone, false},
		{entryOf(), true, SendersListed, false},
		{entryOf("gatepostListSenders", "everyone"), true, SendersEveryone, false},
		{entryOf("gatepostListSenders", "ORGANISATION"), false, SendersOrganisation, false},
		{entryOf("gatepostListSenders", "members"), false, SendersMembers, false},
		{entryOf("gatepostListSenders", "moderators"), false, SendersModerators, false},
		{entryOf("gatepostListSenders", "listed"), false, SendersListed, false},
		{entryOf("gatepostListSenders", "friends"), false, 0, true},
		{entryOf("gatepostListSenders", "unknown"), false, 0, true},
		{entryOf("membersonly", "TRUE"), true, SendersMembers, false},
		{entryOf("membersonly", "FALSE", "internal", "TRUE"), false, SendersOrganisation, false},
		{entryOf("internal", "TRUE"), true, SendersListed, false},
		{entryOf("internal", "perhaps"), false, 0, true},
	} {
		got, err := at.senders(tc.e, tc.listed)
		if (err != nil) != tc.bad || !tc.bad && got != tc.want {
			t.Errorf("%v: %v, %v", tc.e.Attributes, got, err)
		}
	}
}
