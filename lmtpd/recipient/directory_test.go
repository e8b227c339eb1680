package recipient

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"gatepost/internal/directory"
)

// peopleLDIF are accounts, addresses that only forward, and catch-alls.
var peopleLDIF = person("lena", 10001, "mail: lena@example.org", "mailAlternateAddress: l.lund@example.org",
	"mailAlternateAddress: lena@xn--mller-kva.example", "mailAlternateAddress: lena+lists@example.org", "mailQuota: 10M", "authorizedService: imap") +
	person("mika", 10002, "authorizedService: imap") +
	person("bare", 10003, "mail: b@virtual.example", "authorizedService: *") +
	person("olli@virtual.example", 10004, "mail: o@virtual.example", "authorizedService: imap") +
	person("jörg", 10005, "mail: joerg@example.org", "authorizedService: imap") +
	person("closed", 10006, "accountStatus: disabled", "authorizedService: imap") +
	person("gone", 10007, "accountStatus: deleted", "mailForwardingAddress: lena@example.org", "authorizedService: imap") +
	person("nologin", 10008, "accountStatus: noaccess", "authorizedService: imap") +
	person("smtponly", 10009, "authorizedService: smtp") +
	person("unserved", 10041) +
	person("copy", 10010, "mailForwardingAddress: copy@elsewhere.example", "authorizedService: imap") +
	person("away", 10011, "mailForwardingAddress: copy@elsewhere.example", "mailForwardingAddress: MIKA@Example.ORG", "deliveryMode: forwardonly", "authorizedService: imap") +
	person("self", 10012, "mailForwardingAddress: SELF@example.org", "deliveryMode: forwardonly", "authorizedService: imap") +
	person("self2", 10013, "mailForwardingAddress: self2", "mailForwardingAddress: x@elsewhere.example", "deliveryMode: forwardonly", "authorizedService: imap") +
	person("nowhere", 10014, "deliveryMode: forwardonly", "authorizedService: imap") +
	person("odd", 10015, "deliveryMode: sometimes", "authorizedService: imap") +
	person("fat", 10016, "mailQuota: much", "authorizedService: imap") +
	person("pipe", 10017, "mailForwardingAddress: |/bin/rm -rf /", "authorizedService: imap") +
	person("ping", 10018, "mailForwardingAddress: pong@example.org", "deliveryMode: forwardonly", "authorizedService: imap") +
	person("pong", 10019, "mailForwardingAddress: ping@example.org", "deliveryMode: forwardonly", "authorizedService: imap") +
	person("toclosed", 10020, "mailForwardingAddress: closed@example.org", "deliveryMode: forwardonly", "authorizedService: imap") +
	person("tobad", 10021, "mailForwardingAddress: fat@example.org", "authorizedService: imap") +
	person("tolist", 10022, "mailForwardingAddress: team@example.org", "deliveryMode: forwardonly", "authorizedService: imap") +
	person("catchall", 10030, "mail: @catch.example", "mail: @.sub.example", "authorizedService: imap") +
	person("info", 10031, "mail: info@", "authorizedService: imap") +
	person("anna", 10032, "mail: twice@example.org", "authorizedService: imap") +
	person("anton", 10033, "mail: anton@example.org", "mailAlternateAddress: twice@example.org", "authorizedService: imap") +
	person("crossed@example.org", 10034, "mail: crossing@example.org", "authorizedService: imap") +
	person("crosser", 10035, "mail: crossed@example.org", "authorizedService: imap") +
	person("xcatch", 10036, "mail: user@catch.example", "accountStatus: disabled", "authorizedService: imap") +
	entry("uid=bodiless", "objectClass: inetOrgPerson", "objectClass: dbmailUser", "objectClass: authorizedServiceObject", "uid: bodiless", "cn: b", "sn: b",
		"mail: bodiless@example.org", "authorizedService: imap") +
	entry("uid=relay", "objectClass: inetOrgPerson", "objectClass: dbmailUser", "objectClass: authorizedServiceObject", "uid: relay", "cn: r", "sn: r",
		"mail: relay@example.org", "deliveryMode: forwardonly", "mailForwardingAddress: r@elsewhere.example", "authorizedService: imap") +
	forwarder("fw", "a@elsewhere.example", "b@elsewhere.example", "A@Elsewhere.example") +
	forwarder("fwd", "fw@example.org", "lena+x@example.org", "l.lund@example.org", "mika") +
	forwarder("prog", "|/bin/cat") +
	forwarder("progs", "!cat", "/var/mail/x", ":include:/etc/list", "\"|/bin/cat\"", "ok@elsewhere.example") +
	forwarder("loop", "loop@example.org") +
	forwarder("loop1", "loop2@example.org") +
	forwarder("loop2", "loop1@example.org") +
	forwarder("services", "smtponly@example.org") +
	forwarder("mixed", "closed@example.org", "mika@example.org") +
	forwarder("unclear", "twice@example.org", "mika@example.org") +
	entry("cn=team", "objectClass: groupOfNames", "objectClass: gatepostList", "objectClass: extensibleObject", "cn: team",
		"mail: team@example.org", "mailForwardingAddress: x@example.org", "member: uid=lena,dc=example,dc=org") +
	entry("cn=mute", "objectClass: groupOfNames", "cn: mute", "member: uid=lena,dc=example,dc=org") +
	entry("cn=both", "objectClass: groupOfNames", "objectClass: gatepostList", "cn: both", "mail: mika2@example.org", "member: uid=lena,dc=example,dc=org") +
	person("mika2", 10040, "authorizedService: imap")

