package message

import (
	"strings"
	"time"
	"unicode/utf8"
)

// Bounds of what is cached.
const (
	maxValue      = 4 << 20 // octets of a value; the column ends at 16 MiB
	sortChars     = 254     // characters of a sortfield
	sortAddr      = 253     // octets of an address's sortfield
	maxReferences = 5000
	maxReference  = 255 // octets of a reference
)

// cacher makes the rows of the header cache, the envelope and the references of
// one message.
type cacher struct {
	m    *Message
	opt  *Options
	dec  decoder
	crlf bool // folds in cached values are CRLF

	seen map[[2]string]bool // the rows, once they are many
}

func (c *cacher) run() {
	c.dec.guess = c.charsets
	wanted, byDefault := c.opt.Cached, false
	if wanted == nil {
		wanted, byDefault = cachedByDefault, true
	}
	c.m.Headers = make([]CachedHeader, 0, 12)
	c.returnPath(wanted)
	dated := false
	for i := range c.m.fields {
		f := &c.m.fields[i]
		if strings.IndexByte(f.name, ' ') >= 0 || len(f.name) > 8 && strings.EqualFold(f.name[:8], "Content-") {
			continue
		}
		dated = dated || f.id == fieldDate && !allSpace(f.value)
		if byDefault && !f.id.seeded() {
			continue
		}
		if name := f.lowerName(); !allSpace(f.value) && wanted(name) {
			c.field(f, name)
		}
	}
	c.content(wanted)
	if !dated && wanted("date") {
		at := c.opt.Received.UTC()
		c.add("date", at.Format("Mon, 02 Jan 2006 15:04:05 +0000"), at.Format(time.DateTime), at.Format(dateOnly))
	}
	c.m.Envelope = c.envelope()
	c.m.References = c.references()
}

// dateOnly is dbmail_headervalue.datefield: a day, as a moment.
const dateOnly = "2006-01-02 00:00:00"

// add adds a row that is not there yet. An empty sortField is the value's start.
func (c *cacher) add(name, value, sortField, date string) {
	const many = 16
	value = cut(value, maxValue)
	if c.seen == nil && len(c.m.Headers) >= many {
		c.seen = make(map[[2]string]bool, 2*many)
		for i := range c.m.Headers {
			c.seen[[2]string{c.m.Headers[i].Name, c.m.Headers[i].Value}] = true
		}
	}
	if c.seen != nil {
		key := [2]string{name, value}
		if c.seen[key] {
			return
		}
		c.seen[key] = true
	} else {
		for i := range c.m.Headers {
			if c.m.Headers[i].Name == name && c.m.Headers[i].Value == value {
				return
			}
		}
	}
	if sortField == "" {
		sortField = firstChars(value, sortChars)
	}
	c.m.Headers = append(c.m.Headers, CachedHeader{Name: name, Value: value, SortField: sortField, Date: date})
}

// returnPath caches the sender; the null sender has no row.
func (c *cacher) returnPath(wanted func(string) bool) {
	if sender := clean(cleanSender(c.opt.Sender)); sender != "" && wanted("return-path") {
		local, _, _ := strings.Cut(sender, "@")
		c.add("return-path", " <"+sender+">", cut(local, sortAddr), "")
	}
}

// field caches one field of the message.
func (c *cacher) field(f *field, name string) {
	if f.id.isAddress() {
		list := c.addresses(f)
		c.add(name, c.folds(joinAddresses(list)), sortAddress(list), "")
		return
	}
	value := c.folds(trim(c.dec.text(f.value)))
	if value == "" {
		return
	}
	switch f.id {
	case fieldSubject:
		c.add(name, value, firstChars(baseSubject(value), sortChars), "")
	case fieldDate:
		if at, ok := parseDate(value); ok {
			c.add(name, value, at.Format(time.DateTime), at.Format(dateOnly))
			return
		}
		c.add(name, value, "", "")
	default:
		c.add(name, value, "", "")
	}
}

// content caches what DBMail takes from the MIME side of the header.
func (c *cacher) content(wanted func(string) bool) {
	ct, cd := contentType{kind: "text", sub: "plain"}, ""
	hasType, hasDisposition := false, false
	for i := range c.m.fields {
		switch f := &c.m.fields[i]; {
		case f.id == fieldContentType && !hasType:
			ct, hasType = parseContentType(f.value), true
		case f.id == fieldContentDisposition && !hasDisposition:
			cd, hasDisposition = f.value, true
		}
	}
	if wanted("content-type") {
		c.add("content-type", clean(ct.kind+"/"+ct.sub), "", "")
	}
	if hasDisposition && wanted("content-disposition") {
		c.add("content-disposition", disposition(cd, &c.dec), "", "")
	}
}

// folds gives folded values the line ends they had on the wire.
func (c *cacher) folds(s string) string {
	if !c.crlf || strings.IndexByte(s, '\n') < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\n", "\r\n")
}

// first is the first field of its kind, nil if there is none.
func (c *cacher) first(id fieldID) *field {
	for i := range c.m.fields {
		if c.m.fields[i].id == id {
			return &c.m.fields[i]
		}
	}
	return nil
}

// firstText is the decoded and unfolded value of the first field of its kind.
func (c *cacher) firstText(id fieldID) (string, bool) {
	f := c.first(id)
	if f == nil {
		return "", false
	}
	return cut(trim(unfold(c.dec.text(f.value))), maxList), true
}

// addresses parses an address field, once.
func (c *cacher) addresses(f *field) []address {
	if !f.parsed {
		f.list, f.parsed = parseAddresses(f.value, &c.dec), true
	}
	return f.list
}

// charsets are the charsets that the message declares, the top level first, and
// then the one that the administrator expects.
func (c *cacher) charsets() []string {
	var names []string
	for i := range c.m.Parts {
		if p := &c.m.Parts[i]; p.Header {
			if ct, ok := typeOf(p.Data); ok && ct.charset != "" && charsetNamed(ct.charset) != nil {
				names = append(names, ct.charset)
				break
			}
		}
	}
	return append(names, c.opt.DefaultCharset)
}

// firstChars is the first n characters of s.
func firstChars(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for i := range s {
		if n == 0 {
			return s[:i]
		}
		n--
	}
	return s
}

// cut is at most n octets of s, on the boundary of a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
