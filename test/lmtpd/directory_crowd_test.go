package lmtpd_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
)

// crowdSite is a list of thousands, and Postfix in front of its lmtpd.
type crowdSite struct {
	*directorySite
	mysql   *mysqlProxy
	postfix *testbed.PostfixServer
	inside  int // members with a mailbox
	outside int // members elsewhere
}

// handOver is how many members elsewhere lmtpd gives to the smarthost at a
// time: those of one hand-over may get the message twice when lmtpd dies
// between the smarthost's reply and its own note of it.
const handOver = 50

// The members who cannot receive.
var crippled = []string{"off1", "off2", "full1"}

func newCrowdSite(t *testing.T, inside, outside int) *crowdSite {
	t.Helper()
	c := &crowdSite{inside: inside, outside: outside}
	var entries strings.Builder
	entries.WriteString(person("boss", 1000) + person("by", 1001) +
		person("off1", 1002, "accountStatus: disabled") + person("off2", 1003, "accountStatus: disabled") + person("full1", 1004, "mailQuota: 10"))
	// By DN in groups within each other, in a circle; by address; many twice.
	var groups, addresses []string
	const inGroup = 500
	for first := 0; first < inside; first += inGroup {
		var members []string
		for i := first; i < min(first+inGroup, inside); i++ {
			entries.WriteString(person(crowdName(i), 5000+i))
			if i%5 == 0 {
				addresses = append(addresses, crowdName(i)+"@example.org")
			}
			if i%5 != 0 || i%2 == 0 {
				members = append(members, personDN(crowdName(i)))
			}
		}
		name := fmt.Sprint("part", first/inGroup)
		groups = append(groups, listDN(name))
		fmt.Fprintf(&entries, "dn: %s\nobjectClass: groupOfNames\ncn: %s\n%s\n", listDN(name), name, lines("member", append(members, listDN("all"))...))
	}
	for i := range outside {
		addresses = append(addresses, fmt.Sprintf("m%04d@elsewhere.test", i))
	}
	for _, name := range crippled {
		addresses = append(addresses, name+"@example.org")
	}
	fmt.Fprintf(&entries, "dn: %s\nobjectClass: groupOfNames\nobjectClass: gatepostList\ncn: all\nmail: all@example.org\nowner: %s\n%s%s\n",
		listDN("all"), personDN("boss"), lines("member", groups...), lines("rfc822MailMember", addresses...))
	o := directoryOptions{entries: entries.String(), toml: "[cache]\n",
		slapd: testbed.SlapdOptions{Index: []string{"mail,mailAlternateAddress,uid eq"}}}
	server := testbed.StartMariaDB(t, testbed.MariaDBOptions{})
	c.directorySite = &directorySite{t: t, site: newSite(t, server), slapd: startSlapd(t, o), sink: startSink(t)}
	c.mysql = startMySQLProxy(t, &snare{}, server.Socket())
	c.daemon = launch(t, "unix:"+shortDir(t)+"/lmtp?mode=0666", c.files(o, c.mysql.socket))
	c.postfix = postfixFor(t, "unix:"+c.daemon.socket, nil)
	return c
}

func crowdName(i int) string { return fmt.Sprintf("c%04d", i) }

// send gives a message to Postfix.
func (c *crowdSite) send(rcpt, subject string) {
	c.t.Helper()
	post(c.t, c.postfix, "nora@sender.test", []string{rcpt}, strings.ReplaceAll(simple(subject), "\r\n", "\n"))
}

// copies counts those of a message.
func (c *crowdSite) copies(subject string) int {
	return int(c.number("SELECT count(*)"+copyTables+" AND v.headervalue = ?", subject))
}

