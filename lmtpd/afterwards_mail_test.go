package lmtpd

import (
	"bytes"
	"crypto/sha256"
	"io"
	"mime"
	"mime/quotedprintable"
	"net/mail"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"gatepost/internal/message"
)

// Fields that our mails may have.
var automaticFields = []string{"From", "To", "Subject", "Date", "Message-Id", "In-Reply-To", "References", "Auto-Submitted",
	"Precedence", "X-Dbmail-Reply", "Mime-Version", "Content-Type", "Content-Transfer-Encoding"}

// readAutomatic reads a mail of ours and checks that it is one that every
// server takes, with our fields and no others.
func readAutomatic(t *testing.T, raw []byte) (h mail.Header, text string) {
	t.Helper()
	for line := range bytes.SplitSeq(raw, []byte("\n")) {
		if len(line) > 998 {
			t.Errorf("line of %d octets", len(line))
		}
	}
	if i := bytes.IndexFunc(raw, func(r rune) bool { return r < ' ' && r != '\n' && r != '\t' || r == 0x7f || r == utf8.RuneError }); i >= 0 {
		t.Errorf("octet %#x in %q", raw[i], raw)
	}
	m, err := mail.ReadMessage(bytes.NewReader(raw))
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	for name, v := range m.Header {
		if len(v) != 1 || !slices.Contains(automaticFields, name) {
			t.Errorf("field %s: %q", name, v)
		}
	}
	if n := m.Header.Get("Content-Transfer-Encoding"); n == "quoted-printable" {
		m.Body = quotedprintable.NewReader(m.Body)
	}
	body, err := io.ReadAll(m.Body)
	if err != nil {
		t.Fatalf("%v in %q", err, raw)
	}
	return m.Header, strings.ReplaceAll(string(body), "\r\n", "\n")
}

func letterOf(t testing.TB, header, sender string) *letter {
	t.Helper()
	raw, err := message.ReadRaw(strings.NewReader(strings.ReplaceAll(header+"\nbody\n", "\n", "\r\n")), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	l, why := answerable(message.Split(raw, message.Options{Sender: sender, Received: time.Now()}), sender)
	if l == nil {
		t.Fatalf("not answerable: %s", why)
	}
	return l
}

func TestAutoReplyText(t *testing.T) {
	now := time.Date(2026, 11, 23, 13, 4, 57, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		name, header, text      string
		subject, references, to string
		body, encoding          string
	}{
		{"plain", "Subject: lunch\nMessage-ID: <1@x>\n", "away\r\nuntil Monday", "Re: lunch", "<1@x>", "", "away\nuntil Monday\n", "7bit"},
		{"answered already", "Subject: RE: lunch\n", "away", "RE: lunch", "", "", "away\n", "7bit"},
		{"no subject", "From: a@b.c\n", "away", "Re:", "", "", "away\n", "7bit"},
		{"other letters", "Subject: =?iso-8859-1?Q?gr=FC=DFe?=\n", "bin weg, Grüße", "Re: grüße", "", "", "bin weg, Grüße\n", "quoted-printable"},
		{"folded", "Subject: one\n\ttwo\n", "away", "Re: one two", "", "", "away\n", "7bit"},
		{"a line end in an encoded word", "Subject: =?utf-8?Q?x=0D=0ABcc:_victim@y.test?=\n", "away", "Re: x Bcc: victim@y.test", "", "", "away\n", "7bit"},
		{"looks encoded", "Subject: =?utf-8?Q?=3D=3Futf-8=3FQ=3Fx=3F=3D?=\n", "away", "Re: =?utf-8?Q?x?=", "", "", "away\n", "7bit"},
		{"long subject", "Subject: " + strings.Repeat("ä", 500) + "\n", "away", "Re: " + strings.Repeat("ä", maxSubject), "", "", "away\n", "7bit"},
		{"thread", "References: <1@x> <2@x>\nIn-Reply-To: <2@x>\nMessage-ID: <3@x>\n", "away", "Re:", "<1@x> <2@x> <3@x>", "", "away\n", "7bit"},
		{"ids that are none", "References: <1@x> <a b@x> <\xff@x>\nMessage-ID: <3@x> (comment)\n", "away", "Re:", "", "", "away\n", "7bit"},
		{"controls in the text", "Subject: s\n", "a\x00b\x1b[31mc\rd\xff", "Re: s", "", "", "ab[31mc\nd\uFFFD\n", "quoted-printable"},
		{"header in the text", "Subject: s\n", "Bcc: victim@y.test\n\n.\nFrom me", "Re: s", "", "", "Bcc: victim@y.test\n\n.\nFrom me\n", "7bit"},
		{"long line", "Subject: s\n", strings.Repeat("x", 1200), "Re: s", "", "", strings.Repeat("x", 1200) + "\n", "quoted-printable"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := letterOf(t, c.header, "sender@remote.test")
			raw := autoReply(l, "alice@example.org", c.text, "mx.example.org", sha256.Sum256([]byte(c.header)), now)
			h, text := readAutomatic(t, raw)
			subject, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject"))
			if err != nil || subject != c.subject {
				t.Errorf("subject %q, %v; want %q", subject, err, c.subject)
			}
			if got := strings.Join(strings.Fields(h.Get("References")), " "); got != c.references {
				t.Errorf("references %q", got)
			}
			if text != c.body || h.Get("Content-Transfer-Encoding") != c.encoding {
				t.Errorf("%s: %q, want %s: %q", h.Get("Content-Transfer-Encoding"), text, c.encoding, c.body)
			}
			if h.Get("Date") != "Mon, 23 Nov 2026 13:04:57 +0100" || h.Get("Auto-Submitted") != "auto-replied" || h.Get("X-Dbmail-Reply") != "alice@example.org" {
				t.Errorf("header %q", h)
			}
			if again := autoReply(l, "alice@example.org", c.text, "mx.example.org", sha256.Sum256([]byte(c.header)), now); !bytes.Equal(raw, again) {
				t.Error("another Message-ID for the same letter")
			}
		})
	}
	var many strings.Builder
	for range 100 {
		many.WriteString(" <" + strings.Repeat("i", 30) + ">")
	}
	l := letterOf(t, "References:"+many.String()+" <first@x>\nMessage-ID: <m@x>\n", "a@b.c")
	if n := len(l.references); n > maxReferences {
		t.Errorf("%d references", n)
	}
	if _, text := readAutomatic(t, autoReply(l, "a@b.c", strings.Repeat("é", maxReplyText), "x", [32]byte{}, now)); len(text) > maxReplyText+1 {
		t.Errorf("text of %d octets", len(text))
	}
}

