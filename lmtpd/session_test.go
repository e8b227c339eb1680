package lmtpd

import (
	"context"
	"io"
	"strings"
	"testing"
	"time"
)

func TestDeliverAndReadBack(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial()
	caps := c.send("LHLO client.test", "250")
	for _, want := range []string{"PIPELINING", "8BITMIME", "ENHANCEDSTATUSCODES", "CHUNKING", "SMTPUTF8", "SIZE 8388608"} {
		if !strings.Contains(caps, want) {
			t.Errorf("LHLO lacks %s: %s", want, caps)
		}
	}
	c.begin("nora@sender.test", "alice@example.org", "bob@example.org")
	text := sample(1) + ".\n..two dots\nend\n"
	got := c.message(text, 2)
	for i, who := range []string{"alice", "bob"} {
		if !strings.HasPrefix(got[i], "250 2.0.0 <"+who+"@example.org>") {
			t.Errorf("reply %d: %q", i, got[i])
		}
		mails := b.list(who, "")
		want := "Return-Path: <nora@sender.test>\r\n" + strings.ReplaceAll(text, "\n", "\r\n")
		if len(mails) != 1 || mails[0] != want {
			t.Errorf("%s has %q", who, mails)
		}
	}
	c.send("QUIT", "221")
	b.verifyClean()
	if log := b.log.String(); !strings.Contains(log, "queue_id=4Q1") || !strings.Contains(log, "rcpt=alice@example.org") {
		t.Errorf("log lacks the decision: %s", log)
	}
}

func TestRecipientReplies(t *testing.T) {
	b := newBench(t, nil)
	active := false
	if _, err := b.store.AddUser(context.Background(), "gone@example.org", 0, nil); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.SetUser(context.Background(), "gone@example.org", struct {
		Quota  *int64
		Active *bool
	}{nil, &active}); err != nil {
		t.Fatal(err)
	}
	full := int64(1)
	if _, err := b.store.SetUser(context.Background(), "carol", struct {
		Quota  *int64
		Active *bool
	}{&full, nil}); err != nil {
		t.Fatal(err)
	}
	c := b.dial()
	c.send("LHLO x", "250")
	c.send("MAIL FROM:<a@b.test>", "250")
	for rcpt, want := range map[string]string{
		"alice@example.org":       "250",
		"ALICE@Example.ORG":       "250",
		"alice+Notes@example.org": "250",
		"gone@example.org":        "550 5.2.1",
		"nobody@nowhere.test":     "550 5.1.1",
		"x@catch.example.org":     "250",
		"x@a.sub.test":            "250",
		"x@sub.test":              "550 5.1.1",
		"info@anything.test":      "250",
		"anyone@example.org":      "250", // the catch-all, not the internal user
		"fwd@example.org":         "451 4.3.5",
	} {
		c.send("RCPT TO:<"+rcpt+">", want)
	}
	c.send("RSET", "250")
	// carol has room for one octet, so she is not full until she has one.
	c.begin("a@b.test", "carol@example.org")
	if r := c.message(sample(1), 1); !strings.HasPrefix(r[0], "552 5.2.2 <carol@example.org>") {
		t.Errorf("over quota in the transaction: %q", r)
	}
	b.verifyClean()
}

// The same recipient twice gets two replies, a user reached twice one copy.
func TestTwice(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("a@b.test", "alice@example.org", "alice@example.org", "both@example.org")
	for _, r := range c.message(sample(1), 3) {
		if !strings.HasPrefix(r, "250") {
			t.Errorf("reply %q", r)
		}
	}
	if n := len(b.list("alice", "")); n != 1 {
		t.Errorf("alice has %d copies", n)
	}
	if n := len(b.list("bob", "")); n != 1 {
		t.Errorf("bob has %d copies", n)
	}
}

func TestRepeats(t *testing.T) {
	b := newBench(t, nil)
	deliver := func(c *client) {
		c.begin("a@b.test", "alice@example.org")
		if r := c.message(sample(1), 1); !strings.HasPrefix(r[0], "250") {
			t.Fatalf("reply %q", r)
		}
	}
	copies := func(want int, when string) {
		t.Helper()
		if n := len(b.list("alice", "")); n != want {
			t.Errorf("%s: %d copies, want %d", when, n, want)
		}
	}
	hangUp := func() {
		c := b.dial()
		c.send("LHLO x", "250")
		deliver(c)
		c.c.Close()
	}
	hangUp()
	copies(1, "first")
	hangUp()
	copies(1, "again: the client may not have read the answer")
	c := b.dial()
	c.send("LHLO x", "250")
	deliver(c)
	copies(1, "again")
	c.send("NOOP", "250") // now it has read the 250
	deliver(c)
	copies(2, "on purpose")
	c.c.Close()
	hangUp()
	copies(2, "the second one again")

	// A client that pipelines QUIT behind the final dot has not read the reply.
	c = b.dial()
	c.send("LHLO x", "250")
	c.begin("p@b.test", "bob@example.org")
	c.send("DATA", "354")
	c.raw(wire(sample(2)) + ".\r\nQUIT\r\n")
	c.expect("250")
	c.expect("221")
	c = b.dial()
	c.send("LHLO x", "250")
	c.begin("p@b.test", "bob@example.org")
	c.message(sample(2), 1)
	if n := len(b.list("bob", "")); n != 1 {
		t.Errorf("bob has %d copies after a pipelined QUIT, want 1", n)
	}
}

