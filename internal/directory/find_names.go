package directory

import (
	"strings"

	mailaddress "gatepost/internal/address"
)

// maxParents bounds how many parents of a domain may have a catch-all.
const maxParents = 32

// maxAddress bounds, in bytes, what is looked up: 64 of the local part and 255
// of the domain (RFC 5321 4.5.3.1), and more where they are not ASCII.
const maxAddress = 1000

// NamesOf lists what an address may be found by, in order; the first direct
// ones are no catch-alls. What has no local part or no domain names nobody.
func NamesOf(addr string) (names []Name, direct int) {
	local, domain, ok := mailaddress.Split(addr)
	switch {
	case addr == "" || len(addr) > maxAddress:
		return nil, 0
	case !ok:
		return []Name{{Login: addr}}, 1
	case local == "" || domain == "":
		return nil, 0
	}
	base, _, detailed := mailaddress.CutDetail(addr)
	names = append(names, Name{Address: addr, Login: addr})
	if detailed {
		names = append(names, Name{Address: base, Login: base})
	}
	direct = len(names)
	names = append(names, Name{Address: "@" + domain})
	for parent, n := domain, 0; n < maxParents; n++ {
		if _, parent, ok = strings.Cut(parent, "."); !ok {
			break
		}
		names = append(names, Name{Address: "@." + parent})
	}
	names = append(names, Name{Address: local + "@"})
	if detailed {
		local, _, _ = mailaddress.Split(base)
		names = append(names, Name{Address: local + "@"})
	}
	return names, direct
}
