package lmtpd_test

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// TestDirectoryOutage takes the only slapd away in several ways while Postfix
// delivers to people of the directory: who was written to before has mail all
// the time, everybody else when it is back; nothing bounces, is lost or arrives
// twice. GATEPOST_OUTAGE_ROUNDS makes a soak of it.
func TestDirectoryOutage(t *testing.T) {
	t.Parallel() // with others that have servers of their own
	rounds := 1
	if v := os.Getenv("GATEPOST_OUTAGE_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil || rounds < 1 {
			t.Fatalf("GATEPOST_OUTAGE_ROUNDS=%q: want a number of rounds", v)
		}
	}
	o := newDirectoryOutage(t, 200+100*rounds)
	restart := func() {
		if err := o.slapd.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	for range rounds {
		o.fault("killed", o.slapd.Kill, restart)
		o.fault("frozen", o.slapd.Pause, o.slapd.Resume)
		for range 3 {
			restart()
			o.calm("restarted")
		}
		o.forgetful(restart)
	}
	o.battle.load.stop()
	o.battle.load.check(t)
	queueEmpties(t, o.battle.postfix)
	o.battle.load.users = append(o.battle.load.users, o.asked...)
	o.battle.judge()
	t.Logf("%d letters, %d copies, of them %d while the directory was away; %d recipients that lmtpd had not seen before",
		len(o.battle.ledger.sent), o.battle.ledger.wanted, o.away, len(o.asked))
}

// directoryOutage is a directory of people who have mail and of people who
// will.
type directoryOutage struct {
	*directorySite
	battle  *battle
	people  int      // newcomers
	next    int      // of them
	letters int      // to newcomers
	asked   []string // newcomers who were written to
	away    int      // copies delivered in outages
}

// ttl is short, so that what lmtpd knows is soon past its time.
const ttl = time.Second

func newDirectoryOutage(t *testing.T, newcomers int) *directoryOutage {
	t.Helper()
	known := []string{"ann", "ben", "cat", "dan", "eve", "fay", "gil", "hal"}
	var entries strings.Builder
	entries.WriteString(mailingList("team", "rfc822MailMember: ann@example.org", "rfc822MailMember: ben@example.org"))
	for i, login := range known {
		entries.WriteString(person(login, 2001+i))
	}
	for i := range newcomers {
		entries.WriteString(person(newcomer(i), 3000+i))
	}
	o := &directoryOutage{people: newcomers, directorySite: newDirectorySite(t, testbed.StartMariaDB(t, testbed.MariaDBOptions{}), directoryOptions{
		entries: entries.String(), toml: fmt.Sprintf("[cache]\npositive_ttl = %q\nnegative_ttl = %q\n", ttl, ttl),
		slapd: testbed.SlapdOptions{Index: []string{"mail,mailAlternateAddress,uid eq"}},
	})}
	b := &battle{t: t, site: o.site, traps: &snare{}, ledger: newLedger(), daemon: o.daemon}
	b.lmtp = startLMTPProxy(t, b.traps, o.daemon.dial, b.ledger.reply)
	b.postfix = postfixFor(t, "inet:"+b.lmtp.addr, nil)
	b.load = &load{} // none yet
	o.battle = b
	x := o.write(known...)
	eventually(t, "all have had mail once", o.arrived(x, known...))

	b.load = startLoad(t, b.postfix, b.ledger, known)
	return o
}

func newcomer(i int) string { return fmt.Sprintf("new%04d", i) }

// unseen gives a newcomer that lmtpd was never asked for.
func (o *directoryOutage) unseen() string {
	o.t.Helper()
	if o.next == o.people {
		o.t.Fatal("there are too few newcomers")
	}
	o.next++
	return newcomer(o.next - 1)
}

// ask gives the reply to RCPT.
func (o *directoryOutage) ask(local string) string {
	o.t.Helper()
	c, err := greet(o.daemon.dial)
	if err != nil {
		o.t.Fatal(err)
	}
	defer c.conn.Close()
	for _, command := range []string{"MAIL FROM:<nora@sender.test>", "RCPT TO:<" + local + "@example.org>"} {
		r, err := c.say(command)
		if err != nil {
			o.t.Fatalf("%s: %v", command, err)
		}
		if command[0] == 'R' {
			return r
		}
	}
	return ""
}

// write sends a letter to these, beside the load's.
func (o *directoryOutage) write(rcpts ...string) letter {
	o.t.Helper()
	o.letters++
	x := letter{id: fmt.Sprint("new", o.letters), rcpts: rcpts}
	x.text = crlf(fmt.Sprintf("%s%s\nFrom: Nora <nora@sender.test>\nSubject: letter %[2]s\nDate: Tue, 03 Nov 2026 09:30:15 +0100\n"+
		"Message-ID: <%[2]s@sender.test>\n\nwelcome\n", letterField, x.id))
	o.battle.ledger.enter(x)
	var to []string
	for _, r := range rcpts {
		to = append(to, r+"@example.org")
		if strings.HasPrefix(r, "new") {
			o.asked = append(o.asked, r)
		}
	}
	post(o.t, o.battle.postfix, "nora@sender.test", to, strings.ReplaceAll(x.text, "\r\n", "\n"))
	return x
}