func TestSmuggling(t *testing.T) {
	b := newBench(t, nil)
	for i, end := range []string{"\n.\n", "\n.\r\n", "\r\n.\n", "\r\n.\r", "\r.\r"} {
		c := b.dial()
		c.send("LHLO x", "250")
		c.begin("a@b.test", "alice@example.org")
		c.send("DATA", "354")
		c.raw(wire(sample(100+i)) + "line" + end + "MAIL FROM:<smuggled@x>\r\n.\r\n")
		c.expect("250 2.0.0 <alice@example.org>")
		c.send("NOOP", "250")
	}
	if n := len(b.list("alice", "")); n != 5 {
		t.Errorf("%d messages, want 5", n)
	}
}

func TestTooLargeAndNUL(t *testing.T) {
	b := newBench(t, func(s *Settings) { s.MaxMessageSize = 5000 })
	c := b.dial()
	c.send("LHLO x", "250")
	c.send("MAIL FROM:<a@b.test> SIZE=5001", "552 5.3.4")
	c.begin("a@b.test", "alice@example.org", "bob@example.org")
	for _, r := range c.message(sample(1)+strings.Repeat("0123456789\n", 1000), 2) {
		if !strings.HasPrefix(r, "552 5.3.4") {
			t.Errorf("reply %q", r)
		}
	}
	c.begin("a@b.test", "alice@example.org")
	if r := c.message(sample(2)+"a\x00b\n", 1); !strings.HasPrefix(r[0], "550 5.6.0") {
		t.Errorf("NUL: %q", r)
	}
	c.begin("a@b.test", "alice@example.org")
	if r := c.message(sample(3), 1); !strings.HasPrefix(r[0], "250") {
		t.Errorf("after refusals: %q", r)
	}
	if n := len(b.list("alice", "")); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

func TestLongLines(t *testing.T) {
	b := newBench(t, nil)
	long := sample(1) + strings.Repeat("x", 3<<20) + "\n"
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("a@b.test", "alice@example.org")
	if r := c.message(long, 1); !strings.HasPrefix(r[0], "250") {
		t.Errorf("long line in content: %q", r)
	}
	if mails := b.list("alice", ""); len(mails) != 1 || !strings.HasSuffix(mails[0], strings.ReplaceAll(long, "\n", "\r\n")) {
		t.Error("long line not stored as it came")
	}
	c.send("NOOP", "250")
	_, _ = io.WriteString(c.c, "NOOP "+strings.Repeat("y", 200<<10))
	if r := c.reply(); !strings.HasPrefix(r, "421") && r != "EOF" && !strings.Contains(r, "reset") {
		t.Errorf("endless command: %q", r)
	}
}

func TestChunking(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial()
	c.send("LHLO x", "250")
	for i := range 2 {
		text := strings.ReplaceAll(sample(i)+strings.Repeat("z", 300<<10)+"\n.\nend\n", "\n", "\r\n")
		c.begin("a@b.test", "alice@example.org", "bob@example.org")
		half := len(text) / 2
		c.raw("BDAT " + itoa(half) + "\r\n" + text[:half])
		c.expect("250")
		c.raw("BDAT " + itoa(len(text)-half) + " LAST\r\n" + text[half:])
		c.expect("250 2.0.0 <alice@example.org>")
		c.expect("250 2.0.0 <bob@example.org>")
		if mails := b.list("alice", ""); len(mails) != i+1 || !strings.HasSuffix(mails[i], text) {
			t.Errorf("message %d not stored as it came", i)
		}
	}
	// An endless command between two chunks ends the session, not our memory.
	c.begin("a@b.test", "alice@example.org")
	c.raw("BDAT 10\r\n0123456789")
	c.expect("250")
	go func() {
		for range 100 {
			if _, err := c.c.Write([]byte(strings.Repeat("y", 64<<10))); err != nil {
				return
			}
		}
	}()
	if r := c.reply(); !strings.HasPrefix(r, "421") && !strings.Contains(r, "EOF") && !strings.Contains(r, "reset") {
		t.Errorf("endless command between chunks: %.100q", r)
	}
}

func itoa(n int) string {
	if n == 0 {
		return "0"
	}
	var b []byte
	for ; n > 0; n /= 10 {
		b = append([]byte{byte('0' + n%10)}, b...)
	}
	return string(b)
}

// A message that breaks off is not stored, and its rest is not taken for commands.
func TestBrokenOff(t *testing.T) {
	b := newBench(t, func(s *Settings) { s.IdleTimeout = 200 * time.Millisecond })
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("a@b.test", "alice@example.org")
	c.send("DATA", "354")
	c.raw("From: a@b.test\r\n\r\nhalf")
	if r := c.reply(); !strings.HasPrefix(r, "451 4.4.2") {
		t.Errorf("after the time-out: %q", r)
	}
	_, _ = c.c.Write([]byte("\r\nRSET\r\nNOOP\r\n"))
	if r := c.reply(); !strings.HasPrefix(r, "421") && r != "EOF" && !strings.Contains(r, "reset") {
		t.Errorf("the connection goes on: %q", r)
	}
	if n := len(b.list("alice", "")); n != 0 {
		t.Errorf("%d messages, want none", n)
	}
}

func TestShutdownLetsMessagesFinish(t *testing.T) {
	b := newBench(t, nil)
	idle, busy := b.dial(), b.dial()
	idle.send("LHLO x", "250")
	busy.send("LHLO x", "250")
	busy.begin("a@b.test", "alice@example.org")
	busy.send("DATA", "354")
	busy.raw("From: a@b.test\r\n\r\nfirst half\r\n")
	done := make(chan error, 1)
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		done <- b.srv.Shutdown(ctx)
	}()
	idle.expect("421")
	busy.raw("second half\r\n.\r\n")
	busy.expect("250")
	if err := <-done; err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if n := len(b.list("alice", "")); n != 1 {
		t.Errorf("%d messages, want 1", n)
	}
}

