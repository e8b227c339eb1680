package dbmail

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// like is SQL's LIKE as MySQL has it: % stands for any characters, line ends
// too, _ for one, \ takes the meaning from the character behind it. Both sides
// are folded by foldText. It looks at each character of the text at most once
// for each of the pattern's.
func like(text, pattern []rune) bool {
	t, p := 0, 0
	star, resume := -1, 0 // behind the last %, and where its text ends at least
	for t < len(text) {
		if p < len(pattern) {
			c, n, literal := pattern[p], 1, false
			if c == '\\' && p+1 < len(pattern) {
				c, n, literal = pattern[p+1], 2, true
			}
			switch {
			case c == '%' && !literal:
				p++
				star, resume = p, t
				continue
			case c == '_' && !literal, c == text[t]:
				p += n
				t++
				continue
			}
		}
		if star < 0 {
			return false
		}
		resume++
		p, t = star, resume
	}
	for p < len(pattern) && pattern[p] == '%' {
		p++
	}
	return p == len(pattern)
}

// foldText makes two texts equal that utf8mb4_general_ci, the collation of
// DBMail's tables, takes for equal: without case, and Latin, Greek and Cyrillic
// letters without accents. For rarer letters it may differ; characters beyond
// the BMP, all of which that collation takes for the same, stay themselves.
// The number of characters stays.
func foldText(s string) string {
	ascii := true
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			ascii = false
			break
		}
	}
	if ascii {
		return strings.ToUpper(s)
	}
	return strings.Map(foldRune, s)
}

func foldRune(r rune) rune {
	switch {
	case r < utf8.RuneSelf:
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	case r > 0xFFFF, r == 'Й':
		return r
	case r == 'й':
		return 'Й' // a letter of its own
	case r == 'ß':
		return 'S'
	case !unicode.In(r, unicode.Latin, unicode.Greek, unicode.Cyrillic):
		return unicode.ToUpper(r)
	}
	var buf [utf8.UTFMax]byte
	if d := norm.NFD.Properties(buf[:utf8.EncodeRune(buf[:], r)]).Decomposition(); len(d) > 0 {
		base, n := utf8.DecodeRune(d)
		if onlyMarks(d[n:]) {
			r = base
		}
	}
	return unicode.ToUpper(r)
}

func onlyMarks(b []byte) bool {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if !unicode.Is(unicode.Mn, r) {
			return false
		}
		b = b[n:]
	}
	return true
}
