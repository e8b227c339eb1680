package message

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// layout writes rows as "key.depth.order text", headers in brackets.
func layout(m *Message) []string {
	var out []string
	for _, p := range m.Parts[1:] {
		text := strings.ReplaceAll(string(p.Data), "\n", "~")
		if p.Header {
			text = "[" + text + "]"
		}
		out = append(out, fmt.Sprintf("%d.%d.%d %s", p.Key, p.Depth, p.Order, text))
	}
	return out
}

func TestSplit(t *testing.T) {
	const mixed = "Content-Type: multipart/mixed; boundary=b\n\n"
	for _, c := range []struct {
		name, message string
		rows          string // without the first one, joined by " | "; "" for unsplit
	}{
		{"two parts", mixed + "--b\nA: 1\n\nx\n--b\n\ny\n--b--\n", "2.1.0 [A: 1~] | 2.1.1 x | 3.1.0 [] | 3.1.1 y"},
		{"preamble and epilogue", mixed + "p\n--b\n\nx\n--b--\ne\n", "1.0.1 p | 2.1.0 [] | 2.1.1 x | 2.0.3 e~"},
		{"empty preamble", mixed + "\n--b\n\nx\n--b--\n", "1.0.1  | 2.1.0 [] | 2.1.1 x"},
		{"empty line as epilogue", mixed + "--b\n\nx\n--b--\n\n", "2.1.0 [] | 2.1.1 x | 2.0.3 ~"},
		{"no content", mixed + "--b\nA: 1\n\n--b\nA: 2\n\ny\n--b--\n", "2.1.0 [A: 1~] | 3.1.0 [A: 2~] | 3.1.1 y"},
		{"an empty line as content", mixed + "--b\nA: 1\n\n\n--b--\n", "2.1.0 [A: 1~] | 2.1.1 "},
		{"an empty last part", mixed + "--b\nA: 1\n\nx\n--b\nA: 2\n\n--b--\n", ""},
		{"message", mixed + "--b\nContent-Type: message/rfc822\n\nA: 1\n\nx\n--b\n\ny\n--b--\n",
			"2.1.0 [Content-Type: message/rfc822~] | 3.1.0 [A: 1~] | 3.1.1 x | 4.1.0 [] | 4.1.1 y"},
		{"encoded message", mixed + "--b\nContent-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nQTogMQo=\n--b--\n",
			"2.1.0 [Content-Type: message/rfc822~Content-Transfer-Encoding: base64~] | 2.1.1 QTogMQo="},
		{"message without a body", mixed + "--b\nContent-Type: message/rfc822\n\nA: 1\n\n--b\n\ny\n--b--\n", ""},
		{"delivery status", mixed + "--b\nContent-Type: message/delivery-status\n\nA: 1\n\nB: 2\n\n--b--\n",
			"2.1.0 [Content-Type: message/delivery-status~] | 2.1.1 A: 1~~B: 2~"},
		{"message/global", mixed + "--b\nContent-Type: message/global\n\nA: 1\n\nx\n--b--\n",
			"2.1.0 [Content-Type: message/global~] | 2.1.1 A: 1~~x"},
		{"message/global at the top", "Content-Type: message/global\n\nA: 1\n\nx\n", "2.0.0 [A: 1~] | 2.0.1 x~"},
		{"multipart message", mixed + "--b\nContent-Type: message/rfc822\n\nContent-Type: multipart/x; boundary=c\n\n--c\n\nx\n--c--\n\n--b--\n",
			"2.1.0 [Content-Type: message/rfc822~] | 3.1.0 [Content-Type: multipart/x; boundary=c~] | 4.2.0 [] | 4.2.1 x | 4.1.3 "},
		{"no empty line between closing delimiters", nested(2, ""), ""},
		{"a second multipart behind the first", mixed + "--b\nContent-Type: multipart/x; boundary=c\n\n--c\n\nx\n--c--\n\n--b\nContent-Type: multipart/x; boundary=d\n\n--d\n\ny\n--d--\n\n--b--\n",
			"2.1.0 [Content-Type: multipart/x; boundary=c~] | 3.2.0 [] | 3.2.1 x | 3.1.3  | 4.1.0 [Content-Type: multipart/x; boundary=d~] | 5.2.0 [] | 5.2.1 y | 5.1.3 "},
		{"the outer boundary ends an open inner one", mixed + "--b\nContent-Type: multipart/x; boundary=c\n\n--c\n\nx\n--b--\n",
			"2.1.0 [Content-Type: multipart/x; boundary=c~] | 3.2.0 [] | 3.2.1 x"},
		{"boundary is the prefix of another", mixed + "--b\nContent-Type: multipart/x; boundary=bb\n\n--bb\n\nx\n--bb--\n\n--b--\n",
			"2.1.0 [Content-Type: multipart/x; boundary=bb~] | 3.2.0 [] | 3.2.1 x | 3.1.3 "},
		{"digest", "Content-Type: multipart/digest; boundary=b\n\n--b\n\nA: 1\n\nx\n--b--\n", ""},
		{"digest with declared messages", "Content-Type: multipart/digest; boundary=b\n\n--b\nContent-Type: message/rfc822\n\nA: 1\n\nx\n--b--\n",
			"2.1.0 [Content-Type: message/rfc822~] | 3.1.0 [A: 1~] | 3.1.1 x"},
		{"white space behind a delimiter", mixed + "--b \n\nx\n--b--\n", ""},
		{"no closing delimiter", mixed + "--b\n\nx\n", ""},
		{"no line end at the end", mixed + "--b\n\nx\n--b--", ""},
		{"no part", mixed + "--b--\n", ""},
		{"no boundary in the body", mixed + "x\n", "1.0.1 x~"},
		{"no boundary parameter", "Content-Type: multipart/mixed\n\n--b\n\nx\n--b--\n", "1.0.1 --b~~x~--b--~"},
		{"no blank behind the colon", "Content-Type:multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n", ""},
		{"two types", "Content-Type: multipart/mixed; boundary=b\nContent-Type: multipart/mixed; boundary=c\n\n--b\n\nx\n--b--\n", "2.1.0 [] | 2.1.1 x"},
		{"part without an empty line", mixed + "--b\nA: 1\n--b--\n", ""},
		{"folded type", "Content-Type: multipart/mixed;\n\tboundary=\"b\"\n\n--b\n\nx\n--b--\n", "2.1.0 [] | 2.1.1 x"},
		{"boundary in the form of RFC 2231", "Content-Type: multipart/mixed; boundary*=utf-8''b\n\n--b\n\nx\n--b--\n", ""},
		{"long boundary", "Content-Type: multipart/mixed; boundary=" + strings.Repeat("b", 128) + "\n\n--" + strings.Repeat("b", 128) + "\n\nx\n--" + strings.Repeat("b", 128) + "--\n", ""},
		{"a boundary on a text", "Content-Type: text/plain; boundary=b\n\n--b\n\nx\n--b--\n", "1.0.1 --b~~x~--b--~"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkIdentity(t, []byte(c.message), Options{Sender: "s@x"})
			want := c.rows
			if want == "" {
				_, body, _ := strings.Cut(c.message, "\n\n")
				want = "1.0.1 " + strings.ReplaceAll(body, "\n", "~")
			}
			if got := strings.Join(layout(m), " | "); got != want || m.Unsplit != (c.rows == "") {
				t.Errorf("unsplit %v, rows\n%s, want\n%s", m.Unsplit, got, want)
			}
		})
	}
}