// people are addresses and what they stand for. What cannot be told names why.
var people = []struct{ address, want string }{
	{"lena@example.org", "lena/10001"},
	{"LENA@Example.Org", "lena/10001"},
	{"l.lund@example.org", "lena/10001"},
	{"lena", "lena/10001"},
	{"Lena", "lena/10001"},
	{"l.lund", "unknown"},
	{"lena@elsewhere.example", "unknown"},
	{"lena@müller.example", "lena/10001"},
	{"lena@xn--mller-kva.example", "lena/10001"},
	{"LENA@MÜLLER.example", "lena/10001"},
	{"lena@mueller.example", "unknown"},
	{"lena@example.org ", "lena/10001"}, // as DBMail and LDAP take it
	{"le na@example.org", "unknown"},
	{"mika2@example .org", "unknown"},
	{"\uff4cena", "unknown"}, // LDAP's compatibility forms are no names of ours
	{"lena+Box@example.org", "lena/10001 detail:Box"},
	{"lena+a+b@example.org", "lena/10001 detail:a+b"},
	{"lena+lists@example.org", "lena/10001 detail:lists"},
	{"lena+@example.org", "lena/10001"},
	{"+lena@example.org", "unknown"},
	{"lena+Box", "unknown"},
	{"b@virtual.example", "bare/10003"},
	{"bare", "bare/10003"},
	{"bare@virtual.example", "unknown"},
	{"bare@example.org", "unknown"},
	{"olli@virtual.example", "olli@virtual.example/10004"},
	{"olli+x@virtual.example", "olli@virtual.example/10004 detail:x"},
	{"o@virtual.example", "olli@virtual.example/10004"},
	{"jörg", "jörg/10005"},
	{"JÖRG", "jörg/10005"},
	{"jo\u0308rg", "jörg/10005"},
	{"jorg", "unknown"},
	{"jörg@example.org", "unknown"},
	{"closed@example.org", "inactive"},
	{"closed+x@example.org", "inactive"},
	{"closed", "inactive"},
	{"gone@example.org", "inactive"},
	{"nologin@example.org", "nologin/10008"},
	{"smtponly@example.org", "no service"},
	{"copy@example.org", "copy/10010 >copy@elsewhere.example"},
	{"away@example.org", "mika/10002 >copy@elsewhere.example"},
	{"self@example.org", "self/10012"},
	{"self2@example.org", "self2/10013 >x@elsewhere.example"},
	{"nowhere@example.org", `"uid=nowhere,dc=example,dc=org" shows neither a mailbox nor an address to forward to`},
	{"odd@example.org", `an entry cannot be understood: "uid=odd,dc=example,dc=org" has the delivery mode "sometimes"`},
	{"fat@example.org", `"uid=fat,dc=example,dc=org" has the quota "much"`},
	{"pipe@example.org", "pipe/10017 refused:|/bin/rm -rf /"},
	{"ping@example.org", "undeliverable"},
	{"toclosed@example.org", "inactive"},
	{"tobad@example.org", `has the quota "much"`},
	{"tolist@example.org", ">team@example.org"},
	{"unserved@example.org", "no service"},
	{"bodiless@example.org", `"uid=bodiless,dc=example,dc=org" has a login and no user number (uid_number), without which there is no mailbox`},
	{"relay@example.org", ">r@elsewhere.example"},
	{"fw@example.org", ">a@elsewhere.example >b@elsewhere.example"},
	{"fw+x@example.org", ">a@elsewhere.example >b@elsewhere.example detail:x"},
	{"fw", "unknown"},
	{"fwd@example.org", "lena/10001 mika/10002 >a@elsewhere.example >b@elsewhere.example >lena+x@example.org"},
	{"prog@example.org", "undeliverable"},
	{"progs@example.org", `>ok@elsewhere.example refused:!cat refused:/var/mail/x refused::include:/etc/list refused:"|/bin/cat"`},
	{"loop@example.org", "undeliverable"},
	{"loop1@example.org", "undeliverable"},
	{"services@example.org", "no service"},
	{"mixed@example.org", "mika/10002"},
	{"unclear@example.org", `"twice@example.org": several entries match: "uid=anna,dc=example,dc=org" and "uid=anton,dc=example,dc=org"`},
	{"x@catch.example", "catchall/10030"},
	{"x+y@catch.example", "catchall/10030 detail:y"},
	{"user@catch.example", "inactive"},
	{"x@deep.catch.example", "unknown"},
	{"x@a.sub.example", "catchall/10030"},
	{"x@a.b.sub.example", "catchall/10030"},
	{"x@sub.example", "unknown"},
	{"info@anywhere.example", "info/10031"},
	{"info+x@anywhere.example", "info/10031 detail:x"},
	{"info@catch.example", "catchall/10030"},
	{"info", "info/10031"},
	{"info@", "unknown"},
	{"@catch.example", "unknown"},
	{"@", "unknown"},
	{"", "unknown"},
	{"twice@example.org", `several entries match: "uid=anna,dc=example,dc=org" and "uid=anton,dc=example,dc=org"`},
	{"crossed@example.org", `several entries match: "uid=crossed@example.org,dc=example,dc=org" and "uid=crosser,dc=example,dc=org"`},
	{"mika2@example.org", `several entries match: "cn=both,dc=example,dc=org" and "uid=mika2,dc=example,dc=org"`},
	{"mika2", "mika2/10040"},
	{"team@example.org", "lena/10001 list:team@example.org"},
	{"team+x@example.org", "lena/10001 detail:x list:team@example.org"},
	{"team", "unknown"},
	{"mute@example.org", "unknown"},
	{"mute", "unknown"},
	{"10001", "unknown"},
	{"anyone", "unknown"},
	{"__public__", "unknown"},
	{"__@!internal_delivery_user!@__", "unknown"},

	// What would be a filter, if it were let.
	{"*", "unknown"},
	{"lena*", "unknown"},
	{"l*@example.org", "unknown"},
	{"*@example.org", "unknown"},
	{"*@*", "unknown"},
	{"*)(uid=mika", "unknown"},
	{"lena@example.org)(objectClass=*", "unknown"},
	{"a(b@example.org", "unknown"},
	{"lena@example.org)", "unknown"},
	{"lena)(|(uid=*@example.org", "unknown"},
	{"\\2a", "unknown"},
	{"\\2a@example.org", "unknown"},
	{"lena\\", "unknown"},
	{"lena\x00@example.org", "unknown"},
	{"lena@example.org\x00", "unknown"},
	{"\xff@example.org", "unknown"},
	{"lena@exa\xccmple.org", "unknown"},
	{"lena@example.org,mika@example.org", "unknown"},
	{"lena@example.org@x", "unknown"},
	{"lena=example.org", "unknown"},
	{"le_a@example.org", "unknown"},
	{"le%@example.org", "unknown"},
	{"lena@" + strings.Repeat("a.", 400) + "org", "unknown"},
	{strings.Repeat("x", 900), "unknown"},
	{strings.Repeat("x", 1900) + "@example.org", "unknown"},
}

