package ldapmap

import "strings"

// quoteAddress gives an address as RFC 5322 writes it: the local part, which
// ends at the last @, in quotes where it is no dot-atom. Without @, and for a
// bare local part, the whole is one. Bytes beyond ASCII need no quotes, as in
// Postfix.
func quoteAddress(address string, bareLocal bool) string {
	end := len(address)
	if !bareLocal {
		if at := strings.LastIndexByte(address, '@'); at >= 0 {
			end = at
		}
	}
	local := address[:end]
	if isDotAtom(local) {
		return address
	}
	var b strings.Builder
	b.Grow(len(address) + 8)
	b.WriteByte('"')
	for i := range len(local) {
		if c := local[i]; c == '"' || c == '\\' || c == '\r' {
			b.WriteByte('\\')
		}
		b.WriteByte(local[i])
	}
	b.WriteByte('"')
	b.WriteString(address[end:])
	return b.String()
}

// isDotAtom says whether a local part needs no quotes.
func isDotAtom(s string) bool {
	if s == "" || s[0] == '.' || s[len(s)-1] == '.' {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case c <= ' ' || c == 0x7f:
			return false
		case c == '.' && s[i-1] == '.':
			return false
		case strings.IndexByte(`()<>@,;:\"[]`, c) >= 0:
			return false
		}
	}
	return true
}

// unquoteAddress takes quotes and backslashes out of the local part.
func unquoteAddress(address string) string {
	if strings.IndexByte(address, '"') < 0 && strings.IndexByte(address, '\\') < 0 {
		return address
	}
	b := make([]byte, 0, len(address))
	quoted := false
	for i := 0; i < len(address); i++ {
		switch c := address[i]; {
		case c == '@' && !quoted:
			return string(append(b, address[i:]...))
		case c == '"':
			quoted = !quoted
		case c == '\\' && i+1 < len(address):
			i++
			b = append(b, address[i])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// parseAddress gives the unquoted form of a key. Postfix sends the quoted form
// first and, when nothing is found, the unquoted one, in which quotes and
// backslashes are themselves.
func parseAddress(key string) string {
	if strings.IndexByte(key, '"') < 0 && strings.IndexByte(key, '\\') < 0 {
		return key
	}
	if plain := unquoteAddress(key); quoteAddress(plain, false) == key {
		return plain
	}
	return key
}
