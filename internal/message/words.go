package message

import (
	"strings"
)

// words decodes the encoded words (RFC 2047) in s. It takes them wherever they
// stand, also inside quoted strings and next to other text, and longer than
// they may be, since people's programs write them so. Space between two of them
// goes; octets of neighbours in the same charset are joined before they are
// decoded, since characters are split between words too.
func (d *decoder) words(s string) string {
	var out strings.Builder
	out.Grow(len(s))
	var bytes []byte // decoded octets of the words so far
	charset := ""
	flush := func() {
		if len(bytes) > 0 {
			out.WriteString(d.charset(charset, string(bytes)))
			bytes = bytes[:0]
		}
	}
	scan := wordScanner{s: s}
	for done := 0; ; {
		w, ok := scan.next()
		if !ok {
			flush()
			out.WriteString(s[done:])
			return out.String()
		}
		if gap := s[done:w.start]; done == 0 || !allSpace(gap) {
			flush()
			out.WriteString(gap)
		} else if !strings.EqualFold(charset, w.charset) {
			flush()
		}
		charset = w.charset
		bytes = append(bytes, w.decode()...)
		done = w.end
	}
}

// word is one encoded word, s[start:end].
type word struct {
	start, end    int
	charset, text string
	base64        bool
}

// wordScanner finds encoded words one after the other. It never looks at an
// octet more than a few times.
type wordScanner struct {
	s    string
	i    int
	stop int // the next "?=" at or after some place behind i, len(s) for none
}

func (w *wordScanner) next() (word, bool) {
	for w.i < len(w.s) {
		n := strings.Index(w.s[w.i:], "=?")
		if n < 0 {
			break
		}
		start := w.i + n
		w.i = start + 2
		if found, ok := w.at(start); ok {
			w.i = found.end
			return found, true
		}
	}
	w.i = len(w.s)
	return word{}, false
}

// at reads the encoded word at start.
func (w *wordScanner) at(start int) (word, bool) {
	const maxCharset = 64
	rest := w.s[start+2:]
	q := strings.IndexByte(rest[:min(len(rest), maxCharset)], '?')
	if q < 1 || q+2 >= len(rest) || rest[q+2] != '?' || strings.ContainsAny(rest[:q], " \t\n\r\"<>=") {
		return word{}, false
	}
	found := word{start: start, charset: rest[:q]}
	switch rest[q+1] {
	case 'B', 'b':
		found.base64 = true
	case 'Q', 'q':
	default:
		return word{}, false
	}
	text := start + 2 + q + 3
	if w.stop < text {
		w.stop = len(w.s)
		if n := strings.Index(w.s[text:], "?="); n >= 0 {
			w.stop = text + n
		}
	}
	if w.stop == len(w.s) {
		return word{}, false
	}
	found.text, found.end = w.s[text:w.stop], w.stop+2
	return found, true
}

func (w word) decode() []byte {
	if w.base64 {
		return decodeBase64(w.text)
	}
	return decodeQ(w.text)
}

// decodeQ is the Q encoding; what is no valid escape stays.
func decodeQ(s string) []byte {
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '_':
			out = append(out, ' ')
		case '=':
			if i+2 < len(s) {
				hi, lo := unhex(s[i+1]), unhex(s[i+2])
				if hi >= 0 && lo >= 0 {
					out = append(out, byte(hi<<4|lo))
					i += 2
					continue
				}
			}
			out = append(out, c)
		default:
			out = append(out, c)
		}
	}
	return out
}

func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// decodeBase64 takes what can be taken: it skips other characters and needs no
// padding.
func decodeBase64(s string) []byte {
	out := make([]byte, 0, len(s)*3/4+3)
	var acc uint32
	bits := 0
	for i := 0; i < len(s); i++ {
		v := unbase64(s[i])
		if v < 0 {
			if s[i] == '=' { // padding: the next group starts afresh
				acc, bits = 0, 0
			}
			continue
		}
		acc = acc<<6 | uint32(v)
		if bits += 6; bits >= 8 {
			bits -= 8
			out = append(out, byte(acc>>bits))
		}
	}
	return out
}

func unbase64(c byte) int {
	switch {
	case 'A' <= c && c <= 'Z':
		return int(c - 'A')
	case 'a' <= c && c <= 'z':
		return int(c-'a') + 26
	case '0' <= c && c <= '9':
		return int(c-'0') + 52
	case c == '+' || c == '-':
		return 62
	case c == '/' || c == '_':
		return 63
	}
	return -1
}

func allSpace(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isSpace(s[i]) {
			return false
		}
	}
	return true
}
