package main

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"strings"
)

// Markers that each copy of a template replaces in place.
const (
	serialMark = "@@SERIAL@@@@" // twelve hexadecimal digits, different in every copy
	clockMark  = "@@CLOCK@"     // HH:MM:SS
)

// attachmentFrom is the size in octets from which a message has an attachment.
const attachmentFrom = 32 << 10

// template is a message that is made once, before the clock starts, and sent
// many times. Each copy differs from all others in its Message-ID, subject,
// boundaries and in every body part, so that no part of it but the small
// headers of parts is the same as one that is stored already.
//
// It is in wire form: CRLF line ends, dots stuffed, without the final dot.
type template struct {
	sender string
	// What differs from copy to copy is in head and foot; body, the most of
	// a large message, is shared by all copies.
	head, body, foot []byte
	serials, clocks  [][]byte // the places in them
}

// stamp turns the template into copy number n.
func (t *template) stamp(n uint64) {
	const digits = "0123456789abcdef"
	var serial [len(serialMark)]byte
	for i, v := len(serial)-1, n; i >= 0; i, v = i-1, v>>4 {
		serial[i] = digits[v&15]
	}
	for _, place := range t.serials {
		copy(place, serial[:])
	}
	clock := [len(clockMark)]byte{2: ':', 5: ':'}
	for i, v := range [3]uint64{n / 3600 % 24, n / 60 % 60, n % 60} {
		clock[3*i], clock[3*i+1] = '0'+byte(v/10), '0'+byte(v%10)
	}
	for _, place := range t.clocks {
		copy(place, clock[:])
	}
}

// size is the number of octets of the message, as in MAIL's SIZE (RFC 1870).
func (t *template) size() int { return len(t.head) + len(t.body) + len(t.foot) }

// attachment is the size in octets of the attachment's base64 text as it is
// stored, with LF line ends.
func (t *template) attachment() int {
	const wire, stored = base64Line + 2, base64Line + 1
	lines := 1 + len(t.body)/wire // the first one is in the head
	return lines * stored
}

// newTemplate makes a message of about size octets: multipart/alternative with
// plain text and HTML, and from attachmentFrom on a base64 attachment that
// fills the rest.
func newTemplate(r *rand.Rand, size int) *template {
	t := &template{sender: fmt.Sprintf("%s.%s@%s", pick(r, names), pick(r, names), pick(r, domains))}
	header := t.header(r)
	if size >= attachmentFrom {
		t.head = []byte(header + attachmentHead(r))
		t.foot = []byte(attachmentFoot)
		t.body = attachmentBody(r, size-len(t.head)-len(t.foot))
	} else {
		room := max(0, size-len(header)-len(alternative(r, 0, 0)))
		t.head = []byte(header + alternative(r, room*2/5, room-room*2/5))
	}
	for _, piece := range [][]byte{t.head, t.foot} {
		t.serials = append(t.serials, places(piece, serialMark)...)
		t.clocks = append(t.clocks, places(piece, clockMark)...)
	}
	return t
}

// places finds all marks in b.
func places(b []byte, mark string) [][]byte {
	var out [][]byte
	for {
		i := bytes.Index(b, []byte(mark))
		if i < 0 {
			return out
		}
		out = append(out, b[i:i+len(mark)])
		b = b[i+len(mark):]
	}
}

func pick(r *rand.Rand, from []string) string { return from[r.IntN(len(from))] }

var (
	names   = strings.Fields("ada alan barbara claude dennis donald edsger frances grace hedy ivan joan john ken leslie linus margaret niklaus peter radia rob shafi tim tony vint whitfield")
	domains = strings.Fields("sender.test mail.sender.test lists.example.net shop.example.com example.edu")
	words   = strings.Fields("the of and to in for we that this with our your from will please have been order meeting report attached week Monday Thursday invoice number account question answer as by on is are not before after between schedule project budget draft review comments regards thanks")
	days    = strings.Fields("Mon Tue Wed Thu Fri Sat Sun")
)

