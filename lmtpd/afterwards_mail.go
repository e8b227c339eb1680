package lmtpd

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"mime/quotedprintable"
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is sent.
const (
	maxSubject    = 200      // characters
	maxReferences = 20       // message ids
	maxReplyText  = 32 << 10 // octets
)

// autoReply is the answer to a letter, from one of the user's addresses, with
// LF line ends. Its Message-ID is the same whenever the same letter is
// answered.
func autoReply(l *letter, from, text, host string, digest [sha256.Size]byte, now time.Time) []byte {
	subject := l.subject
	if !strings.HasPrefix(strings.ToLower(subject), "re:") {
		subject = strings.TrimSpace("Re: " + subject)
	}
	id := sha256.Sum256(append(digest[:], "auto-reply\x00"+from+"\x00"+l.sender...))
	fields := []string{
		"From: <" + from + ">",
		"To: <" + l.sender + ">",
		"Subject: " + encodeWords(subject),
		"Date: " + now.Format(time.RFC1123Z),
		"Message-ID: <" + hex.EncodeToString(id[:16]) + "@" + clean(host) + ">",
	}
	if l.messageID != "" {
		fields = append(fields, "In-Reply-To: "+l.messageID,
			"References: "+strings.Join(append(l.references[:len(l.references):len(l.references)], l.messageID), "\n "))
	}
	fields = append(fields, "Auto-Submitted: auto-replied", "Precedence: bulk", "X-DBMail-Reply: "+from)
	return compose(fields, text)
}

// notification tells an address that there is mail, and nothing of it, as
// DBMail does.
func notification(from, to, subject, host, mark string, now time.Time) []byte {
	return compose([]string{
		"From: <" + from + ">",
		"To: <" + to + ">",
		"Subject: " + encodeWords(cutText(strings.Join(strings.Fields(clean(subject)), " "), maxSubject)),
		"Date: " + now.Format(time.RFC1123Z),
		"Message-ID: <" + mark[:min(32, len(mark))] + "@" + clean(host) + ">",
		"Auto-Submitted: auto-generated",
		"Precedence: bulk",
	}, "")
}

// compose joins header fields and a text. The text is sent such that every
// server takes it: as it is if it is ASCII in short lines, else as
// quoted-printable.
func compose(fields []string, text string) []byte {
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	text = strings.Map(func(r rune) rune {
		if r < ' ' && r != '\n' && r != '\t' || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if len(text) > maxReplyText {
		n := maxReplyText
		for !utf8.RuneStart(text[n]) {
			n--
		}
		text = text[:n]
	}
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	var b bytes.Buffer
	for _, f := range fields {
		b.WriteString(f)
		b.WriteByte('\n')
	}
	b.WriteString("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: ")
	if shortLines(text) && ascii(text) {
		b.WriteString("7bit\n\n")
		b.WriteString(text)
		return b.Bytes()
	}
	b.WriteString("quoted-printable\n\n")
	var body bytes.Buffer
	w := quotedprintable.NewWriter(&body)
	_, _ = w.Write([]byte(text)) // to memory
	_ = w.Close()
	b.Write(bytes.ReplaceAll(body.Bytes(), []byte("\r\n"), []byte("\n")))
	return b.Bytes()
}

// shortLines says that no line is longer than RFC 5322 2.1.1 allows.
func shortLines(text string) bool {
	const longest = 998
	for line := range strings.SplitSeq(text, "\n") {
		if len(line) > longest {
			return false
		}
	}
	return true
}

// encodeWords writes a text, without control characters, as the value of a
// Subject field: as it is, or as encoded words (RFC 2047) in folded lines.
func encodeWords(text string) string {
	if ascii(text) && !strings.Contains(text, "=?") {
		return text
	}
	const octets = 42 // of text in a word: 56 encoded, and 75 is the limit
	text = strings.ToValidUTF8(text, "\uFFFD")
	var words []string
	for text != "" {
		n := min(octets, len(text))
		for n < len(text) && !utf8.RuneStart(text[n]) {
			n--
		}
		words = append(words, fmt.Sprintf("=?utf-8?B?%s?=", base64.StdEncoding.EncodeToString([]byte(text[:n]))))
		text = text[n:]
	}
	return strings.Join(words, "\n ")
}

// cutText gives at most n characters.
func cutText(text string, n int) string {
	for i := range text {
		if n == 0 {
			return strings.Clone(text[:i])
		}
		n--
	}
	return strings.Clone(text)
}