// TestHeaders: what is a header, when a message hardly has one.
func TestHeaders(t *testing.T) {
	const path = "Return-Path: <s@x>\n"
	for _, c := range []struct{ message, header, body string }{
		{"", path, ""},
		{"\n", path, ""},
		{"\nx", path, "x"},
		{"x", path, "x"},
		{"just text,\nno header\n", path, "just text,\nno header\n"},
		{"just text,\n\nno header: here\n", path, "just text,\n\nno header: here\n"},
		{"junk\nSubject: x\n\ny\n", path + "junk\nSubject: x\n", "y\n"},
		{" junk\nSubject: x\n\ny\n", path + " junk\nSubject: x\n", "y\n"},
		{"From a b\nSubject: x\n\ny\n", path + "From a b\nSubject: x\n", "y\n"},
		{"X-Any: thing", path + "X-Any: thing", ""},
		{"X-Any: thing\n", path + "X-Any: thing\n", ""},
		{"X-Any: thing\n\n\n", path + "X-Any: thing\n", "\n"},
	} {
		m := checkIdentity(t, []byte(c.message), Options{Sender: "s@x"})
		body := ""
		if len(m.Parts) == 2 {
			body = string(m.Parts[1].Data)
		}
		if got := string(m.Parts[0].Data); got != c.header || body != c.body || m.Unsplit {
			t.Errorf("%q has header %q and body %q", c.message, got, body)
		}
	}
}

// TestSender: nothing in a sender ends its header line.
func TestSender(t *testing.T) {
	m := Split(&Raw{Data: []byte("a: b\n\n"), WireSize: 6}, Options{Sender: "s\r\nSubject: x\x00@x"})
	if got := string(m.Parts[0].Data); got != "Return-Path: <sSubject: x@x>\na: b\n" {
		t.Errorf("header %q", got)
	}
}

