package lmtpd_test

import (
	"fmt"
	"strings"
)

// judge looks at the end: every letter is there, once for each recipient, to
// the byte; the store is sound; and nobody got a bounce.
func (b *battle) judge() {
	b.t.Helper()
	eventually(b.t, "each copy was answered", func() (bool, string) {
		n := b.ledger.open()
		return n == 0, fmt.Sprintf("Postfix's queue is empty, and %d copies were not", n)
	})
	found := map[copyOf]int{}
	for _, user := range b.load.users {
		for _, text := range b.stored(user, "") {
			id := letterID(text)
			x, ok := b.ledger.sent[id]
			if !ok {
				b.t.Errorf("%s has a letter %q that nobody sent: %.300q", user, id, text)
				continue
			}
			found[copyOf{id, user}]++
			// Postfix puts its Received field on top, and lmtpd Return-Path.
			top, ok := strings.CutSuffix(text, x.text)
			if !ok || !strings.HasPrefix(top, "Return-Path: <nora@sender.test>\r\nReceived: from ") || strings.Count(top, "\r\n") > 6 {
				b.t.Errorf("%s has another text of letter %s: %q", user, id, text)
			}
		}
	}
	for id, x := range b.ledger.sent {
		for _, r := range x.rcpts {
			c := copyOf{id, r}
			if n := found[c]; n != 1 {
				b.t.Errorf("letter %s: %s has %d copies", id, r, n)
			}
			delete(found, c)
		}
	}
	for c, n := range found {
		b.t.Errorf("letter %s: %d copies for %s, to whom it was not sent", c.letter, n, c.rcpt)
	}
	b.verify()
	log := b.postfix.Log()
	for rcpt, all := range fates(log) {
		for _, f := range all {
			if f.status == "bounced" {
				b.t.Errorf("bounced to %s: %v", rcpt, f)
			}
			noInside(b.t, "Postfix's log", f.said())
		}
	}
	if strings.Contains(log, "status=bounced") || strings.Contains(log, "sender non-delivery notification") {
		b.t.Error("Postfix has bounced something")
	}
}

// letterID finds the number of a letter in its text.
func letterID(text string) string {
	_, rest, ok := strings.Cut(text, "\r\n"+letterField)
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, "\r\n")
	return id
}