func TestDirectory(t *testing.T) {
	for _, kind := range []string{"sqlite", "mariadb"} {
		t.Run(kind, func(t *testing.T) {
			s := newSite(t, siteOptions{ldif: peopleLDIF, service: "imap", mysql: kind == "mariadb"})
			for _, tc := range people {
				got := ask(t, s, tc.address)
				if got != tc.want && !(strings.HasPrefix(got, "cannot tell: ") && strings.HasSuffix(got, tc.want)) {
					t.Errorf("%q:\n got %s\nwant %s", tc.address, got, tc.want)
				}
			}
		})
	}
}

// TestIdentity: what the directory says of a user is what the store is told.
func TestIdentity(t *testing.T) {
	s := newSite(t, siteOptions{ldif: peopleLDIF, service: "imap"})
	r, err := s.Lookup(brief(t), "lena@example.org")
	if err != nil || len(r.Users) != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	i := r.Users[0].Identity
	if i == nil || i.ID != 10001 || i.Login != "lena" || len(i.UUID) != 36 || i.Quota != 10<<20 ||
		fmt.Sprint(i.Addresses) != "[lena@example.org l.lund@example.org lena@xn--mller-kva.example lena+lists@example.org]" {
		t.Errorf("%+v", i)
	}
}

// TestOneSearch: a recipient costs one search, and none when it is asked for
// again, also one that does not exist.
func TestOneSearch(t *testing.T) {
	s := newSite(t, siteOptions{ldif: peopleLDIF, service: "imap"})
	for _, address := range []string{"lena+x@example.org", "x@catch.example", "fw@example.org", "nobody@example.org", "nobody@a.b.c.example.org"} {
		before := s.live.Stats().Cache
		ask(t, s, address)
		cold := s.live.Stats().Cache
		ask(t, s, address)
		warm := s.live.Stats().Cache
		want := uint64(1)
		if address == "fw@example.org" {
			want = 2 // one for all that it forwards to
		}
		if cold.Misses-before.Misses != want || warm.Misses != cold.Misses {
			t.Errorf("%s: %d searches, then %d", address, cold.Misses-before.Misses, warm.Misses-cold.Misses)
		}
	}
}