func TestNoStoreYet(t *testing.T) {
	b := newBench(t, nil)
	set := *b.set
	set.Store, set.Recipients = nil, nil
	b.srv.Apply(&set)
	c := b.dial()
	c.send("LHLO x", "451 4.3.0")
	b.srv.Apply(b.set)
	c = b.dial()
	c.send("LHLO x", "250")
}

// A second MAIL without RSET is refused: go-smtp would keep the recipients of
// the first, and answer for them what nobody has decided.
func TestNestedMail(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("a@b.test", "alice@example.org")
	c.send("MAIL FROM:<other@b.test>", "503 5.5.1")
	c.send("RCPT TO:<bob@example.org>", "250")
	for _, r := range c.message(sample(1), 2) {
		if !strings.HasPrefix(r, "250") {
			t.Errorf("reply %q", r)
		}
	}
	if a, o := len(b.list("alice", "")), len(b.list("bob", "")); a != 1 || o != 1 {
		t.Errorf("alice has %d, bob %d", a, o)
	}
}

// A connection that breaks inside a chunk has not sent a whole message.
func TestBrokenChunk(t *testing.T) {
	b := newBench(t, nil)
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("a@b.test", "alice@example.org")
	c.raw("BDAT 5000 LAST\r\nFrom: a@b.test\r\n\r\nonly the beginning\r\n")
	c.c.Close()
	c = b.dial()
	c.send("LHLO x", "250")
	c.begin("a@b.test", "alice@example.org")
	c.message(sample(1), 1)
	if mails := b.list("alice", ""); len(mails) != 1 || !strings.Contains(mails[0], "number 1") {
		t.Errorf("alice has %q", mails)
	}
}

// A refusal while content is still coming takes that content to its end.
func TestRefusalTakesTheRest(t *testing.T) {
	b := newBench(t, nil)
	rest := strings.Repeat("0123456789\n", 100<<10)
	c := b.dial()
	c.send("LHLO x", "250")
	c.begin("a@b.test", "alice@example.org")
	if r := c.message(sample(1)+"a\x00b\n"+rest, 1); !strings.HasPrefix(r[0], "550 5.6.0") {
		t.Errorf("reply %q", r)
	}
	c.begin("a@b.test", "alice@example.org", "bob@example.org")
	text := "From: a@b.test\r\n\r\na\x00b\r\n" + rest
	c.raw("BDAT " + itoa(len(text)) + " LAST\r\n" + text)
	c.expect("550 5.6.0 <alice@example.org>")
	c.expect("550 5.6.0 <bob@example.org>")
	c.send("NOOP", "250")
}
