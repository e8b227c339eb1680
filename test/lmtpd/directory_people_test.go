package lmtpd_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// parcel is a message to one address and what must become of it.
type parcel struct {
	rcpt  string
	reply string   // its beginning
	users []string // who has a copy, each one
	sent  []string // to whom the smarthost got it, each once
}

// post delivers each, and then looks at all mailboxes and at the smarthost.
func (d *directorySite) post(parcels []parcel) {
	d.t.Helper()
	want := map[string]string{} // what arrived where, by subject
	for i, p := range parcels {
		subject := fmt.Sprintf("parcel%d", i)
		d.expect(p.rcpt, subject, p.reply)
		want[subject] = arrivals(p.users, p.sent)
	}
	users, sent := map[string][]string{}, map[string][]string{}
	for _, c := range d.strings("SELECT CONCAT(v.headervalue, ' ', u.userid)" + copyTables) {
		subject, user, _ := strings.Cut(c, " ")
		users[subject] = append(users[subject], user)
	}
	d.sink.mu.Lock()
	for _, a := range d.sink.arrived {
		sent[subjectOf(a.text)] = append(sent[subjectOf(a.text)], a.to...)
	}
	d.sink.mu.Unlock()
	for i, p := range parcels {
		subject := fmt.Sprintf("parcel%d", i)
		if got := arrivals(users[subject], sent[subject]); got != want[subject] {
			d.t.Errorf("to %s: %s, want %s", p.rcpt, got, want[subject])
		}
	}
	d.verify()
}

func arrivals(users, sent []string) string {
	users, sent = slices.Sorted(slices.Values(users)), slices.Sorted(slices.Values(sent))
	return fmt.Sprintf("copies for %v, sent to %v", users, sent)
}

func subjectOf(text string) string {
	_, rest, _ := strings.Cut(text, "\r\nSubject: ")
	subject, _, _ := strings.Cut(rest, "\r\n")
	return subject
}

// yes is the reply for who has it.
const yes = "250 2.0.0"

