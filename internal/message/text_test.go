package message

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// checkText checks what holds for every cached row and every envelope.
func checkText(t *testing.T, m *Message) {
	t.Helper()
	seen := map[[2]string]bool{}
	for _, h := range m.Headers {
		for _, s := range []string{h.Name, h.Value, h.SortField, h.Date} {
			if !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0 {
				t.Fatalf("row %q is no text", h)
			}
		}
		if utf8.RuneCountInString(h.SortField) > sortChars {
			t.Errorf("sortfield of %d characters", utf8.RuneCountInString(h.SortField))
		}
		if h.Name != strings.ToLower(h.Name) || h.Date != "" && len(h.Date) != len(dateOnly) {
			t.Errorf("row %q", h)
		}
		key := [2]string{h.Name, h.Value}
		if seen[key] {
			t.Errorf("row %q twice", h)
		}
		seen[key] = true
	}
	for _, r := range m.References {
		if !utf8.ValidString(r) || r == "" || len(r) > maxReference {
			t.Errorf("reference %q", r)
		}
	}
	if err := checkEnvelope(m.Envelope); err != nil {
		t.Fatalf("%v in envelope %.2000q", err, m.Envelope)
	}
}

// checkEnvelope is the grammar of RFC 3501, without literals.
func checkEnvelope(s string) error {
	e := envelopeReader{s: s}
	if !utf8.ValidString(s) || strings.ContainsAny(s, "\x00\r\n") {
		return errors.New("no text")
	}
	e.want("(")
	for i := range 10 {
		if i > 0 {
			e.want(" ")
		}
		if i < 2 || i > 7 {
			e.nstring()
		} else if !e.have("NIL") {
			e.want("(")
			for n := 0; n == 0 || e.err == nil && strings.HasPrefix(e.s, "("); n++ {
				e.want("(")
				for j := range 4 {
					if j > 0 {
						e.want(" ")
					}
					e.nstring()
				}
				e.want(")")
			}
			e.want(")")
		}
	}
	e.want(")")
	if e.err == nil && e.s != "" {
		return errors.New("text behind the end")
	}
	return e.err
}

type envelopeReader struct {
	s   string
	err error
}

func (e *envelopeReader) have(s string) bool {
	rest, ok := strings.CutPrefix(e.s, s)
	e.s = rest
	return ok
}

func (e *envelopeReader) want(s string) {
	if e.err == nil && !e.have(s) {
		e.err = errors.New("no " + s + " before " + e.s[:min(len(e.s), 40)])
	}
}

func (e *envelopeReader) nstring() {
	if e.err != nil || e.have("NIL") {
		return
	}
	e.want(`"`)
	for e.err == nil && !e.have(`"`) {
		if e.have(`\`) && !strings.HasPrefix(e.s, `"`) && !strings.HasPrefix(e.s, `\`) {
			e.err = errors.New("bad escape")
		}
		if e.s == "" {
			e.err = errors.New("open string")
			return
		}
		e.s = e.s[1:]
	}
}

// FuzzText feeds whole headers: rows, references and envelope are always well
// formed, whatever stands in the header.
func FuzzText(f *testing.F) {
	for _, wire := range emls(f) {
		if head, _, ok := bytes.Cut(wire, []byte("\r\n\r\n")); ok && len(head) < 4000 {
			f.Add(head)
		}
	}
	f.Add([]byte("From: \"a\\\" <\\\"@b>\nTo: g:;,;<@a:b@c>(d)\nSubject: =?utf-8?b?AAAA?= =?iso-2022-jp?b?GyRC?=\nDate: 1-1-1 1:1\nMessage-ID: <a\"b\\c>"))
	f.Fuzz(func(t *testing.T, head []byte) {
		checkText(t, checkMessage(t, append(head, "\r\n\r\n"...), Options{Cached: func(string) bool { return true }}))
	})
}

// checkMessage is checkIdentity for what is stored; NUL is made something else.
func checkMessage(t *testing.T, wire []byte, opt Options) *Message {
	t.Helper()
	return checkIdentity(t, bytes.ReplaceAll(wire, []byte{0}, []byte{1}), opt)
}

// FuzzWords: decoded text is text, and decoding plain text changes nothing.
func FuzzWords(f *testing.F) {
	for _, c := range wordCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		dec := decoder{}
		out := dec.text(s)
		if !utf8.ValidString(out) || strings.IndexByte(out, 0) >= 0 {
			t.Errorf("%q became %q", s, out)
		}
		if !strings.Contains(s, "=?") && utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && out != s {
			t.Errorf("%q became %q", s, out)
		}
	})
}

// FuzzAddresses: a list is parsed to its end, and what DBMail's form of it says
// is well formed.
func FuzzAddresses(f *testing.F) {
	for _, c := range addressCases {
		f.Add(c.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		dec := decoder{}
		list := parseAddresses(s, &dec)
		if out := joinAddresses(list); !utf8.ValidString(out) || strings.IndexByte(out, 0) >= 0 {
			t.Errorf("%q became %q", s, out)
		}
		var b envelopeWriter
		b.addresses(list)
		e := "(NIL NIL " + b.String() + strings.Repeat(" NIL", 7) + ")"
		if err := checkEnvelope(e); err != nil {
			t.Errorf("%q: %v in %q", s, err, e)
		}
	})
}
