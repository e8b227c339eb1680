package dbmail

import (
	"encoding/base64"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var utf7 = base64.NewEncoding("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,").WithPadding(base64.NoPadding)

// encodeMailboxName gives the modified UTF-7 of RFC 3501 5.1.3, in which
// names stand in dbmail_mailboxes.
func encodeMailboxName(name string) string {
	var b strings.Builder
	for len(name) > 0 {
		if c := name[0]; c >= 0x20 && c < 0x7f {
			b.WriteByte(c)
			if c == '&' {
				b.WriteByte('-')
			}
			name = name[1:]
			continue
		}
		n := 0
		for n < len(name) && (name[n] < 0x20 || name[n] >= 0x7f) {
			_, size := utf8.DecodeRuneInString(name[n:])
			n += size
		}
		var raw []byte
		for _, u := range utf16.Encode([]rune(name[:n])) {
			raw = append(raw, byte(u>>8), byte(u))
		}
		b.WriteString("&" + utf7.EncodeToString(raw) + "-")
		name = name[n:]
	}
	return b.String()
}

// decodeMailboxName is the reverse; a name that is not modified UTF-7 is
// given back as it stands.
func decodeMailboxName(name string) string {
	var b strings.Builder
	for rest := name; rest != ""; {
		before, after, ok := strings.Cut(rest, "&")
		b.WriteString(before)
		if !ok {
			break
		}
		code, tail, ok := strings.Cut(after, "-")
		if !ok {
			return name
		}
		rest = tail
		if code == "" {
			b.WriteByte('&')
			continue
		}
		raw, err := utf7.DecodeString(code)
		if err != nil || len(raw)%2 != 0 {
			return name
		}
		units := make([]uint16, len(raw)/2)
		for i := range units {
			units[i] = uint16(raw[2*i])<<8 | uint16(raw[2*i+1])
		}
		b.WriteString(string(utf16.Decode(units)))
	}
	return b.String()
}

// sameMailboxName compares two stored names: letters without case, but runs
// of modified UTF-7 exactly, since case carries their content.
func sameMailboxName(a, b string) bool {
	for {
		a1, a2, aok := strings.Cut(a, "&")
		b1, b2, bok := strings.Cut(b, "&")
		if !strings.EqualFold(a1, b1) || aok != bok {
			return false
		}
		if !aok {
			return true
		}
		ac, at, aok := strings.Cut(a2, "-")
		bc, bt, bok := strings.Cut(b2, "-")
		if ac != bc || aok != bok {
			return false
		}
		if !aok {
			return true
		}
		a, b = at, bt
	}
}
