package message

import "strings"

// joinAddresses writes a list as DBMail caches it, which is not quite RFC 5322:
// a nameless address begins with a blank, a name is quoted only if there is a
// comma in it, and a group that is not first has no comma before it.
func joinAddresses(list []address) string {
	if len(list) == 1 && !list[0].group && list[0].name == "" {
		return " <" + list[0].addr + ">"
	}
	var b strings.Builder
	writeAddresses(&b, list)
	return b.String()
}

func writeAddresses(b *strings.Builder, list []address) {
	for i := range list {
		if b.Len() > maxList {
			return
		}
		a := &list[i]
		if a.group {
			if i > 0 {
				b.WriteByte(' ')
			}
			writeName(b, a.name)
			b.WriteByte(':')
			if len(a.members) > 0 {
				b.WriteByte(' ')
				writeAddresses(b, a.members)
			}
			b.WriteByte(';')
			continue
		}
		if i > 0 {
			b.WriteString(", ")
		}
		writeName(b, a.name)
		b.WriteString(" <")
		b.WriteString(a.addr)
		b.WriteByte('>')
	}
}

func writeName(b *strings.Builder, name string) {
	if strings.IndexByte(name, ',') < 0 {
		b.WriteString(name)
		return
	}
	b.WriteByte('"')
	b.WriteString(name)
	b.WriteByte('"')
}

// sortAddress is by what DBMail sorts a list: the local part of the first
// address, or the name of the first group.
func sortAddress(list []address) string {
	for i := range list {
		s := list[i].name
		if !list[i].group {
			s, _, _ = strings.Cut(list[i].addr, "@")
		}
		if s != "" {
			return cut(s, sortAddr)
		}
	}
	return ""
}

// references are the ids of References and of In-Reply-To behind it, each once.
// Like DBMail, a message without References has none.
func (c *cacher) references() []string {
	f := c.first(fieldReferences)
	if f == nil {
		return nil
	}
	text := f.value
	if f := c.first(fieldInReplyTo); f != nil {
		text += " " + f.value
	}
	var ids []string
	seen := map[string]bool{}
	for len(ids) < maxReferences {
		_, rest, ok := strings.Cut(text, "<")
		if !ok {
			break
		}
		n := strings.IndexAny(rest, "<>")
		if n < 0 {
			break
		}
		text = rest[n:]
		if rest[n] == '<' {
			continue
		}
		id := cut(c.dec.text(squeeze(rest[:n])), maxReference)
		if id != "" && !seen[id] {
			seen[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}