func TestHeaderValues(t *testing.T) {
	m := checkIdentity(t, []byte("Received: a\r\n\tb\r\nDelivered-To:  x@y \r\nreceived : c\r\nnothing\r\n\r\n"), Options{})
	if got := m.HeaderValues("RECEIVED"); !slices.Equal(got, []string{"a\tb", "c"}) {
		t.Errorf("Received: %q", got)
	}
	if got := m.HeaderValues("delivered-to"); !slices.Equal(got, []string{"x@y"}) {
		t.Errorf("Delivered-To: %q", got)
	}
	if got := m.HeaderValues("nothing"); got != nil {
		t.Errorf("nothing: %q", got)
	}
}

// TestCache: rows that no vector shows.
func TestCache(t *testing.T) {
	at := time.Date(2026, 11, 3, 1, 2, 3, 0, time.FixedZone("", 3600))
	for _, c := range []struct{ header, name, want string }{
		{"Subject: \n", "subject", ""},
		{"Subject: x\nSubject: x\nSubject: y\n", "subject", `{"subject" "x" "x" ""} {"subject" "y" "y" ""}`},
		{"To: no address here\n", "to", `{"to" "" "" ""}`},
		{"Date:\n", "date", `{"date" "Tue, 03 Nov 2026 00:02:03 +0000" "2026-11-03 00:02:03" "2026-11-03 00:00:00"}`},
		{"Content-Type: TEXT/HTML; charset=x\n", "content-type", `{"content-type" "TEXT/HTML" "TEXT/HTML" ""}`},
		{"Content-Type: text\n", "content-type", `{"content-type" "application/octet-stream" "application/octet-stream" ""}`},
		{"Content-Disposition: attachment; filename=\"a b.png\"; size=3\n", "content-disposition",
			`{"content-disposition" "attachment; filename=\"a b.png\"; size=3" "attachment; filename=\"a b.png\"; size=3" ""}`},
		{"Content-Disposition: attachment; filename*0*=utf-8''%C3%BC; filename*1=b.png\n", "content-disposition",
			`{"content-disposition" "attachment; filename*=UTF-8''%C3%BCb.png" "attachment; filename*=UTF-8''%C3%BCb.png" ""}`},
		{"Content-Type: text/plain; charset=koi8-r\nSubject: \xf0\xd2\n", "subject", `{"subject" "Пр" "пр" ""}`},
		{"Subject: \xe4\n", "subject", `{"subject" "δ" "δ" ""}`}, // the charset of Options
		{"Message-ID: <a@b>\n", "message-id", ""},
	} {
		m := checkIdentity(t, []byte(c.header+"\nbody\n"), Options{Received: at, DefaultCharset: "iso-8859-7"})
		checkText(t, m)
		var got []string
		for _, h := range m.Headers {
			if h.Name == c.name {
				got = append(got, fmt.Sprintf("%q", h))
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%q is cached as %s, want %s", c.header, got, c.want)
		}
	}
	m := checkIdentity(t, []byte("X-Any: x\nX-Any Thing: x\nContent-ID: <x>\n\n"), Options{Cached: func(string) bool { return true }})
	var names []string
	for _, h := range m.Headers {
		names = append(names, h.Name)
	}
	if !slices.Equal(names, []string{"x-any", "content-type", "date"}) {
		t.Errorf("cached: %q", names)
	}
}

func TestEnvelope(t *testing.T) {
	for header, want := range map[string]string{
		"Message-ID: <a=b@c>\n":                  `(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)`,
		"Message-ID: a@b\n":                      `(NIL NIL NIL NIL NIL NIL NIL NIL NIL "<a@b>")`,
		"Message-ID:\n <a@b> (x)\n":              `(NIL NIL NIL NIL NIL NIL NIL NIL NIL "<a@b>")`,
		"From: a@b\nSender:\nReply-To: <>\n":     `(NIL NIL ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL NIL)`,
		"Subject: =?utf-8?q?a=0D=0Ab=22?=\n":     `(NIL "ab\"" NIL NIL NIL NIL NIL NIL NIL NIL)`,
		"In-Reply-To: <a@b>\n <c@d>\nDate: x \n": `("x" NIL NIL NIL NIL NIL NIL NIL "<a@b> <c@d>" NIL)`,
	} {
		if got := checkIdentity(t, []byte(header+"\n"), Options{}).Envelope; got != want {
			t.Errorf("%q\n got %s\nwant %s", header, got, want)
		}
	}
}
