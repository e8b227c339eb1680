package lmtpd

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"gatepost/internal/dbmail"
	"gatepost/lmtpd/recipient"
)

// withLists answers for some lists, and for all else as SQL does.
type withLists struct {
	recipient.SQL
	lists map[string]recipient.Recipient
}

func (w withLists) Lookup(ctx context.Context, address string) (recipient.Recipient, error) {
	if r, ok := w.lists[strings.ToLower(address)]; ok {
		return r, nil
	}
	return w.SQL.Lookup(ctx, address)
}

// crowd makes members of the store and a list of them.
func crowd(t *testing.T, b *bench, n int, l recipient.List, elsewhere ...string) (names []string) {
	t.Helper()
	r := recipient.Recipient{List: &l}
	r.Forwards = elsewhere
	for i := range n {
		name := fmt.Sprintf("member%d@example.org", i)
		u, err := b.store.AddUser(context.Background(), name, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
		r.Users = append(r.Users, u)
	}
	b.set.Recipients.(withLists).lists[l.Address] = r
	return names
}

func listBench(t *testing.T, change func(*Settings)) *bench {
	t.Helper()
	return newBench(t, func(set *Settings) {
		set.Recipients = withLists{recipient.SQL{Store: set.Store}, map[string]recipient.Recipient{}}
		if change != nil {
			change(set)
		}
	})
}

func TestListOfMany(t *testing.T) {
	s, set := smarthost(t)
	b := listBench(t, set)
	var elsewhere []string
	for i := range 2*handOver + 1 {
		elsewhere = append(elsewhere, fmt.Sprintf("x%d@outside.test", i))
	}
	names := crowd(t, b, 2*storeTogether+5, recipient.List{Address: "all@example.org", Owner: "owner@example.org"}, elsewhere...)
	for range 2 { // the second time because the replies were not read
		c := b.dial()
		c.send("LHLO x", "250")
		c.begin("nora@sender.test", "all@example.org", "alice@example.org", "member3@example.org")
		for _, r := range c.message(sample(1), 3) {
			if !strings.HasPrefix(r, "250") {
				t.Fatalf("reply %q", r)
			}
		}
		c.c.Close()
	}
	for _, name := range append(names, "alice") {
		if n := len(b.list(name, "")); n != 1 {
			t.Errorf("%s has %d copies", name, n)
		}
	}
	got := map[string]int{}
	for _, m := range s.all() {
		if m.from != "owner@example.org" || !strings.HasPrefix(m.body, "Delivered-To: all@example.org\r\nReceived: from gw") {
			t.Errorf("outside from %q: %.80q", m.from, m.body)
		}
		for _, to := range m.to {
			got[to]++
		}
	}
	for _, to := range elsewhere {
		if got[to] != 1 {
			t.Errorf("%s got %d messages", to, got[to])
		}
	}
	b.verifyClean()

	// A bounce gets no other sender: its own bounces would come back for ever.
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("", "all@example.org")
	c.message(sample(2), 1)
	if all := s.all(); all[len(all)-1].from != "" {
		t.Errorf("a bounce left as from %q", all[len(all)-1].from)
	}
	// What a list has sent does not come back to it.
	c.begin("nora@sender.test", "all@example.org")
	if r := c.message("Delivered-To: all@example.org\n"+sample(3), 1); !strings.HasPrefix(r[0], "554 5.4.6") {
		t.Errorf("loop: %q", r)
	}
}

// refuse has the smarthost refuse an address.
func refuse(s *sink, address string, code int) {
	s.set(func() {
		s.fail = func(to string) error {
			if to == address {
				return &smtp.SMTPError{Code: code, Message: "not at inner.host"}
			}
			return nil
		}
	})
}

func TestListFailures(t *testing.T) {
	s, set := smarthost(t)
	b := listBench(t, set)
	l := recipient.List{Address: "all@example.org", Owner: "owner@example.org", Failures: []recipient.Failure{{Member: "uid=gone,dc=example", Why: dbmail.ErrUnknown}}}
	crowd(t, b, 3, l, "good@outside.test", "bad@outside.test")
	if _, err := b.store.SetUser(context.Background(), "member1@example.org", dbmail.UserChange{Quota: ptr(int64(10))}); err != nil {
		t.Fatal(err)
	}
	send := func(want string) {
		t.Helper()
		c := b.dial()
		c.send("LHLO x", "250")
		c.begin("nora@sender.test", "all@example.org")
		if r := c.message(sample(1), 1); !strings.HasPrefix(r[0], want) {
			t.Errorf("reply %q, want %q", r[0], want)
		}
		c.c.Close()
	}
	reports := func() (out []string) {
		for _, m := range s.all() {
			if strings.Join(m.to, " ") == "owner@example.org" {
				out = append(out, m.body)
				if m.from != "" {
					t.Errorf("report from %q", m.from)
				}
			}
		}
		return out
	}
	refuse(s, "bad@outside.test", 450)
	send("451 4.3.0")
	if r := reports(); len(r) != 0 {
		t.Errorf("told before all was settled: %q", r)
	}
	refuse(s, "bad@outside.test", 550)
	send("250")
	send("250")
	got := reports()
	if len(got) != 1 {
		t.Fatalf("%d reports, want 1", len(got))
	}
	for _, want := range []string{
		"Auto-Submitted: auto-generated\r\n", "Content-Type: multipart/report; report-type=delivery-status; boundary=",
		"Subject: 3 members of all@example.org not reached\r\n", "Final-Recipient: rfc822; member1@example.org\r\nAction: failed\r\nStatus: 5.2.2\r\n",
		"Final-Recipient: rfc822; bad@outside.test\r\n", "Final-Recipient: x-local; uid=gone,dc=example\r\n", "Content-Type: message/delivery-status\r\n", "uid=gone,dc=example: no such user here\r\n", "Subject: number 1\r\n",
	} {
		if !strings.Contains(got[0], want) {
			t.Errorf("no %q in\n%s", want, got[0])
		}
	}
	if strings.Contains(got[0], "inner.host") || strings.Contains(got[0], "body 1") {
		t.Errorf("tells too much:\n%s", got[0])
	}
	if n := len(b.list("member0@example.org", "")) + len(b.list("member2@example.org", "")); n != 2 {
		t.Errorf("%d copies, want 2", n)
	}

	// A report that comes to the list, because its owner forwards there, brings
	// about none.
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("", "all@example.org")
	if r := c.message(strings.ReplaceAll(got[0], "\r\n", "\n"), 1); !strings.HasPrefix(r[0], "250") {
		t.Errorf("a report: %q", r)
	}
	if n := len(reports()); n != 1 {
		t.Errorf("%d reports, want 1", n)
	}
}

// Without a smarthost the owner's mailbox is the place for the report.
func TestListFailuresStayHere(t *testing.T) {
	b := listBench(t, nil)
	crowd(t, b, 1, recipient.List{Address: "all@example.org", Owner: "bob@example.org", Failures: []recipient.Failure{{Member: "x", Why: dbmail.ErrInactive}}})
	crowd := func(list, want string) {
		t.Helper()
		c := b.dial()
		c.send("LHLO x", "250")
		c.begin("nora@sender.test", list)
		if r := c.message(sample(1), 1); !strings.HasPrefix(r[0], want) {
			t.Errorf("%s: reply %q, want %q", list, r[0], want)
		}
		c.c.Close()
	}
	for range 2 {
		crowd("all@example.org", "250")
	}
	if got := b.list("bob", ""); len(got) != 1 || !strings.Contains(got[0], "x: mailbox is disabled") {
		t.Errorf("bob has %q", got)
	}
	b.verifyClean()

	// Nobody reached, nobody to tell: that is the sender's to know.
	lists := b.set.Recipients.(withLists).lists
	lists["none@example.org"] = recipient.Recipient{List: &recipient.List{Address: "none@example.org", Failures: []recipient.Failure{{Member: "x", Why: dbmail.ErrInactive}}}}
	crowd("none@example.org", "550 5.3.3")
	// One in doubt: the others have it, and the client comes again.
	r := lists["all@example.org"]
	r.List = &recipient.List{Address: "half@example.org", Doubts: []recipient.Failure{{Member: "y", Why: errors.New("cannot tell")}}}
	lists["half@example.org"] = r
	crowd("half@example.org", "451 4.3.0")
	if n := len(b.list("member0@example.org", "")); n != 1 {
		t.Errorf("member0 has %d copies", n)
	}
}

// Two accounts with one number are one row: it is nobody's mail then, not the
// first one's.
func TestTwoAccountsOneNumber(t *testing.T) {
	b := listBench(t, nil)
	lists := b.set.Recipients.(withLists).lists
	as := func(address, login, uuid string) {
		i := &dbmail.Identity{ID: 10001, Login: login, UUID: uuid}
		lists[address] = recipient.Recipient{Recipient: dbmail.Recipient{Users: []dbmail.User{{ID: 10001, Name: login, Active: true, Identity: i}}}}
	}
	as("lena@example.org", "lena", "11111111-1111-1111-1111-111111111111")
	as("lena.alias@example.org", "lena", "11111111-1111-1111-1111-111111111111")
	as("mika@example.org", "mika", "22222222-2222-2222-2222-222222222222")
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("nora@sender.test", "lena@example.org", "mika@example.org")
	for _, r := range c.message(sample(1), 2) {
		if !strings.HasPrefix(r, "451") {
			t.Errorf("two accounts: %q", r)
		}
	}
	c.begin("nora@sender.test", "lena@example.org", "lena.alias@example.org")
	for _, r := range c.message(sample(1), 2) {
		if !strings.HasPrefix(r, "250") {
			t.Errorf("one account: %q", r)
		}
	}
	c.begin("nora@sender.test", "mika@example.org")
	if r := c.message(sample(2), 1); !strings.HasPrefix(r[0], "451") {
		t.Errorf("another's number: %q", r)
	}
	if n := len(b.list("lena", "")); n != 1 {
		t.Errorf("lena has %d copies", n)
	}
}

func ptr[T any](v T) *T { return &v }