// TestCannotTell: while no server answers, known recipients come from the
// cache, and of the others nothing is said.
func TestCannotTell(t *testing.T) {
	cache := directory.DefaultCacheOptions()
	cache.PositiveTTL, cache.NegativeTTL, cache.Patience = time.Millisecond, time.Millisecond, 50*time.Millisecond
	s := newSite(t, siteOptions{ldif: peopleLDIF, service: "imap", cache: &cache})
	known := []string{"lena@example.org", "lena", "x@catch.example", "fw@example.org", "team@example.org", "closed@example.org", "twice@example.org"}
	before := map[string]string{}
	for _, address := range known {
		before[address] = ask(t, s, address)
	}
	ask(t, s, "nobody@example.org")
	check := func(how string) {
		t.Helper()
		for _, address := range known {
			if got := ask(t, s, address); got != before[address] {
				t.Errorf("%s: %s: %s, before %s", how, address, got, before[address])
			}
		}
		for _, address := range []string{"nobody@example.org", "mika@example.org", "other@example.org", "mika", "*"} {
			if got := ask(t, s, address); !strings.HasPrefix(got, "cannot tell") {
				t.Errorf("%s: %s: %s", how, address, got)
			}
		}
	}
	s.slapd.Kill()
	check("killed")
	if err := s.slapd.Restart(); err != nil {
		t.Fatal(err)
	}
	for ctx := brief(t); ask(t, s, "mika@example.org") != "mika/10002"; {
		if ctx.Err() != nil {
			t.Fatal("not found again")
		}
	}
	if got := ask(t, s, "nobody@example.org"); got != "unknown" {
		t.Errorf("after the restart: %s", got)
	}
}

