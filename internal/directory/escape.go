package directory

import (
	"strings"
	"unicode/utf8"
)

const upperHex = "0123456789ABCDEF"

// EscapeFilter makes a value fit to stand in a search filter (RFC 4515
// section 3): whatever it holds, it stays one value and the filter keeps its
// shape. Bytes that are not UTF-8 are escaped too, so that the filter is text.
func EscapeFilter(value string) string { return escape(value, filterSpecial) }

// EscapeDN makes a value fit to stand in a distinguished name as ldap_table(5)
// does (RFC 2253 section 2.4, every special character as hex). It does not
// escape "=", which needs none inside a value.
func EscapeDN(value string) string { return escape(value, dnSpecial) }

func filterSpecial(b byte) bool {
	return b == '*' || b == '(' || b == ')' || b == '\\' || b == 0
}

func dnSpecial(b byte) bool {
	return b == 0 || strings.IndexByte(" \t\"#+,;<>\\", b) >= 0
}

// escape writes the bytes that special names, and those that are not UTF-8,
// as a backslash and two hex digits.
func escape(value string, special func(byte) bool) string {
	first := 0
	for first < len(value) && value[first] < utf8.RuneSelf && !special(value[first]) {
		first++
	}
	if first == len(value) {
		return value
	}
	out := make([]byte, first, len(value)+16)
	copy(out, value)
	for i := first; i < len(value); {
		b := value[i]
		if b < utf8.RuneSelf && !special(b) {
			out = append(out, b)
			i++
			continue
		}
		r, size := utf8.DecodeRuneInString(value[i:])
		// go-ldap takes U+FFFD in a filter for broken UTF-8.
		if r != utf8.RuneError && size > 1 {
			out = append(out, value[i:i+size]...)
		} else {
			out = appendHex(out, value[i:i+size])
		}
		i += size
	}
	return string(out)
}

func appendHex(out []byte, text string) []byte {
	for i := range len(text) {
		out = append(out, '\\', upperHex[text[i]>>4], upperHex[text[i]&15])
	}
	return out
}
