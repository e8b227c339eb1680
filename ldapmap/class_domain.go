package ldapmap

import (
	"net/netip"
	"strings"
)

// parentStyle says which keys stand for the parents of a domain
// (parent_domain_matches_subdomains in postconf(5)).
type parentStyle int

const (
	noParents     parentStyle = iota // the name alone
	plainParents                     // example.com, com
	dottedParents                    // .example.com, .com
)

// maxLabels is how many labels a domain name may have: 255 octets of one
// letter and one dot each (RFC 1035 2.3.4). It bounds the searches that one
// key can cause.
const maxLabels = 128

// domain asks for a name and for its parents, including the top-level domain.
func (a *asker) domain(name string, style parentStyle) {
	for label := 1; name != "" && !a.ask(name) && style != noParents; label++ {
		next := strings.IndexByte(name[1:], '.')
		switch {
		case next < 0:
			return
		case label == maxLabels:
			a.fail(errLabels)
			return
		case style == plainParents:
			next++
		}
		name = name[1+next:]
	}
}

// host asks for what access(5) tables have for clients, HELO names, and MX and
// name servers: a name and its parents, or an address and its networks.
func (a *asker) host(name string, style parentStyle) {
	if _, err := netip.ParseAddr(name); err != nil {
		a.domain(name, style)
		return
	}
	delimiter := "."
	if strings.Contains(name, ":") {
		delimiter = ":"
	}
	for !a.ask(name) {
		end := strings.LastIndex(name, delimiter)
		if end < 0 {
			return
		}
		name = name[:end]
	}
}