// TestListOfThousands delivers to a list that is too long for Postfix's own
// expansion. Others have mail meanwhile; and when lmtpd and MariaDB are killed
// on the way, every member has it once all the same.
func TestListOfThousands(t *testing.T) {
	inside, outside := 5000, 500
	if raceDetector || testing.Short() {
		inside = 1000
	}
	c := newCrowdSite(t, inside, outside)
	c.bystanders("calm")
	c.judge("calm", 0)

	maria := func() {
		if err := c.server.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	// The smarthost has some, lmtpd has not noted it.
	noting := func(m moment) bool {
		return m.at == atStatement && strings.Contains(m.text, "gatepost_forwards") && !strings.HasPrefix(m.text, "SELECT")
	}
	some := inside / 1000 // parts between kills
	c.storm("storm", []crowdBlow{
		{"lmtpd, a part being committed", commits(atSent), some, c.daemon.kill, c.daemon.start},
		{"MariaDB, a part committed", commits(atAnswer), some, c.server.Kill, maria},
		{"both, a part being committed", commits(atSent), some, func() { c.server.Kill(); c.daemon.kill() }, func() { maria(); c.daemon.start() }},
		{"lmtpd, between hand-over and note", noting, 1, c.daemon.kill, c.daemon.start},
	})
	queueEmpties(t, c.postfix)
	c.judge("storm", handOver)
	c.verifySome()
	if log := c.postfix.Log(); strings.Contains(log, "status=bounced") || strings.Contains(log, "sender non-delivery notification") {
		t.Error("Postfix has bounced something")
	}
}

// verifySome is "store verify" for some of the members: for all it takes longer
// than the test.
func (c *crowdSite) verifySome() {
	c.t.Helper()
	for i := 0; i < c.inside; i += c.inside / 20 {
		err := c.store.Verify(context.Background(), crowdName(i), func(p dbmail.Problem) { c.t.Errorf("store verify %s: %s: %s", crowdName(i), p.Kind, p.What) })
		if err != nil {
			c.t.Errorf("store verify: %v", err)
		}
	}
}

// crowdBlow is a kill at a moment in the conversation with MariaDB, when so
// many like it have passed.
type crowdBlow struct {
	name          string
	at            func(moment) bool
	skip          int
	kill, restart func()
}

// storm sends to the list and strikes.
func (c *crowdSite) storm(subject string, blows []crowdBlow) {
	c.t.Helper()
	defer hurry(c.postfix)()
	traps := []*trap{c.mysql.set(blows[0].at, blows[0].skip, true)}
	c.send("all@example.org", subject)
	for i, b := range blows {
		traps[i].await(c.t, func() string { return b.name + ": " + tail(c.daemon.log(), 5) })
		if i+1 < len(blows) { // lmtpd is quick when it may go on
			traps = append(traps, c.mysql.set(blows[i+1].at, blows[i+1].skip, true))
		}
		b.kill()
		traps[i].letGo()
		b.restart()
		c.t.Logf("%s: killed; soon afterwards the store has %d of %d copies, the smarthost %d of %d", b.name, c.copies(subject), c.inside, len(c.handed(subject)), c.outside)
	}
}

// bystanders sends to the list, and to one who is on it and one who is not
// until the list has it all: they do not wait for its end.
func (c *crowdSite) bystanders(subject string) {
	c.t.Helper()
	c.expect("by@example.org", "hello", yes)
	c.expect(crowdName(0)+"@example.org", "hello", yes)
	c.send("all@example.org", subject)
	var all sync.WaitGroup
	var mu sync.Mutex
	longest, amid := map[string]time.Duration{}, map[string]int{}
	for _, who := range []string{"by", crowdName(0)} {
		all.Go(func() {
			for n := 0; ; n++ {
				began := time.Now()
				r, err := hand(c.daemon.dial, who+"@example.org", simple(fmt.Sprint(who, n)))
				took := time.Since(began)
				if err != nil || r[0] != '2' {
					c.t.Errorf("bystander %s: %q, %v", who, r, err)
					return
				}
				stored := c.copies(subject)
				mu.Lock()
				longest[who] = max(longest[who], took)
				if stored > 0 && stored < c.inside {
					amid[who]++
				}
				mu.Unlock()
				if done := fates(c.postfix.Log())["all@example.org"]; len(done) > 0 {
					return
				}
			}
		})
	}
	began := time.Now()
	all.Wait()
	c.t.Logf("the list took %v; meanwhile %v messages for others, the longest %v", time.Since(began).Round(time.Millisecond), amid, longest)
	for _, who := range []string{"by", crowdName(0)} {
		if amid[who] < 3 {
			c.t.Errorf("only %d messages reached %s between the list's first copy and its last", amid[who], who)
		}
	}
	queueEmpties(c.t, c.postfix)
}

// handed lists to whom the smarthost got a message, in order.
func (c *crowdSite) handed(subject string) []string {
	c.sink.mu.Lock()
	defer c.sink.mu.Unlock()
	var out []string
	for _, a := range c.sink.arrived {
		if subjectOf(a.text) != subject {
			continue
		}
		if a.from != "boss@example.org" {
			c.t.Errorf("%s went to %d members elsewhere from <%s>, want the list's owner", subject, len(a.to), a.from)
		}
		out = append(out, a.to...)
	}
	return out
}

// judge looks at every member: one copy each; elsewhere, at most so many got
// it twice; and the owner got one report.
func (c *crowdSite) judge(subject string, repeats int) {
	c.t.Helper()
	has := map[string]int{}
	for _, user := range c.strings("SELECT u.userid"+copyTables+" AND v.headervalue = ?", subject) {
		has[user]++
	}
	wrong := 0
	for i := range c.inside {
		if n := has[crowdName(i)]; n != 1 {
			if wrong++; wrong <= 5 {
				c.t.Errorf("%s: %s has %d copies", subject, crowdName(i), n)
			}
		}
		delete(has, crowdName(i))
	}
	if wrong > 5 || len(has) > 0 {
		c.t.Errorf("%s: %d members have not one copy; besides, these have it: %v", subject, wrong, has)
	}
	sent := map[string]int{}
	for _, rcpt := range c.handed(subject) {
		sent[rcpt]++
	}
	twice := 0
	for i := range c.outside {
		switch n := sent[fmt.Sprintf("m%04d@elsewhere.test", i)]; n {
		case 1:
		case 2:
			twice++
		default:
			c.t.Errorf("%s: m%04d@elsewhere.test got it %d times", subject, i, n)
		}
	}
	c.t.Logf("%s: %d members elsewhere got it twice", subject, twice)
	if twice > repeats || len(sent) != c.outside {
		c.t.Errorf("%s: %d of %d members elsewhere got it twice, want %d at most; %d addresses got it", subject, twice, c.outside, repeats, len(sent))
	}
	reports := slices.DeleteFunc(c.sink.to("boss@example.org"), func(a arrival) bool { return !strings.Contains(a.text, subject) })
	if len(reports) != 1 || reports[0].from != "" {
		c.t.Fatalf("%s: %d reports to the owner, want 1 from the null sender", subject, len(reports))
	}
	for _, name := range crippled {
		if n := strings.Count(reports[0].text, "Final-Recipient: rfc822; "+name+"@example.org"); n != 1 {
			c.t.Errorf("%s: the report names %s %d times: %s", subject, name, n, reports[0].text)
		}
	}
}
