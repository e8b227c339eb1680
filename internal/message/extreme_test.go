package message

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// nested is a multipart of the given depth; gap is what stands between the
// closing delimiters.
func nested(depth int, gap string) string {
	var b strings.Builder
	for i := range depth {
		fmt.Fprintf(&b, "Content-Type: multipart/mixed; boundary=b%dx\n\n--b%dx\n", i, i)
	}
	b.WriteString("Content-Type: text/plain\n\ntext\n")
	for i := depth - 1; i >= 0; i-- {
		fmt.Fprintf(&b, "--b%dx--\n", i)
		if i > 0 {
			b.WriteString(gap)
		}
	}
	return b.String()
}

func manyParts(n int) string {
	var b strings.Builder
	b.WriteString("From: a@b\nContent-Type: multipart/mixed; boundary=x\n\n")
	for i := range n {
		fmt.Fprintf(&b, "--x\nContent-Type: text/plain\n\npart %d\n", i)
	}
	b.WriteString("--x--\n")
	return b.String()
}

func messages(n int) string {
	return strings.Repeat("Content-Type: message/rfc822\n\n", n) + "A: b\n\nx\n"
}

// TestExtremes: what is absurdly large or deep is stored, whole. With a time
// that grew faster than the size, this would not end.
func TestExtremes(t *testing.T) {
	for _, c := range []struct {
		name    string
		message string
		unsplit bool
	}{
		{"10,000 parts", manyParts(10000), false},
		{"parts beyond smallint", manyParts(33000), true},
		{"depth 64", nested(64, "\n"), false},
		{"depth 65", nested(65, "\n"), true},
		{"depth 12 without empty lines", nested(12, ""), true},
		{"depth 12 with empty lines", nested(12, "\n"), false},
		{"depth 1,000", nested(1000, "\n"), true},
		{"depth 100,000", nested(100000, ""), true},
		{"message in message, 100 deep", messages(100), false},
		{"message in message, 100,000 deep", messages(100000), true},
		{"a megabyte of one line in the header", "Subject: " + strings.Repeat("x", 1<<20) + "\n\nb\n", false},
		{"a megabyte of folds", "Subject: x" + strings.Repeat("\n y", 1<<18) + "\n\nb\n", false},
		{"100,000 fields", strings.Repeat("X-A: b\n", 100000) + "\nb\n", false},
		{"100,000 different recipients fields", distinct("To: a%d@b\n", 100000) + "\nb\n", false},
		{"100,000 addresses", "To: " + distinct("a%d@b, ", 100000) + "\n\nb\n", false},
		{"100,000 groups", "To: " + strings.Repeat("g:a@b;", 100000) + "\n\nb\n", false},
		{"100,000 open groups", "To: " + strings.Repeat("g:a@b,", 100000) + "\n\nb\n", false},
		{"open comments", "To: " + strings.Repeat("(", 1<<20) + "\n\nb\n", false},
		{"open quotes", "To: " + strings.Repeat(`"\`, 1<<19) + "\n\nb\n", false},
		{"open brackets", "To: " + strings.Repeat("<", 1<<20) + "\n\nb\n", false},
		{"open routes", "To: " + strings.Repeat("<@,", 1<<18) + "\n\nb\n", false},
		{"open literals", "To: " + strings.Repeat("@[,", 1<<18) + "\n\nb\n", false},
		{"open words", "Subject: " + strings.Repeat("=?a?q?", 1<<18) + "\n\nb\n", false},
		{"many words", "Subject: " + strings.Repeat("=?utf-8?q?a?= ", 1<<17) + "\n\nb\n", false},
		{"words of many charsets", "Subject: " + strings.Repeat("=?a?q?\xff?= =?b?b?/w==?= ", 1<<15) + "\n\nb\n", false},
		{"100,000 references", "References: " + distinct("<a%d@b> ", 100000) + "\n\nb\n", false},
		{"open references", "References: " + strings.Repeat("<", 1<<20) + "\n\nb\n", false},
		{"brackets in a subject", "Subject: " + strings.Repeat("[a] re: [", 1<<17) + "\n\nb\n", false},
		{"forwards of forwards", "Subject: " + strings.Repeat("[fwd:", 1<<17) + strings.Repeat("]", 1<<17) + "\n\nb\n", false},
		{"parameters", "Content-Type: multipart/mixed" + strings.Repeat("; a*0*=b", 1<<17) + "\n\nb\n", false},
		{"comments in a type", "Content-Type: " + strings.Repeat("(", 1<<20) + "\n\nb\n", false},
		{"dashes", "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("--\n", 1<<19) + "\n\n", false},
		{"a megabyte of dash", "Content-Type: multipart/mixed; boundary=x\n\n" + strings.Repeat("-", 1<<20) + "\n\n", false},
		{"no line end at all", strings.Repeat("x", 1<<20), false},
		{"only line ends", strings.Repeat("\n", 1<<20), false},
		{"only CR", strings.Repeat("\r", 1<<20), false},
		{"a megabyte of 8 bits", "Subject: " + strings.Repeat("\xe4", 1<<20) + "\n\nb\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := checkIdentity(t, []byte(c.message), Options{Sender: "a@b", Received: time.Now()})
			if m.Unsplit != c.unsplit {
				t.Errorf("unsplit is %v", m.Unsplit)
			}
			checkText(t, m)
			if n := len(m.Envelope); n > 8<<20 {
				t.Errorf("envelope of %d octets", n)
			}
		})
	}
}

func distinct(format string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}
