package lmtpd

import (
	"slices"
	"strings"
	"unicode/utf8"

	"gatepost/internal/address"
	"gatepost/internal/directory"
	"gatepost/internal/message"
)

// letter is what an auto-reply needs to know of the message that it answers.
type letter struct {
	sender     string // envelope sender
	subject    string // decoded
	messageID  string // with its angle brackets; "" if it has none that can be cited
	references []string
	addressed  map[string]bool // keys of the addresses that it is written to
}

// maxAddressed bounds the addresses of a letter, in octets: who is written to
// among very many gets no answer to the point.
const maxAddressed = 16 << 10

// answerable reads a message as a letter, or says why nobody's auto-reply
// answers it (RFC 3834 2, RFC 5230 4.6).
func answerable(m *message.Message, sender string) (l *letter, why string) {
	local, _, _ := address.Split(sender)
	switch {
	case sender == "":
		return nil, "null sender"
	case !plainAddress(sender):
		return nil, "sender's address cannot be written to"
	case robot(local):
		return nil, "sender is no person"
	}
	for name, value := range m.Fields() {
		if why := automatic(strings.ToLower(strings.TrimSpace(name)), value); why != "" {
			return nil, why
		}
	}
	l = &letter{sender: sender, addressed: map[string]bool{}}
	left := maxAddressed
	for _, name := range []string{"To", "Cc", "Bcc", "Resent-To", "Resent-Cc", "Resent-Bcc"} {
		for _, a := range m.Addresses(name, left) {
			left -= len(a)
			l.addressed[directory.AddressKey(a)] = true
			if base, _, ok := address.CutDetail(a); ok {
				l.addressed[directory.AddressKey(base)] = true
			}
		}
	}
	for _, h := range m.Headers {
		if h.Name == "subject" {
			l.subject = cutText(strings.Join(strings.Fields(clean(h.Value)), " "), maxSubject)
			break
		}
	}
	if id := first(m.HeaderValues("Message-ID")); citable(id) {
		l.messageID = strings.Clone(id)
	}
	for _, r := range m.References {
		if id := "<" + r + ">"; citable(id) && id != l.messageID {
			l.references = append(l.references, id)
		}
	}
	// The first, where the thread begins, and the last ones (RFC 5322 3.6.4).
	if n := len(l.references); n > maxReferences {
		l.references = slices.Concat(l.references[:1], l.references[n-maxReferences+1:])
	}
	return l, ""
}

// automatic says why a message with this header field is not answered; "" if
// it may be. The name is in lower case.
func automatic(name, value string) string {
	word := func(sep string) string {
		w, _, _ := strings.Cut(value, sep)
		return strings.ToLower(strings.TrimSpace(w))
	}
	switch name {
	case "auto-submitted": // RFC 3834 5: a keyword, perhaps with parameters or a comment
		w, _, _ := strings.Cut(word(";"), "(")
		if strings.TrimSpace(w) == "no" {
			return ""
		}
		return "Auto-Submitted"
	case "precedence":
		if w := word(" "); w != "bulk" && w != "list" && w != "junk" {
			return ""
		}
		return "Precedence"
	case "x-auto-response-suppress": // [MS-OXCMAIL] 2.1.3.2.21
		for w := range strings.FieldsFuncSeq(strings.ToLower(value), func(r rune) bool { return r == ',' || r == ';' || r == ' ' }) {
			if w == "all" || w == "oof" || w == "autoreply" {
				return "X-Auto-Response-Suppress"
			}
		}
		return ""
	case "x-dbmail-reply", "x-dbmail-vacation", "x-autoreply", "x-autorespond", "mailing-list", "x-mailing-list", "x-beenthere":
		return name
	case "x-spam-flag", "x-spam-status", "x-spam":
		if !strings.HasPrefix(word(","), "yes") {
			return ""
		}
		return name
	case "return-path":
		if strings.Join(strings.Fields(value), "") != "<>" {
			return ""
		}
		return "null sender in Return-Path"
	case "content-type":
		if w := word(";"); w != "multipart/report" {
			return ""
		}
		return "report"
	}
	if strings.HasPrefix(name, "list-") {
		return "mailing list"
	}
	return ""
}

// robot says that behind a sender's local part there is a program (RFC 3834 2,
// RFC 5230 4.6) that reads no answers, or bounces them to somebody else.
func robot(local string) bool {
	local = strings.ToLower(strings.Trim(local, `"`))
	local, _, _ = strings.Cut(local, "+") // VERP: news-bounces+user=example.org
	switch strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '.' {
			return -1
		}
		return r
	}, local) {
	case "postmaster", "listserv", "majordomo", "noreply", "donotreply", "bounce", "bounces", "owner", "request":
		return true
	}
	for _, p := range []string{"owner-", "bounce-", "bounces-"} {
		if strings.HasPrefix(local, p) {
			return true
		}
	}
	for _, s := range []string{"daemon", "-owner", "-request", "-bounce", "-bounces", "-errors"} {
		if strings.HasSuffix(local, s) {
			return true
		}
	}
	return strings.Contains(local, "-bounces-") || strings.Contains(local, "-bounce-")
}

// writtenTo gives that of a user's own addresses which the letter is written
// to: the one that it came by, or else the first; or says why there is none.
func (l *letter) writtenTo(own []string, by string) (from, why string) {
	sender := directory.AddressKey(l.sender)
	base, _, _ := address.CutDetail(l.sender)
	baseKey := directory.AddressKey(base)
	by, _, _ = address.CutDetail(by)
	for _, a := range own {
		key := directory.AddressKey(a)
		switch {
		case key == sender || key == baseKey:
			return "", "sender is the user"
		case !l.addressed[key] || !plainAddress(a):
		case from == "" || key == directory.AddressKey(by):
			from = a
		}
	}
	if from == "" {
		return "", "not written to the user"
	}
	return from, ""
}

// isNotification says that a message is a notification such as ours, which is
// not to bring about another one.
func isNotification(m *message.Message, sender string) bool {
	return sender == "" && strings.HasPrefix(strings.ToLower(first(m.HeaderValues("Auto-Submitted"))), "auto-generated")
}

// plainAddress says that an address can stand in an envelope and between the
// angle brackets of a header field as it is: local part and domain, neither
// with anything that needs quotes (RFC 5322 3.4.1, RFC 6532).
func plainAddress(a string) bool {
	const longest = 254 // RFC 5321 4.5.3.1.3, without the angle brackets
	local, domain, ok := address.Split(a)
	if !ok || local == "" || domain == "" || len(a) > longest || !utf8.ValidString(a) {
		return false
	}
	for _, r := range domain {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>,;\"@`, r) || r >= 0x80 && r < 0xA0 {
			return false
		}
	}
	for _, r := range local {
		if r <= ' ' || r == 0x7f || strings.ContainsRune(`()<>[]:;@,\"`, r) || r >= 0x80 && r < 0xA0 {
			return false
		}
	}
	return local[0] != '.' && local[len(local)-1] != '.' && !strings.Contains(local, "..")
}

// citable says that a message id can stand in In-Reply-To as it is.
func citable(id string) bool {
	const longest = 500
	if len(id) < 3 || len(id) > longest || id[0] != '<' || id[len(id)-1] != '>' {
		return false
	}
	for _, c := range []byte(id[1 : len(id)-1]) {
		if c <= ' ' || c >= 0x7f || c == '<' || c == '>' {
			return false
		}
	}
	return true
}
