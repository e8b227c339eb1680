package ldapmap_test

import (
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// recoveryLimit is for a machine that does much else; what it took is logged,
// and the aim is a second.
const recoveryLimit = 10 * time.Second

// TestOutage takes the only slapd away in several ways while ldapmap and
// Postfix are under load. No address that exists is ever not found; those that
// were asked for before are answered throughout; all others are temporary
// errors until the server is back. GATEPOST_OUTAGE_ROUNDS makes a soak of it.
func TestOutage(t *testing.T) {
	rounds := 1
	if v := os.Getenv("GATEPOST_OUTAGE_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil || rounds < 1 {
			t.Fatalf("GATEPOST_OUTAGE_ROUNDS=%q: want a number of rounds", v)
		}
	}
	for n := range rounds {
		t.Run(fmt.Sprintf("round %d", n+1), outages)
	}
}

// outages are all ways once, with a directory that nobody has asked yet.
func outages(t *testing.T) {
	const ttl = time.Second // so that what is known is soon past its time
	p := newPeople(t, fmt.Sprintf("[cache]\npositive_ttl = %q\nnegative_ttl = %q\n", ttl, ttl))
	postfix := testbed.Postfix(t, testbed.PostfixOptions{Main: map[string]string{
		"relay_domains": "example.com", "relay_recipient_maps": p.table,
		"in_flow_delay": "0", "smtpd_error_sleep_time": "0", "smtpd_soft_error_limit": "1000000",
		"smtpd_hard_error_limit": "1000000", "smtpd_junk_command_limit": "1000000",
	}})
	o := &outage{t: t, people: p}
	var err error
	if o.probe, err = p.dial(); err != nil {
		t.Fatal(err)
	}
	defer o.probe.conn.Close()
	for n := range known {
		o.want(ok, personal(n))
	}
	o.load = newLoad(t, p)
	o.load.direct(4)
	o.load.smtp(6, postfix.SMTPAddr())

	restart := func() {
		if err := p.slapd.Restart(); err != nil {
			t.Fatal(err)
		}
	}
	o.fault("killed", p.slapd.Kill, restart, 5*ttl/2)
	o.fault("frozen", p.slapd.Pause, p.slapd.Resume, 5*ttl/2)
	o.fault("firewalled", p.wall.close, p.wall.reopen, 5*ttl/2)
	o.fault("restarted", func() {}, restart, 0)
	o.calm()
	o.load.stop()
	o.load.begin("")
	if most := p.wall.connections(); most > 4 {
		t.Errorf("%d LDAP connections at a time", most)
	}
}

// outage is one test's view.
type outage struct {
	t       *testing.T
	people  *people
	load    *load
	probe   *asker
	strange int // numbers addresses that nobody has
}

// calm waits until all kinds of addresses are answered.
func (o *outage) calm() {
	o.load.begin("all is well")
	waitFor(o.t, "look-ups are answered", func() bool {
		return o.load.count(askKnown+" "+ok) > 500 && o.load.count(askUnseen+" "+ok) > 10 && o.load.count(askMissing+" "+notFound) > 50
	})
}

// fault takes the server away for a while, at least for hold, and brings it
// back. With hold 0 it comes back at once and nothing is said of the meantime.
func (o *outage) fault(name string, begin, end func(), hold time.Duration) {
	o.t.Helper()
	o.calm()
	o.load.begin(name)
	began := time.Now()
	begin()
	if hold > 0 {
		// Another one each time: what is answered once is known from then on.
		waitFor(o.t, name+": the outage is noticed", func() bool { return o.ask(o.unseen(), ok, temp) == temp })
		o.want(temp, o.unseen())
		o.want(temp, o.nobody())
		before := o.load.count(askKnown + " " + ok)
		waitFor(o.t, name+": known addresses are answered, past their time", func() bool {
			return time.Since(began) > hold && o.load.count(askKnown+" "+ok) > before+100
		})
		o.want(temp, o.unseen())
		o.want(temp, o.nobody())
	}
	o.load.begin(name + ", recovery")
	end()
	back := time.Now()
	found := o.until(name, o.unseen, ok, temp)
	gone := o.until(name, o.nobody, notFound, temp)
	o.t.Logf("%s: an unseen address is found %v after the server's return, one that nobody has is not found after %v",
		name, found.Sub(back).Round(time.Millisecond), gone.Sub(back).Round(time.Millisecond))
}

// until asks for other addresses until one gets the answer.
func (o *outage) until(name string, address func() string, want, meanwhile string) time.Time {
	o.t.Helper()
	for end := time.Now().Add(recoveryLimit); ; {
		if a := address(); o.ask(a, want, meanwhile) == want {
			return time.Now()
		}
		if time.Now().After(end) {
			o.t.Fatalf("%s: no recovery within %v of the server's return", name, recoveryLimit)
		}
	}
}

// ask gives the answer, which must be one of two.
func (o *outage) ask(address, one, other string) string {
	o.t.Helper()
	status, _, took, err := o.probe.ask(address)
	if err != nil {
		o.t.Fatalf("%s: %v", address, err)
	}
	if status != one && status != other {
		o.t.Errorf("%s: %s after %v, want %s or %s", address, status, took, one, other)
	}
	return status
}

func (o *outage) want(answer, address string) {
	o.t.Helper()
	o.ask(address, answer, answer)
}

func (o *outage) unseen() string {
	o.t.Helper()
	address, ok := o.people.unseen()
	if !ok {
		o.t.Fatal("every user has been asked for: this needs a larger directory")
	}
	return address
}

func (o *outage) nobody() string {
	o.strange++
	return fmt.Sprintf("strange%d@example.com", o.strange)
}