// TestDirectoryPeople delivers to accounts of every kind in DBMail's schema.
func TestDirectoryPeople(t *testing.T) {
	may := "authorizedService: mail"
	d := newDirectorySite(t, testbed.MariaDB(t), directoryOptions{
		head: "service = \"mail\"\n",
		entries: person("ann", 2001, may, "mailAlternateAddress: ann.a@example.net", "mailAlternateAddress: @catch.example.org") +
			person("ben", 2002, "authorizedService: *", "mailAlternateAddress: info@", "mailAlternateAddress: @.deep.example.org") +
			person("cat", 2003, may, "mailAlternateAddress: cat@xn--mller-kva.example") +
			person("off", 2004, may, "accountStatus: disabled") +
			person("imap", 2005, "authorizedService: imap") +
			person("bare", 2006) +
			person("out", 2007, may, "deliveryMode: forwardonly", "mailForwardingAddress: pat@elsewhere.test") +
			person("two", 2008, may, "mailForwardingAddress: kim@elsewhere.test", "mailForwardingAddress: lee@elsewhere.test") +
			person("near", 2009, may, "deliveryMode: forwardonly", "mailForwardingAddress: ann@example.org") +
			person("here", 2010, may, "mailForwardingAddress: BEN@example.org") +
			person("ring", 2011, may, "mailForwardingAddress: ring2@example.org") +
			person("ring2", 2012, may, "mailForwardingAddress: ring@example.org") +
			person("full", 2013, may, "mailQuota: 100") +
			person("small", 2014, may, "mailQuota: 1K") +
			person("large", 2015, may, "mailQuota: 2G") +
			person("odd", 2016, may, "mailQuota: plenty") +
			person("what", 2017, may, "deliveryMode: pigeon") +
			person("twin", 2018, may, "mailAlternateAddress: same@example.org") +
			person("twin2", 2019, may, "mailAlternateAddress: same@example.org") +
			strings.ReplaceAll(person("numberless", 1, may), "uidNumber: 1\n", "") +
			person("lost", 2020, may, "deliveryMode: forwardonly", "mailForwardingAddress: off@example.org") +
			forwarder("gone", "sam@elsewhere.test") +
			forwarder("near2", "ann@example.org", "sam@elsewhere.test"),
	})
	d.post([]parcel{
		{"ann@example.org", yes, []string{"ann"}, nil},
		{"ANN@Example.ORG", yes, []string{"ann"}, nil},
		{"ann.a@example.net", yes, []string{"ann"}, nil},
		{"ann+notes@example.org", yes, []string{"ann"}, nil},
		{"whoever@catch.example.org", yes, []string{"ann"}, nil},
		{"whoever@sub.catch.example.org", "550 5.1.1", nil, nil},
		{"whoever@very.deep.example.org", yes, []string{"ben"}, nil},
		{"info@nowhere.test", yes, []string{"ben"}, nil},
		{"cat@xn--mller-kva.example", yes, []string{"cat"}, nil},
		{"cat@müller.example", yes, []string{"cat"}, nil},
		{"cat@MÜLLER.example", yes, []string{"cat"}, nil},
		{"nobody@example.org", "550 5.1.1", nil, nil},
		{"off@example.org", "550 5.2.1", nil, nil},
		{"imap@example.org", "550 5.7.1", nil, nil},
		{"bare@example.org", "550 5.7.1", nil, nil},
		{"out@example.org", yes, nil, []string{"pat@elsewhere.test"}},
		{"two@example.org", yes, []string{"two"}, []string{"kim@elsewhere.test", "lee@elsewhere.test"}},
		{"near@example.org", yes, []string{"ann"}, nil},
		{"here@example.org", yes, []string{"here", "ben"}, nil},
		{"ring@example.org", yes, []string{"ring", "ring2"}, nil},
		{"full@example.org", "552 5.2.2", nil, nil},
		{"small@example.org", yes, []string{"small"}, nil},
		{"large@example.org", yes, []string{"large"}, nil},
		{"odd@example.org", "451 4.3.0", nil, nil},
		{"what@example.org", "451 4.3.0", nil, nil},
		{"twin@example.org", yes, []string{"twin"}, nil},
		{"same@example.org", "451 4.3.0", nil, nil},
		{"numberless@example.org", "451 4.3.0", nil, nil},
		{"gone@example.org", yes, nil, []string{"sam@elsewhere.test"}},
		{"near2@example.org", yes, []string{"ann"}, []string{"sam@elsewhere.test"}},
		// What would be a filter if it were not escaped finds nobody.
		{"*", "501 5.5.2", nil, nil}, // no address, to the server
		{"a*n@example.org", "550 5.1.1", nil, nil},
		{"*@example.org", "550 5.1.1", nil, nil},
		{`"ann)(uid=*"@example.org`, "550 5.1.1", nil, nil},
		{`"x)(|(mail=*"@example.org`, "550 5.1.1", nil, nil},
	})
	// Both are named to the operator: nobody chooses between them.
	if log := d.daemon.log(); !slices.ContainsFunc(strings.Split(log, "\n"), func(line string) bool {
		return strings.Contains(line, "same@example.org") && strings.Contains(line, "uid=twin,") && strings.Contains(line, "uid=twin2,")
	}) {
		t.Error("no line of the log names both entries with same@example.org")
	}
	if got := d.strings("SELECT userid FROM dbmail_users WHERE userid IN ('off', 'imap', 'bare', 'out', 'near', 'odd', 'what', 'numberless')"); len(got) > 0 {
		t.Errorf("users that get no mail have rows: %v", got)
	}
}

// TestDirectoryThenSQL: with both sources the second is asked when the first
// knows that there is nobody, and two persons with one number are an error.
func TestDirectoryThenSQL(t *testing.T) {
	d := newDirectorySite(t, testbed.MariaDB(t), directoryOptions{
		recipients: `["directory", "sql"]`,
		entries:    person("ann", 2001) + person("ben", 2002) + person("cat", 2003) + person("off", 2004, "accountStatus: disabled"),
	})
	sql := func(id int, login string, address string) {
		d.exec("INSERT INTO dbmail_users (user_idnr, userid, passwd, client_idnr, encryption_type) VALUES (?, ?, 'secret', 0, '')", id, login)
		d.alias(address, fmt.Sprint(id))
	}
	sql(1500, "old", "old@example.org")
	sql(1501, "off2", "off@example.org")
	sql(2002, "somebody", "somebody@example.org") // has ben's number
	sql(1502, "cat", "cat2@example.org")          // has cat's login
	d.post([]parcel{
		{"ann@example.org", yes, []string{"ann"}, nil},
		{"old@example.org", yes, []string{"old"}, nil},
		{"somebody@example.org", yes, []string{"somebody"}, nil},
		{"ben@example.org", "451 4.3.0", nil, nil},
		{"cat@example.org", "451 4.3.0", nil, nil},
		{"off@example.org", "550 5.2.1", nil, nil}, // a definite answer, though not "nobody"
		{"nobody@example.org", "550 5.1.1", nil, nil},
	})
	d.slapd.Kill()
	d.expect("old2@example.org", "away", "451")
	d.expect("old@example.org", "away", "451") // might be somebody's in the directory
}
