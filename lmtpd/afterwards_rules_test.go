package lmtpd

import (
	"fmt"
	"strings"
	"testing"
)

// Who is answered, condition by condition.
func TestAutoReplyConditions(t *testing.T) {
	b := newAutoBench(t, nil)
	b.addReply(101, "gone fishing")
	b.sql("INSERT INTO dbmail_aliases (alias, deliver_to) VALUES ('a.liddell@example.org', '101'), ('alice@xn--mller-kva.test', '101')")
	for i, c := range []struct {
		name, sender, header, rcpt string
		from                       string // "": no answer
	}{
		{name: "plain", from: "alice@example.org"},
		{name: "in Cc", header: "To: x@y.test\nCC: b@c.test, \"A\" <Alice@Example.ORG>\n", from: "alice@example.org"},
		{name: "in Resent-To", header: "To: x@y.test\nResent-To: alice@example.org\n", from: "alice@example.org"},
		{name: "in a group", header: "To: friends: x@y.test, alice@example.org;\n", from: "alice@example.org"},
		{name: "another address", header: "To: a.liddell@example.org\n", from: "a.liddell@example.org"},
		{name: "both addresses, by the second", header: "To: alice@example.org, a.liddell@example.org\n", rcpt: "a.liddell@example.org", from: "a.liddell@example.org"},
		{name: "with detail", header: "To: alice+notes@example.org\n", rcpt: "alice+notes@example.org", from: "alice@example.org"},
		{name: "U-label", header: "To: alice@müller.test\n", rcpt: "alice@xn--mller-kva.test", from: "alice@xn--mller-kva.test"},
		{name: "not written to", header: "To: undisclosed-recipients:;\n"},
		{name: "no To", header: "X-Nothing: here\n"},
		{name: "written to a catch-all", header: "To: x@catch.example.org\n", rcpt: "x@catch.example.org"},
		{name: "name is no address", header: "To: \"alice@example.org\" <x@y.test>\n"},

		{name: "null sender", sender: "-"},
		{name: "mailer-daemon", sender: "MAILER-DAEMON@remote.test"},
		{name: "daemon", sender: "lpdaemon@remote.test"},
		{name: "postmaster", sender: "Postmaster@remote.test"},
		{name: "owner-", sender: "owner-list@remote.test"},
		{name: "-owner", sender: "list-owner@remote.test"},
		{name: "-request", sender: "list-request@remote.test"},
		{name: "-bounces", sender: "list-bounces@remote.test"},
		{name: "VERP", sender: "list-bounces+alice=example.org@remote.test"},
		{name: "VERP of ezmlm", sender: "list-bounces-17-alice=example.org@remote.test"},
		{name: "listserv", sender: "LISTSERV@remote.test"},
		{name: "majordomo", sender: "majordomo@remote.test"},
		{name: "no-reply", sender: "No-Reply@remote.test"},
		{name: "the user", sender: "alice@example.org"},
		{name: "the user's other address, with detail", sender: "a.liddell+x@example.org"},
		{name: "a person with an odd name", sender: "bouncer.ownerson@remote.test", from: "alice@example.org"},
		{name: "a sender who needs quotes", sender: `"odd name"@remote.test`},

		{name: "Auto-Submitted", header: "Auto-Submitted: auto-generated\n"},
		{name: "Auto-Submitted, with comment", header: "auto-submitted: Auto-Replied (vacation); owner=x\n"},
		{name: "Auto-Submitted: no", header: "Auto-Submitted: NO (by hand); x=y\n", from: "alice@example.org"},
		{name: "List-Id", header: "List-Id: <l.remote.test>\n"},
		{name: "List-Unsubscribe", header: "LIST-unsubscribe: <mailto:x@y.test>\n"},
		{name: "Mailing-List", header: "Mailing-List: contact x@y.test\n"},
		{name: "Precedence: bulk", header: "Precedence: Bulk\n"},
		{name: "Precedence: list", header: "Precedence: list\n"},
		{name: "Precedence: junk", header: "Precedence: junk\n"},
		{name: "Precedence: first-class", header: "Precedence: first-class\n", from: "alice@example.org"},
		{name: "reply of DBMail", header: "X-DBMail-Reply: bob@example.org\n"},
		{name: "vacation of DBMail", header: "X-DBMail-Vacation: x\n"},
		{name: "Exchange: all", header: "X-Auto-Response-Suppress: All\n"},
		{name: "Exchange: out of office", header: "X-Auto-Response-Suppress: DR, OOF, NRN\n"},
		{name: "Exchange: others", header: "X-Auto-Response-Suppress: DR, RN\n", from: "alice@example.org"},
		{name: "spam", header: "X-Spam-Flag: YES\n"},
		{name: "spam status", header: "X-Spam-Status: Yes, score=17\n"},
		{name: "no spam", header: "X-Spam-Flag: NO\nX-Spam-Status: No, score=1\n", from: "alice@example.org"},
		{name: "report", header: "Content-Type: multipart/report; boundary=x\n"},
		{name: "null return path", header: "Return-Path: <>\n"},
		{name: "folded", header: "Auto-Submitted:\n auto-replied\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sender, rcpt, header := c.sender, c.rcpt, c.header
			switch sender {
			case "":
				sender = fmt.Sprintf("person%d@remote.test", i)
			case "-":
				sender = ""
			}
			if rcpt == "" {
				rcpt = "alice@example.org"
			}
			// What says nothing of its addressees is written to alice.
			if !strings.Contains(strings.ToLower(header), "to: ") && !strings.HasPrefix(header, "X-Nothing") {
				header += "To: alice@example.org\n"
			}
			b.t = t
			if r := b.deliver(fmt.Sprintf("From: n@s.test\nSubject: s%d\n%s\nb\n", i, header), sender, rcpt); !strings.HasPrefix(r[0], "250") {
				t.Fatalf("reply %q", r)
			}
			if c.from == "" {
				if s := b.sent(); len(s) != 0 {
					t.Errorf("answered: %+v", s)
				}
				return
			}
			got, m, _ := b.one()
			if m.Header.Get("From") != "<"+c.from+">" || got.to[0] != sender || m.Header.Get("To") != "<"+sender+">" {
				t.Errorf("from %q to %q, envelope %q; want from %s", m.Header.Get("From"), m.Header.Get("To"), got.to, c.from)
			}
		})
	}
}