// header is the message's own, as a gateway's Postfix hands it on, up to and
// with the empty line.
func (t *template) header(r *rand.Rand) string {
	var b strings.Builder
	host := pick(r, domains)
	date := fmt.Sprintf("%s, %d Nov 2025 "+clockMark+" +0100", pick(r, days), 1+r.IntN(28))
	name, _, _ := strings.Cut(t.sender, "@")
	fmt.Fprintf(&b, "Received: from mx.%s (mx.%s [192.0.2.%d])\r\n\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"+
		"\tby gateway.example.org (Postfix) with ESMTPS id "+serialMark+"\r\n\tfor <users@example.org>; %s (CET)\r\n", host, host, r.IntN(255), date)
	fmt.Fprintf(&b, "Received: from [198.51.100.%d] (dsl-%d.example.net [198.51.100.%d])\r\n"+
		"\tby mx.%s (Postfix) with ESMTPSA id 4f%sQ\r\n\tfor <users@example.org>; %s (CET)\r\n", r.IntN(255), r.IntN(9999), r.IntN(255), host, serialMark, date)
	fmt.Fprintf(&b, "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=%s; s=2025;\r\n\tbh=%s=;\r\n\th=From:To:Subject:Date:Message-ID;\r\n\tb=%s\r\n\t %s\r\n\t %s==\r\n",
		host, random64(r, 43), random64(r, 64), random64(r, 64), random64(r, 42))
	fmt.Fprintf(&b, "Date: %s\r\nFrom: %q <%s>\r\nTo: %s <users@example.org>\r\n", date, title(name), t.sender, pick(r, []string{"Everybody", "Team", "All users", "Friends"}))
	fmt.Fprintf(&b, "Message-ID: <%s.%s@%s>\r\n", serialMark, random64(r, 8), host)
	subject := title(pick(r, words) + " " + pick(r, words) + " " + pick(r, words))
	if r.IntN(2) == 0 {
		parent := fmt.Sprintf("<%08x.%s@%s>", r.Uint32(), serialMark, host)
		fmt.Fprintf(&b, "In-Reply-To: %s\r\nReferences: %s\r\n", parent, parent)
		subject = "Re: " + subject
	}
	fmt.Fprintf(&b, "Subject: %s %s\r\nMIME-Version: 1.0\r\nUser-Agent: Mozilla Thunderbird\r\n", subject, serialMark)
	return b.String()
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// alternative is a Content-Type field and a body with text and HTML parts of
// these sizes.
func alternative(r *rand.Rand, text, html int) string {
	const boundary = "=_alt_" + serialMark
	var b strings.Builder
	b.WriteString("Content-Type: multipart/alternative;\r\n boundary=\"" + boundary + "\"\r\n\r\n" +
		"--" + boundary + "\r\nContent-Type: text/plain; charset=UTF-8; format=flowed\r\n" +
		"Content-Transfer-Encoding: 7bit\r\n\r\nReference: " + serialMark + "\r\n")
	prose(&b, r, text, "")
	b.WriteString("\r\n--" + boundary + "\r\nContent-Type: text/html; charset=UTF-8\r\n" +
		"Content-Transfer-Encoding: 7bit\r\n\r\n<html><body><p>Reference: " + serialMark + "</p>\r\n")
	prose(&b, r, html, "<br>")
	b.WriteString("</body></html>\r\n\r\n--" + boundary + "--\r\n")
	return b.String()
}

// prose writes lines of words, n octets in all.
func prose(b *strings.Builder, r *rand.Rand, n int, end string) {
	for n > 0 {
		line := pick(r, words)
		for len(line) < 60 {
			line += " " + pick(r, words)
		}
		line += end + "\r\n"
		if len(line) > n { // an x is no dot and no blank: it survives all
			line = strings.Repeat("x", max(n-2, 0)) + "\r\n"
		}
		b.WriteString(line)
		n -= len(line)
	}
}

const (
	mixed          = "=_mix_" + serialMark
	attachmentFoot = "\r\n--" + mixed + "--\r\n"
)

// attachmentHead is everything up to and with the attachment's first line.
func attachmentHead(r *rand.Rand) string {
	text := 800 + r.IntN(400)
	return "Content-Type: multipart/mixed;\r\n boundary=\"" + mixed + "\"\r\n\r\n" +
		"This is a multi-part message in MIME format.\r\n--" + mixed + "\r\n" + alternative(r, text, 2*text) +
		"\r\n--" + mixed + "\r\nContent-Type: application/pdf; name=\"report.pdf\"\r\n" +
		"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"report.pdf\"\r\n\r\n" +
		serialMark + random64(r, base64Line-len(serialMark)) + "\r\n"
}

const base64Line = 76 // RFC 2045 section 6.8

// attachmentBody is the rest of the attachment: n octets, less a line at most.
func attachmentBody(r *rand.Rand, n int) []byte {
	raw := make([]byte, base64Line/4*3)
	b := make([]byte, 0, max(n, 0))
	for len(b)+base64Line+2 <= n {
		for i := 0; i < len(raw); i += 3 { // three octets of a random number
			v := r.Uint32()
			raw[i], raw[i+1], raw[i+2] = byte(v), byte(v>>8), byte(v>>16)
		}
		b = append(base64.StdEncoding.AppendEncode(b, raw), '\r', '\n')
	}
	return b
}

// random64 gives n characters of the base64 alphabet.
func random64(r *rand.Rand, n int) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	b := make([]byte, n)
	for i := range b {
		b[i] = alphabet[r.IntN(64)]
	}
	return string(b)
}