// TestLostRights: who may not search by an attribute any more finds nothing,
// which says nothing.
func TestLostRights(t *testing.T) {
	s := newSite(t, siteOptions{ldif: peopleLDIF + list("many", member("lena", "mika")) +
		entry("cn=few", "objectClass: nisMailAlias", "objectClass: gatepostList", "cn: few", "mail: few@example.org", "rfc822MailMember: lena@example.org"),
		service: "imap"})
	for attribute, address := range map[string]string{"mailAlternateAddress": "l.lund@example.org", "uid": "olli@virtual.example"} {
		ask(t, s, "lena@example.org")
		if err := s.slapd.Configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n" +
			"olcAccess: to attrs=" + attribute + " by * none\nolcAccess: to * by * read\n"); err != nil {
			t.Fatal(err)
		}
		s.live.Flush()
		// Others are still found, by what is left.
		for _, found := range []string{"lena@example.org", "fw@example.org"} {
			ask(t, s, found)
		}
		if got := ask(t, s, address); !strings.HasPrefix(got, "cannot tell") {
			t.Errorf("%s without the right to search by %s: %s", address, attribute, got)
		}
	}
	ask(t, s, "lena@example.org")
	if err := s.slapd.Configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n" +
		"olcAccess: to attrs=mail by * none\nolcAccess: to * by * read\n"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "nobody@example.org"); !strings.HasPrefix(got, "cannot tell") {
		t.Errorf("nobody: %s", got)
	}
	// Accounts without what we may not read are not closed, nor lists empty.
	for attribute, address := range map[string]string{"uid": "mika@example.org", "uidNumber": "mika@example.org", "mailForwardingAddress": "fw@example.org",
		"authorizedService": "lena@example.org",
		"member":            "many@example.org", "rfc822MailMember": "few@example.org"} {
		if err := s.slapd.Configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n" +
			"olcAccess: to attrs=" + attribute + " by * search\nolcAccess: to * by * read\n"); err != nil {
			t.Fatal(err)
		}
		s.live.Flush()
		if got := ask(t, s, address); !strings.HasPrefix(got, "cannot tell") {
			t.Errorf("%s without the right to read %s: %s", address, attribute, got)
		}
	}
	if err := s.slapd.Configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n" +
		"olcAccess: to attrs=authorizedService by * none\nolcAccess: to * by * read\n"); err != nil {
		t.Fatal(err)
	}
	s.live.Flush()
	for _, address := range []string{"lena@example.org", "unserved@example.org"} {
		if got := ask(t, s, address); !strings.HasPrefix(got, "cannot tell") {
			t.Errorf("%s without any right to services: %s", address, got)
		}
	}
	// What can be searched by and not be read does not say whose it is.
	if err := s.slapd.Configure("dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n" +
		"olcAccess: to attrs=mailAlternateAddress by * search\nolcAccess: to * by * read\n"); err != nil {
		t.Fatal(err)
	}
	s.live.Flush()
	if got := ask(t, s, "l.lund@example.org"); !strings.HasPrefix(got, "cannot tell") || !strings.Contains(got, "mailAlternateAddress") {
		t.Errorf("hidden: %s", got)
	}
	if got := ask(t, s, "lena@example.org"); got != "lena/10001" {
		t.Errorf("shown: %s", got)
	}
}

// TestPairing: an account whose number or login belongs to another row is no
// recipient until that is settled.
func TestPairing(t *testing.T) {
	s := newSite(t, siteOptions{ldif: peopleLDIF, service: "imap"})
	ctx := context.Background()
	if _, err := s.store.AddUser(ctx, "mika", 0, nil); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, s, "mika@example.org"); got != "pairing" {
		t.Errorf("login of the store's own user: %s", got)
	}
	if got := ask(t, s, "away@example.org"); got != "pairing" {
		t.Errorf("a forward to it: %s", got)
	}
	if got := ask(t, s, "lena@example.org"); got != "lena/10001" {
		t.Errorf("another: %s", got)
	}
}
