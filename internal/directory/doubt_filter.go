package directory

import (
	"slices"
	"strings"
)

// filterAttributes returns the names that a filter (RFC 4515) tests, in lower
// case, sorted, each once. Matching rules without an attribute have none.
func filterAttributes(filter string) []string {
	var names []string
	for at := 0; at < len(filter); at++ {
		if filter[at] != '(' {
			continue
		}
		rest := filter[at+1:]
		if rest == "" || strings.IndexByte("&|!(", rest[0]) >= 0 {
			continue
		}
		end := strings.IndexAny(rest, "=<>~:")
		if end < 0 {
			break
		}
		if name := strings.ToLower(rest[:end]); isAttribute(name) && !slices.Contains(names, name) {
			names = append(names, name)
		}
		close := strings.IndexByte(rest, ')')
		if close < 0 {
			break
		}
		at += close
	}
	slices.Sort(names)
	return names
}

// evaluable is a filter that is true of the entries on which the server can
// evaluate every name, whether they have it or not. To a server that does not
// know an attribute, or does not let us search it, both "has it" and "has it
// not" are Undefined (RFC 4511 4.5.1.7, RFC 4512 2.5; OpenLDAP's
// slapd.access(5)).
func evaluable(names []string) string {
	if len(names) == 0 {
		return anyEntry
	}
	var b strings.Builder
	b.WriteString("(&")
	for _, name := range names {
		test := present(name)
		b.WriteString("(|" + test + "(!" + test + "))")
	}
	b.WriteString(")")
	return b.String()
}

// having is evaluable and true of entries that have at least one of the names.
func having(names []string) string {
	if len(names) == 0 {
		return anyEntry
	}
	var b strings.Builder
	b.WriteString("(&(|")
	for _, name := range names {
		if name != "objectclass" || len(names) == 1 { // which every entry has
			b.WriteString(present(name))
		}
	}
	b.WriteString(")" + evaluable(names) + ")")
	return b.String()
}

const anyEntry = "(objectClass=*)"

func present(name string) string {
	if name == "objectclass" {
		// Servers may take (objectClass=*) for true without a look at the rights.
		return "(objectClass=top)"
	}
	return "(" + name + "=*)"
}

// parentDN cuts the first RDN off (RFC 4514); "" above the last one.
func parentDN(dn string) string {
	quoted := false
	for n := 0; n < len(dn); n++ {
		switch dn[n] {
		case '\\':
			n++
		case '"':
			quoted = !quoted
		case ',', ';':
			if !quoted {
				return strings.TrimLeft(dn[n+1:], " ")
			}
		}
	}
	return ""
}
