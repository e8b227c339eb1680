package message

import "strings"

// maxList bounds the text that one list of addresses may become, in octets, in
// the cache and in the envelope. No reader makes use of more, and DBMail's
// columns end at 16 MiB. The header itself is always stored whole.
const maxList = 1 << 20

// envelope builds the IMAP ENVELOPE (RFC 3501 section 7.4.2). Strings are
// quoted strings with quotes and backslashes escaped, in UTF-8, never with a
// line end in them.
func (c *cacher) envelope() string {
	var b envelopeWriter
	b.Grow(512)
	b.WriteByte('(')
	b.text(c.firstText(fieldDate))
	b.WriteByte(' ')
	b.text(c.firstText(fieldSubject))
	from := c.first(fieldFrom)
	for _, id := range []fieldID{fieldFrom, fieldSender, fieldReplyTo, fieldTo, fieldCc, fieldBcc} {
		b.WriteByte(' ')
		f := c.first(id)
		if (id == fieldSender || id == fieldReplyTo) && (f == nil || allSpace(f.value)) {
			f = from
		}
		if f == nil {
			b.WriteString("NIL")
			continue
		}
		b.addresses(c.addresses(f))
	}
	b.WriteByte(' ')
	b.text(c.firstText(fieldInReplyTo))
	b.WriteByte(' ')
	b.text(c.messageID())
	b.WriteByte(')')
	return b.String()
}

// messageID is the last Message-ID with its angle brackets. Like DBMail's, the
// envelope has none that contains "=" or "@(none)".
func (c *cacher) messageID() (id string, ok bool) {
	for i := len(c.m.fields) - 1; i >= 0; i-- {
		if f := &c.m.fields[i]; f.id == fieldMessageID {
			id = messageID(c.dec.text(unfold(f.value)))
			return "<" + id + ">", id != "" && !strings.Contains(id, "=") && !strings.Contains(id, "@(none)")
		}
	}
	return "", false
}

// messageID takes a message id out of its angle brackets, or what stands there
// instead.
func messageID(s string) string {
	if _, rest, ok := strings.Cut(s, "<"); ok {
		id, _, _ := strings.Cut(rest, ">")
		return trim(id)
	}
	s = trim(s)
	if n := strings.IndexAny(s, " \t"); n >= 0 {
		s = s[:n]
	}
	return s
}

// envelopeWriter writes the parts of an envelope.
type envelopeWriter struct {
	strings.Builder
}

// text writes a quoted string, or NIL.
func (b *envelopeWriter) text(s string, ok bool) {
	if !ok {
		b.WriteString("NIL")
		return
	}
	b.WriteByte('"')
	for s != "" {
		n := strings.IndexAny(s, "\"\\\r\n\x00")
		if n < 0 {
			break
		}
		b.WriteString(s[:n])
		if c := s[n]; c == '"' || c == '\\' {
			b.WriteByte('\\')
			b.WriteByte(c)
		}
		s = s[n+1:]
	}
	b.WriteString(s)
	b.WriteByte('"')
}

// addresses writes a list of addresses; an empty one is NIL.
func (b *envelopeWriter) addresses(list []address) {
	if len(list) == 0 {
		b.WriteString("NIL")
		return
	}
	b.WriteByte('(')
	b.mailboxes(list, b.Len()+maxList)
	b.WriteByte(')')
}

// mailboxes writes the members of a list until it reaches limit.
func (b *envelopeWriter) mailboxes(list []address, limit int) {
	for i := range list {
		a := &list[i]
		if b.Len() > limit {
			return
		}
		if a.group {
			b.WriteString("(NIL NIL ")
			b.text(collapse(a.name), true)
			b.WriteString(" NIL)")
			b.mailboxes(a.members, limit)
			b.WriteString("(NIL NIL NIL NIL)")
			continue
		}
		// DBMail puts a blank for each quote of a quoted local part.
		local, domain, ok := strings.Cut(strings.ReplaceAll(a.addr, `"`, " "), "@")
		b.WriteByte('(')
		b.text(collapse(a.name), a.name != "")
		b.WriteString(" NIL ")
		b.text(trim(local), true)
		b.WriteByte(' ')
		b.text(trim(domain), ok || a.addr == "")
		b.WriteByte(')')
	}
}
