package lmtpd

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

func TestAutomaticWithoutSmarthost(t *testing.T) {
	b := newAutoBench(t, func(s *Settings) { s.Smarthost = nil })
	b.addReply(101, "gone fishing")
	b.deliver(letterTo("alice@example.org", "t6"), "sender@remote.test", "alice@example.org")
	b.sent()
	if !strings.Contains(b.log.String(), `msg="automatic mail not sent"`) {
		t.Error("nothing in the log")
	}
	if b.count("SELECT count(*) FROM dbmail_replycache") != 0 {
		t.Error("it is noted as sent")
	}
}

// The server was killed between its commit and all that comes behind: when the
// message comes again the copy is recognised, and the rest is done, once.
func TestAutomaticAfterAKill(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addReply(101, "gone fishing")
	b.addNotify(101, "pager@outside.test")
	killed := *b.set
	killed.Delivery = DeliveryConfig{} // it does not come to the rest
	b.srv.Apply(&killed)
	deliver := func() {
		t.Helper()
		c := b.dial()
		c.send("LHLO x", "250")
		c.begin("sender@remote.test", "alice@example.org")
		c.message(letterTo("alice@example.org", "t6"), 1)
		c.c.Close() // has not read the reply, for all we know
	}
	deliver()
	b.srv.Apply(b.set)
	for i, want := range []int{2, 0, 0} {
		deliver()
		if got := b.sent(); len(got) != want {
			t.Errorf("repeat %d: %d mails, want %d", i, len(got), want)
		}
	}
	if n := len(b.list("alice", "")); n != 1 {
		t.Errorf("%d copies", n)
	}
}

// Many servers' sessions at once: one answer.
func TestAutoReplyOnce(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addReply(101, "gone fishing")
	b.addNotify(101, "pager@outside.test")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			b.deliver(letterTo("alice@example.org", fmt.Sprint("m", i)), "sender@remote.test", "alice@example.org")
		})
	}
	wg.Wait()
	kinds := map[string]int{}
	for _, m := range b.sent() {
		kinds[m.to[0]]++
	}
	if kinds["sender@remote.test"] != 1 || kinds["pager@outside.test"] != 8 {
		t.Errorf("sent: %v", kinds)
	}
}

func TestAutomaticTriesAgain(t *testing.T) {
	b := newAutoBench(t, nil)
	b.srv.after.mails.pauses = []time.Duration{0, 0, time.Hour}
	b.addReply(101, "gone fishing")
	tries := 0
	b.sink.set(func() {
		b.sink.fail = func(string) error {
			if tries++; tries <= 2 {
				return &smtp.SMTPError{Code: 450, Message: "later"}
			}
			return nil
		}
	})
	b.deliver(letterTo("alice@example.org", "t1"), "sender@remote.test", "alice@example.org")
	b.one()
	if tries != 3 {
		t.Errorf("%d attempts", tries)
	}

	// Refused for good: the claim is given back, the next letter is answered.
	b.sink.set(func() { b.sink.fail = func(string) error { return &smtp.SMTPError{Code: 550, Message: "no"} } })
	b.deliver(letterTo("alice@example.org", "t2"), "other@remote.test", "alice@example.org")
	if s := b.sent(); len(s) != 0 {
		t.Errorf("sent: %+v", s)
	}
	b.sink.set(func() { b.sink.fail = nil })
	b.deliver(letterTo("alice@example.org", "t3"), "other@remote.test", "alice@example.org")
	b.one()

	// It rests until the server stops, and is tried once more then.
	b.sink.set(func() { b.sink.atEnd = &smtp.SMTPError{Code: 452, Message: "full"} })
	b.deliver(letterTo("alice@example.org", "t4"), "third@remote.test", "alice@example.org")
	b.srv.after.events.wait()
	b.srv.after.mails.rested()
	b.sink.set(func() { b.sink.atEnd = nil })
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if got := b.sink.all(); len(got) != 1 || got[0].to[0] != "third@remote.test" {
		t.Errorf("sent at the end: %+v", got)
	}
}

// What is left when the server stops is in the log, and nobody has claimed it.
func TestAutomaticLeftAtTheEnd(t *testing.T) {
	b := newAutoBench(t, func(s *Settings) { s.Smarthost.Address = "127.0.0.1:1" })
	b.addReply(101, "gone fishing")
	b.deliver(letterTo("alice@example.org", "t1"), "sender@remote.test", "alice@example.org")
	b.srv.after.events.wait()
	b.srv.after.mails.rested()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.srv.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if !strings.Contains(b.log.String(), `msg="automatic mail not sent"`) || !strings.Contains(b.log.String(), "to=sender@remote.test") {
		t.Error("nothing in the log")
	}
	if b.count("SELECT count(*) FROM dbmail_replycache") != 0 {
		t.Error("the claim is kept")
	}
}

// The smarthost hangs up behind the final dot: it may have the mail, which is
// not sent again.
func TestAutoReplyUnclear(t *testing.T) {
	b := newAutoBench(t, nil)
	b.srv.after.mails.pauses = []time.Duration{0, 0}
	b.addReply(101, "gone fishing")
	hung := hangUpAtTheEnd(t)
	set := *b.set
	set.Smarthost = &Smarthost{Network: "tcp", Address: hung.addr, Hostname: "mx.example.org", Timeout: 5 * time.Second}
	b.srv.Apply(&set)
	b.deliver(letterTo("alice@example.org", "t1"), "sender@remote.test", "alice@example.org")
	b.srv.after.events.wait()
	b.srv.after.mails.wait()
	if n := hung.taken.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
	if b.count("SELECT count(*) FROM dbmail_replycache") != 1 {
		t.Error("the claim is given back")
	}
}