// arrived says that Postfix was told of each copy.
func (o *directoryOutage) arrived(x letter, rcpts ...string) func() (bool, string) {
	return func() (bool, string) {
		o.battle.ledger.mu.Lock()
		defer o.battle.ledger.mu.Unlock()
		for _, r := range rcpts {
			if !o.battle.ledger.answered[copyOf{x.id, r}] {
				return false, fmt.Sprintf("letter %s has not reached %s", x.id, r)
			}
		}
		return true, ""
	}
}

// delivered counts the copies that have arrived.
func (o *directoryOutage) delivered() int {
	o.battle.load.check(o.t)
	o.battle.ledger.mu.Lock()
	defer o.battle.ledger.mu.Unlock()
	return len(o.battle.ledger.answered)
}

// goesOn waits until so many more copies have arrived, and for some time.
func (o *directoryOutage) goesOn(what string, more int, at time.Duration) {
	o.t.Helper()
	before, began := o.delivered(), time.Now()
	eventually(o.t, what, func() (bool, string) {
		n := o.delivered() - before
		return n >= more && time.Since(began) >= at, fmt.Sprint(n, " copies; ", tail(o.daemon.log(), 3))
	})
}

// calm waits until all is well for known people, newcomers and nobody.
func (o *directoryOutage) calm(after string) {
	o.t.Helper()
	eventually(o.t, after+": newcomers are found", func() (bool, string) {
		r := o.ask(o.unseen())
		return strings.HasPrefix(r, "250"), r
	})
	eventually(o.t, after+": who is not there is not there", func() (bool, string) {
		r := o.ask("nobody" + strconv.Itoa(o.next))
		if r[:3] != "550" && r[:3] != "451" {
			o.t.Errorf("%s: nobody: %q", after, r)
		}
		return r[:3] == "550", r
	})
	who := o.unseen()
	x := o.write(who)
	eventually(o.t, after+": a newcomer has mail", o.arrived(x, who))
	o.goesOn(after+": mail is delivered", 30, 0)
}

// fault takes the directory away until its absence has been seen from all
// sides, and gives it back.
func (o *directoryOutage) fault(name string, begin, end func()) {
	o.t.Helper()
	o.calm("before it is " + name)
	for _, who := range append([]string{"team"}, o.battle.load.users...) { // lmtpd may have been restarted
		if r := o.ask(who); !strings.HasPrefix(r, "250") {
			o.t.Errorf("before it is %s: %s: %q", name, who, r)
		}
	}
	begin()
	before := o.delivered()
	eventually(o.t, name+": the outage is noticed", func() (bool, string) {
		r := o.ask(o.unseen()) // another one each time: who is found once is known from then on
		return strings.HasPrefix(r, "451 4.3.0"), r
	})
	if r := o.ask("nobody"); !strings.HasPrefix(r, "451 4.3.0") {
		o.t.Errorf("%s: nobody: %q, want 451", name, r)
	}
	who := o.unseen()
	x := o.write(who, "ann")
	eventually(o.t, name+": the known one of two has it", o.arrived(x, "ann"))
	eventually(o.t, name+": the newcomer is deferred", func() (bool, string) {
		all := fates(o.battle.postfix.Log())[who+"@example.org"]
		return slices.ContainsFunc(all, func(f fate) bool { return f.status == "deferred" && f.dsn == "4.3.0" }), fmt.Sprint(all)
	})
	o.goesOn(name+": known people have mail, past its time", 100, 5*ttl/2)
	if r := o.ask(o.unseen()); !strings.HasPrefix(r, "451 4.3.0") {
		o.t.Errorf("%s: a newcomer: %q, want 451", name, r)
	}
	if r := o.ask("team"); !strings.HasPrefix(r, "250") {
		o.t.Errorf("%s: a list that had been asked for before: %q, want 250; %s", name, r, o.lastWhy("team"))
	}
	o.away += o.delivered() - before
	end()
	eventually(o.t, name+", and back: the newcomer has it", o.arrived(x, who))
}

// forgetful takes the directory away, and lmtpd's memory of it: nobody is
// known, and all mail waits in Postfix's queue.
func (o *directoryOutage) forgetful(restart func()) {
	o.t.Helper()
	o.calm("before lmtpd forgets")
	o.slapd.Kill()
	o.daemon.kill()
	o.daemon.start()
	for _, who := range []string{"ann", "team", "nobody", o.unseen()} {
		if r := o.ask(who); !strings.HasPrefix(r, "451 4.3.0") {
			o.t.Errorf("lmtpd knows nobody and the directory is away: %s: %q, want 451", who, r)
		}
	}
	x := o.write("ben", o.unseen())
	eventually(o.t, "mail waits", func() (bool, string) {
		queued, err := o.battle.postfix.Queue()
		return slices.ContainsFunc(queued, func(q testbed.Queued) bool { return q.Queue == "deferred" }), fmt.Sprint(len(queued), " in the queue, ", err)
	})
	restart()
	eventually(o.t, "and goes when the directory is back", o.arrived(x, x.rcpts...))
}
