package directory

import (
	"fmt"
	"slices"
	"strconv"
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

// wanted are names by what they look like in an entry.
type wanted struct{ addresses, logins, numbers map[string][]int }

func newWanted(names []Name) wanted {
	w := wanted{make(map[string][]int, len(names)), make(map[string][]int, len(names)), map[string][]int{}}
	for i, k := range names {
		if k.Address != "" {
			key := nameKey(k.Address)
			w.addresses[key] = append(w.addresses[key], i)
		}
		if k.Login != "" {
			key := nameKey(k.Login)
			w.logins[key] = append(w.logins[key], i)
		}
		if k.Number > 0 {
			key := strconv.FormatInt(k.Number, 10)
			w.numbers[key] = append(w.numbers[key], i)
		}
	}
	return w
}

// nameKey is AddressKey for what a server finds: to it blanks at the ends do
// not count, and several are one (RFC 4518 2.6.1).
func nameKey(text string) string {
	if strings.Contains(text, " ") {
		text = strings.Join(strings.Fields(text), " ")
	}
	return AddressKey(text)
}

// describe names names in an error.
func describe(names []Name) string {
	var texts []string
	for _, n := range names {
		text := n.Address
		if text == "" {
			text = n.Login
		}
		if text == "" {
			text = strconv.FormatInt(n.Number, 10)
		}
		if !slices.Contains(texts, text) {
			texts = append(texts, text)
		}
	}
	if len(texts) > 3 {
		return fmt.Sprintf("%q and %d more", texts[0], len(texts)-1)
	}
	if len(texts) == 1 {
		return fmt.Sprintf("%q", texts[0])
	}
	return fmt.Sprintf("%q", texts)
}
