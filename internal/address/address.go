// Package address takes mail addresses apart, alike in all programs: the
// local part and domain (RFC 5321 4.1.2), and the extension that some sites
// put behind a "+" (RFC 5233 calls it detail).
package address

import "strings"

// Separator is what stands between a user and a detail, DBMail's and
// Postfix's usual recipient_delimiter.
const Separator = '+'

// Split cuts an address at its last "@". ok is false when there is none.
// The local part may be empty ("@example.org" names a domain).
func Split(address string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(address, '@')
	if i < 0 {
		return address, "", false
	}
	return address[:i], address[i+1:], true
}

// CutDetail takes the detail off an address: from the first separator to the
// last "@". found is false when there is no "@", or the local part has no
// separator or begins with one; the address is then given back as it is.
//
//	CutDetail("alice+Notes@example.org") = "alice@example.org", "Notes", true
func CutDetail(address string) (base, detail string, found bool) {
	local, domain, ok := Split(address)
	i := strings.IndexByte(local, Separator)
	if !ok || i <= 0 {
		return address, "", false
	}
	return local[:i] + "@" + domain, local[i+1:], true
}

// Same compares two addresses as sites do: without case, in the local part
// too (RFC 5321 2.4 leaves that to the receiver).
func Same(a, b string) bool { return strings.EqualFold(a, b) }
