package message

import "strings"

// unquote replaces the quoted strings in s by what they quote.
func unquote(s string) string {
	if strings.IndexByte(s, '"') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		if s[i] == '"' {
			if end := closingQuote(s, i); end > 0 {
				b.WriteString(unescape(s[i+1 : end-1]))
				i = end
				continue
			}
			b.WriteString(s[i:])
			break
		}
		b.WriteByte(s[i])
		i++
	}
	return b.String()
}

// dropComments removes comments outside of quoted strings. There may be some
// only if special is set.
func dropComments(s string, special bool) string {
	if !special || strings.IndexByte(s, '(') < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	depth := 0
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && depth == 0:
			end := closingQuote(s, i)
			if end == 0 {
				b.WriteString(s[i:])
				return b.String()
			}
			b.WriteString(s[i:end])
			i = end - 1
		case c == '\\' && depth > 0:
			i++
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// squeeze removes white space outside of quoted strings from an address.
func squeeze(s string) string {
	i := 0
	for i < len(s) && !isSpace(s[i]) {
		i++
	}
	if i == len(s) {
		return s
	}
	b := make([]byte, 0, len(s))
	quoted := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && quoted && i+1 < len(s):
			b = append(b, c, s[i+1])
			i++
			continue
		case c == '"':
			quoted = !quoted
		case isSpace(c) && !quoted:
			continue
		}
		b = append(b, s[i])
	}
	return string(b)
}

// collapse makes each run of white space, folds included, one blank.
func collapse(s string) string {
	if strings.IndexByte(s, '\n') < 0 && strings.IndexByte(s, '\t') < 0 &&
		strings.IndexByte(s, '\r') < 0 && !strings.Contains(s, "  ") {
		return s
	}
	return strings.Join(strings.Fields(s), " ")
}