func TestPlainAddress(t *testing.T) {
	for a, want := range map[string]bool{
		"a@b.c": true, "a+b=c@d.test": true, "üser@exämple.test": true, "a@[192.0.2.1]": true, "a@[IPv6:2001:db8::1]": true,
		"": false, "a": false, "@b.c": false, "a@": false, "a b@c.d": false, "a@b c": false, "a>@b.c": false, "<a@b.c": false,
		"a@b.c>": false, "a,b@c.d": false, "a@b@c.d": false, "\"a\"@b.c": false, "a\n@b.c": false, "a@b.c\r\nBcc: x@y.z": false, "a\x00@b.c": false,
		".a@b.c": false, "a.@b.c": false, "a..b@c.d": false, "a@b.\u0085c": false, "\xff@b.c": false,
		strings.Repeat("a", 250) + "@b.cd": false,
	} {
		if got := plainAddress(a); got != want {
			t.Errorf("%q: %v", a, got)
		}
	}
}

// Whatever the message, the table and the configuration hold, a mail of ours
// has our fields and goes to whom we say.
func FuzzAutoReply(f *testing.F) {
	f.Add("Subject: x\r\n y\nMessage-ID: <a@b>\n", "a@b.c", "alice@example.org", "gone", "NEW")
	f.Add("Subject: =?utf-8?B?DQpCY2M6IHhAeS56?=\nReferences: <\x00> <a\rb>\n", "a@b.c>\nBcc: x@y.z", "b\n@c.d", "\r\n.\r\nMAIL", "a\r\nBcc: x@y.z")
	f.Add("To: \xff\nSubject: \xe4\xf6\n", "ü@b.c", "a@[::1]", "\xff\x00", "=?utf-8?Q?=0A?=")
	f.Fuzz(func(t *testing.T, header, sender, from, text, subject string) {
		raw, err := message.ReadRaw(strings.NewReader(strings.ReplaceAll(header+"\n\nbody\n", "\n", "\r\n")), 0, 0)
		if err != nil {
			return
		}
		if plainAddress(from) {
			h, _ := readAutomatic(t, notification(from, from, subject, "mx.example.org", strings.Repeat("a", 64), time.Unix(0, 0)))
			if h.Get("To") != "<"+from+">" || h.Get("From") != "<"+from+">" {
				t.Errorf("notification %q", h)
			}
		}
		l, _ := answerable(message.Split(raw, message.Options{Sender: sender, Received: time.Unix(0, 0)}), sender)
		if l == nil {
			return
		}
		from, _ = l.writtenTo([]string{from}, from)
		if from == "" {
			from = "alice@example.org"
		}
		h, got := readAutomatic(t, autoReply(l, from, text, "mx.example.org", [32]byte{}, time.Unix(0, 0)))
		if h.Get("To") != "<"+sender+">" || h.Get("From") != "<"+from+">" {
			t.Errorf("from %q to %q", h.Get("From"), h.Get("To"))
		}
		if utf8.RuneCountInString(got) > len(text)+1 {
			t.Errorf("text %q of %q", got, text)
		}
		if _, err := new(mime.WordDecoder).DecodeHeader(h.Get("Subject")); err != nil {
			t.Errorf("subject %q: %v", h.Get("Subject"), err)
		}
	})
}
