package directory

import (
	"slices"
	"strings"
)

// entryUUID (RFC 4530) tells an entry from others when its name changes, and
// is how a provider of syncrepl names what it deleted. While changes are
// followed it is asked for with every search, and taken off again.
const entryUUID = "entryUUID"

// askUUID adds it to the attributes of a search; false if they have it anyway.
func askUUID(r *Request) bool {
	switch {
	case len(r.Attributes) == 0:
		r.Attributes = []string{"*", entryUUID}
	case len(r.Attributes) == 1 && r.Attributes[0] == noAttributes:
		r.Attributes = []string{entryUUID}
	case slices.ContainsFunc(r.Attributes, func(name string) bool {
		return name == "+" || strings.EqualFold(name, entryUUID)
	}):
		return false
	default:
		r.Attributes = append(slices.Clip(r.Attributes), entryUUID)
	}
	return true
}

// takeUUID reads it, and with hide takes it off. a is not shared yet.
func takeUUID(a *Answer, hide bool) {
	for _, e := range a.Entries {
		for n, attribute := range e.Attributes {
			if !strings.EqualFold(attribute.Name, entryUUID) {
				continue
			}
			if len(attribute.Values) == 1 {
				e.uuid = parseUUID(attribute.Values[0])
			}
			if hide {
				e.Attributes = slices.Delete(e.Attributes, n, n+1)
			}
			break
		}
	}
}

// parseUUID reads the text form; zero if it is none.
func parseUUID(text []byte) (id [16]byte) {
	n := 0
	for _, c := range text {
		switch {
		case c == '-':
			continue
		case c >= '0' && c <= '9', c >= 'a' && c <= 'f', c >= 'A' && c <= 'F':
		default:
			return [16]byte{}
		}
		if n == 32 {
			return [16]byte{}
		}
		id[n/2] = id[n/2]<<4 | unhex(c)
		n++
	}
	if n != 32 {
		return [16]byte{}
	}
	return id
}
