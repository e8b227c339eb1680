package ldapmap

import "strings"

// addExtension puts an extension, delimiter included, into every address of a
// result, which is a list as in a header (RFC 5322 3.4): alice@example.org
// becomes alice+lists@example.org, "a b"@example.org "a b+lists"@example.org,
// and bob, which Postfix completes later, bob+lists.
//
// Postfix itself makes "+lists" of the null address "<>", which it then takes
// for an address without a domain; the null address stays what it is here.
func addExtension(data, extension string) string {
	var b strings.Builder
	b.Grow(len(data) + 2*len(extension))
	for rest := data; rest != ""; {
		n := addressEnd(rest)
		switch {
		case n > 0:
			b.WriteString(extend(rest[:n], extension))
		case rest[0] == '(':
			n = commentEnd(rest)
			b.WriteString(rest[:n])
		default: // what stands between addresses
			n = 1 + routeEnd(rest)
			b.WriteString(rest[:n])
		}
		rest = rest[n:]
	}
	return b.String()
}

// routeEnd gives the length of the route, "@one,@two:", that follows the angle
// bracket at the beginning of s; 0 when there is none.
func routeEnd(s string) int {
	if !strings.HasPrefix(s, "<@") {
		return 0
	}
	end := strings.IndexAny(s, ":>")
	if end < 0 || s[end] == '>' {
		return 0
	}
	return end
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
		plain, at = complete(plain, extension)
	}
	return quoteAddress(plain[:at]+extension+plain[at:], false)
}

// complete says where the extension goes into an address that has no domain.
// Postfix completes such addresses before it adds the extension, and takes
// domain!user and user%domain for user@domain (swap_bangpath,
// allow_percent_hack in postconf(5)). That is left to it, except where the
// extension puts the whole in quotes, within which these are not seen.
func complete(plain, extension string) (address string, at int) {
	quotes := !isDotAtom("x" + extension)
	if host, user, ok := strings.Cut(plain, "!"); ok {
		if quotes {
			return user + "@" + host, len(user)
		}
		return plain, len(plain)
	}
	if percent := strings.LastIndexByte(plain, '%'); percent > 0 {
		if quotes {
			return plain[:percent] + "@" + plain[percent+1:], percent
		}
		return plain, percent
	}
	return plain, len(plain)
}
