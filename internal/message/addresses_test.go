package message

import (
	"testing"
)

// addressCases: a field's value, DBMail's cached form, the sortfield, and the
// list in the envelope.
var addressCases = []struct {
	in, cached, sort, envelope string
}{
	{"a@b", " <a@b>", "a", `((NIL NIL "a" "b"))`},
	{"<a@b>", " <a@b>", "a", `((NIL NIL "a" "b"))`},
	{"A B <a@b>", "A B <a@b>", "a", `(("A B" NIL "a" "b"))`},
	{`"A, B" <a@b>`, `"A, B" <a@b>`, "a", `(("A, B" NIL "a" "b"))`},
	{`"A \"x\" \\ B" <a@b>`, `A "x" \ B <a@b>`, "a", `(("A \"x\" \\ B" NIL "a" "b"))`},
	{"a@b (A B)", "A B <a@b>", "a", `(("A B" NIL "a" "b"))`},
	{"(x) a@b", "x <a@b>", "a", `(("x" NIL "a" "b"))`},
	{"<a@b> (A (nested) B)", "A (nested) B <a@b>", "a", `(("A (nested) B" NIL "a" "b"))`},
	{"A (c) B <a@b>", "A  B <a@b>", "a", `(("A B" NIL "a" "b"))`},
	{"a@b, c@d", " <a@b>,  <c@d>", "a", `((NIL NIL "a" "b")(NIL NIL "c" "d"))`},
	{"a@b; c@d", " <a@b>,  <c@d>", "a", `((NIL NIL "a" "b")(NIL NIL "c" "d"))`},
	{",, a@b,,", " <a@b>", "a", `((NIL NIL "a" "b"))`},
	{"g:;", "g:;", "g", `((NIL NIL "g" NIL)(NIL NIL NIL NIL))`},
	{"A G: a@b, C <c@d>;, e@f", "A G:  <a@b>, C <c@d>;,  <e@f>", "A G", `((NIL NIL "A G" NIL)(NIL NIL "a" "b")("C" NIL "c" "d")(NIL NIL NIL NIL)(NIL NIL "e" "f"))`},
	{"a@b, g: c@d;", " <a@b> g:  <c@d>;", "a", `((NIL NIL "a" "b")(NIL NIL "g" NIL)(NIL NIL "c" "d")(NIL NIL NIL NIL))`},
	{"g: a@b", "g:  <a@b>;", "g", `((NIL NIL "g" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))`},
	{`"a b"@c`, ` <"a b"@c>`, `"a b"`, `((NIL NIL "a b" "c"))`},
	{`"a@b"`, ` <"a@b">`, `"a`, `((NIL NIL "a" "b"))`},
	{"<@r,@s:a@b>", " <a@b>", "a", `((NIL NIL "a" "b"))`},
	{"a @ b . c", " <a@b.c>", "a", `((NIL NIL "a" "b.c"))`},
	{"N a@b", "N <a@b>", "a", `(("N" NIL "a" "b"))`},
	{"a@b N", " <a@b>", "a", `((NIL NIL "a" "b"))`}, // what comes after an address is dropped
	{"J. R. <a@b>", "J. R. <a@b>", "a", `(("J. R." NIL "a" "b"))`},
	{"a@[IPv6:2001:db8::1]", " <a@[IPv6:2001:db8::1]>", "a", `((NIL NIL "a" "[IPv6:2001:db8::1]"))`},
	{"root", " <root>", "root", `((NIL NIL "root" NIL))`},
	{"root (Cron Daemon)", "Cron Daemon <root>", "root", `(("Cron Daemon" NIL "root" NIL))`},
	{"no address here", "", "", "NIL"},
	{"", "", "", "NIL"},
	{"<>", "", "", "NIL"},
	{"MAILER-DAEMON <>", "MAILER-DAEMON <>", "MAILER-DAEMON <>", `(("MAILER-DAEMON" NIL "" ""))`},
	{"A <a@b", "A <a@b>", "a", `(("A" NIL "a" "b"))`},
	{"A <a@b, c@d", "A <a@b>,  <c@d>", "a", `(("A" NIL "a" "b")(NIL NIL "c" "d"))`},
	{`"A <a@b>`, `"A <a@b>`, "a", `(("\"A" NIL "a" "b"))`},
	{"A (B <a@b>", "A (B <a@b>", "a", `(("A (B" NIL "a" "b"))`},
	{"=?utf-8?Q?A=2C_B?= <a@b>", `"A, B" <a@b>`, "a", `(("A, B" NIL "a" "b"))`},
	{`"=?utf-8?Q?=C3=84?=" <a@b>`, "Ä <a@b>", "a", `(("Ä" NIL "a" "b"))`},
	{"=?utf-8?Q?=C3=84?=\n =?utf-8?Q?=C3=96?= <a@b>", "ÄÖ <a@b>", "a", `(("ÄÖ" NIL "a" "b"))`},
	{"=?utf-8?Q?A,_B:(c)@d?= <a@b>, c@d", `"A, B:(c)@d" <a@b>,  <c@d>`, "a", `(("A, B:(c)@d" NIL "a" "b")(NIL NIL "c" "d"))`},
	{"A\n B <a@b>", "A\n B <a@b>", "a", `(("A B" NIL "a" "b"))`},
	{"\xc4 <a@b>", "Ä <a@b>", "a", `(("Ä" NIL "a" "b"))`},
	{"mailto:a@b", "mailto:  <a@b>;", "mailto", `((NIL NIL "mailto" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))`},
}

func TestAddresses(t *testing.T) {
	for _, c := range addressCases {
		dec := decoder{}
		list := parseAddresses(c.in, &dec)
		if got := joinAddresses(list); got != c.cached {
			t.Errorf("%q is cached as %q, want %q", c.in, got, c.cached)
		}
		sort := sortAddress(list)
		if sort == "" {
			sort = joinAddresses(list)
		}
		if sort != c.sort {
			t.Errorf("%q is sorted by %q, want %q", c.in, sort, c.sort)
		}
		var b envelopeWriter
		b.addresses(list)
		if b.String() != c.envelope {
			t.Errorf("%q in the envelope is\n%s, want\n%s", c.in, b.String(), c.envelope)
		}
	}
}
