package message

import (
	"iter"
	"strings"
)

// Fields gives the top-level header fields in their order: the name as it came
// and the unfolded raw value, as HeaderValues does.
func (m *Message) Fields() iter.Seq2[string, string] {
	return func(yield func(name, value string) bool) {
		for _, f := range m.fields {
			if !yield(f.name, strings.TrimSpace(unfold(f.value))) {
				return
			}
		}
	}
}

// Addresses gives the addresses in the top-level fields of one name, members
// of groups among them, without display names, and as long as all of them
// together have at most limit octets.
func (m *Message) Addresses(name string, limit int) []string {
	var out []string
	var take func(list []address) bool
	take = func(list []address) bool {
		for i := range list {
			a := &list[i]
			if a.group {
				if !take(a.members) {
					return false
				}
				continue
			}
			if limit -= len(a.addr); limit < 0 {
				return false
			}
			if a.addr != "" {
				out = append(out, a.addr)
			}
		}
		return true
	}
	for i := range m.fields {
		f := &m.fields[i]
		if !strings.EqualFold(f.name, name) {
			continue
		}
		list := f.list
		if !f.parsed {
			list = parseAddresses(f.value, &decoder{})
		}
		if !take(list) {
			break
		}
	}
	return out
}
