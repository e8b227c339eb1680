package directory

import (
	"slices"
	"strings"
	"unicode"

	"github.com/go-ldap/ldap/v3"
	"golang.org/x/net/idna"
	"golang.org/x/text/unicode/norm"

	mailaddress "gatepost/internal/address"
)

// labels converts domains between A- and U-labels, and takes names that are no
// host names ("_dmarc") as they are.
var labels = idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false))

// maxDomain bounds what is converted, which takes time: a domain has at most
// 253 bytes in A-labels (RFC 1034 3.1), and less characters in U-labels.
const maxDomain = 1000

// ascii gives the A-labels of a domain that is in lower case; what has none
// stands for itself.
func ascii(domain string) string {
	if len(domain) > maxDomain || isASCII(domain) {
		return domain // as it is, or it has none
	}
	if a, err := labels.ToASCII(domain); err == nil && a != "" {
		return a
	}
	return domain
}

// isASCII says whether all of a text is.
func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= 0x80 {
			return false
		}
	}
	return true
}

// domainForms are the ways in which a directory may write a domain: as given,
// and with its A- or U-labels (RFC 5890 2.3.2.1). What is no such domain has
// one form.
func domainForms(domain string) []string {
	domain = strings.ToLower(domain)
	forms := []string{domain}
	if isASCII(domain) && !strings.Contains(domain, "xn--") {
		return forms
	}
	if a := ascii(domain); a != domain {
		forms = append(forms, a)
	}
	if len(domain) > maxDomain {
		return forms
	}
	if u, err := labels.ToUnicode(domain); err == nil && u != "" && !slices.Contains(forms, u) {
		forms = append(forms, u)
	}
	return forms
}

// addressForms are the ways in which a directory may write an address, without
// case. A text without "@" is one.
func addressForms(text string) []string {
	local, domain, ok := mailaddress.Split(strings.ToLower(text))
	if !ok {
		return []string{local}
	}
	forms := domainForms(domain)
	for i, d := range forms {
		forms[i] = local + "@" + d
	}
	return forms
}

// AddressKey is the same for all forms of an address, or of a login: without
// case, with A-labels, and with letters composed as RFC 6532 3.1 wants it.
func AddressKey(text string) string {
	local, domain, ok := mailaddress.Split(text)
	if !ok {
		return fold(local)
	}
	return fold(local) + "@" + ascii(strings.ToLower(domain))
}

// fold makes texts equal that strings.EqualFold takes for equal, once they are
// composed (Unicode's NFC).
func fold(text string) string {
	if isASCII(text) {
		return strings.ToLower(text)
	}
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return unicode.ToLower(least)
	}, norm.NFC.String(text))
}

// SameAddress compares two addresses without case, and domains without regard
// to A- and U-labels.
func SameAddress(a, b string) bool {
	switch {
	case mailaddress.Same(a, b):
		return true
	case isASCII(a) && isASCII(b):
		return false
	}
	return AddressKey(a) == AddressKey(b)
}

// dnKey is the same for all forms of a distinguished name: without case, and
// with one way of escaping. What cannot be parsed stands for itself.
func dnKey(dn string) string {
	if isPlainDN(dn) {
		return strings.ToLower(dn)
	}
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return strings.ToLower(dn)
	}
	return strings.ToLower(parsed.String())
}

// isPlainDN says whether a DN can be written in one way only, but for case: no
// escapes, no blanks but inside values, one value in each RDN. Most are.
func isPlainDN(dn string) bool {
	const start, name, value = 0, 1, 2 // of an RDN, and after its "="
	state, last := start, byte(',')
	for i := range len(dn) {
		c := dn[i]
		switch {
		case c == ',' && (state != value || last == ' ' || last == '='),
			c == '=' && state != name,
			c == ' ' && (state != value || last == '='),
			c < ' ', c > '~', strings.IndexByte(`\"#;+<>`, c) >= 0:
			return false
		case c == ',':
			state = start
		case c == '=':
			state = value
		case state == start:
			state = name
		}
		last = c
	}
	return state == value && last != ' ' && last != '='
}

// below says whether an entry is in the scope of a search at base.
func below(dn, base string, scope Scope) bool {
	entry, err := ldap.ParseDN(dn)
	if err != nil {
		return false
	}
	top, err := ldap.ParseDN(base)
	if err != nil {
		return false
	}
	depth := len(entry.RDNs) - len(top.RDNs)
	if depth < 0 || !(&ldap.DN{RDNs: entry.RDNs[depth:]}).EqualFold(top) {
		return false
	}
	switch scope {
	case ScopeBase:
		return depth == 0
	case ScopeOne:
		return depth == 1
	case ScopeChildren:
		return depth > 0
	}
	return true
}
