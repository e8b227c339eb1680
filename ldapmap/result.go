package ldapmap

import "strings"

// addExtension puts an extension, delimiter included, into every address of a
// result, which is a list as in a header (RFC 5322 3.4): alice@example.org
// becomes alice+lists@example.org, "a b"@example.org "a b+lists"@example.org,
// and bob, which Postfix completes later, bob+lists.
func addExtension(data, extension string) string {
	var b strings.Builder
	b.Grow(len(data) + 2*len(extension))
	for rest := data; rest != ""; {
		n := addressEnd(rest)
		if n == 0 { // what stands between addresses
			n = 1
			if rest[0] == '(' {
				n = commentEnd(rest)
			}
			b.WriteString(rest[:n])
		} else {
			b.WriteString(extend(rest[:n], extension))
		}
		rest = rest[n:]
	}
	return b.String()
}

// addressEnd gives the length of the address at the beginning of s; 0 when
// there is none.
func addressEnd(s string) int {
	quoted, literal := false, false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\' && i+1 < len(s):
			i++
		case c == '"' && !literal:
			quoted = !quoted
		case quoted:
		case c == '[':
			literal = true
		case c == ']':
			literal = false
		case literal:
		case strings.IndexByte(" \t\r\n,;:<>(", c) >= 0:
			return i
		}
	}
	return len(s)
}

// commentEnd gives the length of the comment at the beginning of s; comments
// nest.
func commentEnd(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return len(s)
}

// extend puts the extension into one address.
func extend(address, extension string) string {
	plain := unquoteAddress(address)
	at := strings.LastIndexByte(plain, '@')
	if at < 0 {
		// Postfix completes names without a domain before it adds the
		// extension: user%domain is user@domain (allow_percent_hack).
		if percent := strings.LastIndexByte(plain, '%'); percent > 0 && !strings.Contains(plain, "!") {
			at = percent
		} else {
			at = len(plain)
		}
	}
	return quoteAddress(plain[:at]+extension+plain[at:], false)
}
