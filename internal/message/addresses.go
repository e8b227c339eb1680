package message

import (
	"strings"
)

// address is a mailbox, or a group of mailboxes, of an address field.
type address struct {
	name    string // display name, decoded; folds stay in it
	addr    string // local@domain, or only a local part; for a group ""
	group   bool
	members []address
}

// addressParser reads address lists (RFC 5322 section 3.4) from raw field
// values, with as much good will as mail needs: semicolons between addresses,
// names that ought to be quoted, missing brackets. Every octet is looked at a
// bounded number of times. What has no address at all yields nothing.
type addressParser struct {
	s   string
	i   int
	dec *decoder
	enc wordScanner

	// There is no closing one in the rest: such an opening one is text.
	noQuote, noComment, noLiteral bool
}

// parseAddresses reads the value of an address field.
func parseAddresses(s string, dec *decoder) []address {
	p := addressParser{s: s, dec: dec, enc: wordScanner{s: s}}
	return p.list(false)
}

// list reads addresses up to the end, or, in a group, to its semicolon.
func (p *addressParser) list(inGroup bool) []address {
	var all []address
	for {
		for p.i < len(p.s) && (isSpace(p.s[p.i]) || p.s[p.i] == ',' || p.s[p.i] == ';' && !inGroup) {
			p.i++
		}
		if p.i >= len(p.s) {
			return all
		}
		if p.s[p.i] == ';' { // the end of the group
			p.i++
			return all
		}
		if a, ok := p.entry(inGroup); ok {
			if all == nil {
				all = make([]address, 0, 1+strings.Count(p.s[p.i:min(len(p.s), p.i+1024)], ","))
			}
			all = append(all, a)
		}
	}
}

// entry is what has been read of one address so far. Positions are in p.s;
// words lie between from and to.
type entry struct {
	from, to   int
	words      int    // words outside of comments, separated by space
	lastWord   int    // where the last word begins
	at         int    // position of the first @ outside of quotes, -1 for none
	addr       [2]int // the word with the @: from, to
	comment    string
	hasComment bool
	special    bool // quotes or comments stand between from and to
}

// entry reads one mailbox or group.
func (p *addressParser) entry(inGroup bool) (address, bool) {
	e := entry{from: -1, at: -1}
	for p.i < len(p.s) {
		c := p.s[p.i]
		switch {
		case isSpace(c):
			p.i++
			continue
		case c == ',' || c == ';':
			return p.bare(&e)
		case c == '(' && !p.noComment:
			if p.comment(&e) {
				continue
			}
		case c == '<':
			return p.angle(&e)
		case c == ':' && !inGroup && e.from >= 0 && e.at < 0:
			name := p.phrase(&e)
			p.i++
			return address{name: name, group: true, members: p.list(true)}, true
		}
		p.word(&e)
	}
	return p.bare(&e)
}

// word reads a word: atoms, quoted strings and domain literals with no space
// between them.
func (p *addressParser) word(e *entry) {
	start := p.i
	for first := true; p.i < len(p.s); first = false {
		c := p.s[p.i]
		if isSpace(c) || c == ',' || c == ';' || c == '<' || c == '(' && !p.noComment ||
			c == ':' && e.at < 0 && !first {
			break
		}
		switch {
		case c == '=':
			if end := p.encodedWord(); end > 0 {
				p.i = end
				continue
			}
		case c == '"' && !p.noQuote:
			if end := closingQuote(p.s, p.i); end > 0 {
				e.special = true
				p.i = end
				continue
			}
			p.noQuote = true
		case c == '[' && e.at >= 0 && !p.noLiteral:
			if n := strings.IndexByte(p.s[p.i:], ']'); n > 0 {
				p.i += n + 1
				continue
			}
			p.noLiteral = true
		case c == '@' && e.at < 0:
			e.at = p.i
		}
		p.i++
	}
	if e.from < 0 {
		e.from = start
	}
	e.to = p.i
	// "user @ host" and "first . last@host" are one word.
	glued := false
	if e.words > 0 {
		last := p.s[lastText(p.s, start)]
		glued = p.s[start] == '@' || p.s[start] == '.' || last == '@' || last == '.' && e.at >= e.lastWord
	}
	if !glued {
		e.words++
		e.lastWord = start
	}
	if e.at >= start || glued && e.at >= e.lastWord {
		e.addr = [2]int{e.lastWord, p.i}
	}
}

// encodedWord returns where the encoded word here ends, 0 if there is none.
// Specials in it, which ought not to be there, are text.
func (p *addressParser) encodedWord() int {
	const longest = 512
	if p.i+1 >= len(p.s) || p.s[p.i+1] != '?' {
		return 0
	}
	w, ok := p.enc.at(p.i)
	if !ok || len(w.text) > longest || strings.ContainsAny(w.text, "<>\"\n") {
		return 0
	}
	return w.end
}

// lastText is the position of the last octet before i that is not space.
func lastText(s string, i int) int {
	for i--; i > 0 && isSpace(s[i]); i-- {
	}
	return max(i, 0)
}

// closingQuote returns where the quoted string at i ends, 0 if it does not.
func closingQuote(s string, i int) int {
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// comment reads a comment, which may hold others, and reports whether it ended.
func (p *addressParser) comment(e *entry) bool {
	depth := 0
	for i := p.i; i < len(p.s); i++ {
		switch p.s[i] {
		case '\\':
			i++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				e.comment, e.hasComment = p.s[p.i+1:i], true
				e.special = true
				p.i = i + 1
				return true
			}
		}
	}
	p.noComment = true
	return false
}

// angle reads "<addr>" after a name.
func (p *addressParser) angle(e *entry) (address, bool) {
	name := p.phrase(e)
	p.i++
	if p.i < len(p.s) && p.s[p.i] == '@' { // a source route, RFC 5322 section 4.4
		if n := strings.IndexAny(p.s[p.i:min(len(p.s), p.i+1024)], ":>"); n > 0 && p.s[p.i+n] == ':' {
			p.i += n + 1
		}
	}
	start := p.i
	for p.i < len(p.s) {
		c := p.s[p.i]
		if c == '>' || c == ',' || c == ';' {
			break
		}
		if c == '"' && !p.noQuote {
			if end := closingQuote(p.s, p.i); end > 0 {
				p.i = end
				continue
			}
			p.noQuote = true
		}
		p.i++
	}
	a := address{name: name, addr: p.dec.text(squeeze(p.s[start:p.i]))}
	if p.i < len(p.s) && p.s[p.i] == '>' {
		p.i++
	}
	for p.i < len(p.s) && p.s[p.i] != ',' && p.s[p.i] != ';' { // comments, and what does not belong here
		if c := p.s[p.i]; c == '(' && !p.noComment && p.comment(e) {
			continue
		}
		p.i++
	}
	if a.name == "" && e.hasComment {
		a.name = p.dec.text(trim(unescape(e.comment)))
	}
	return a, a.addr != "" || a.name != ""
}

// bare ends an entry that has no angle brackets.
func (p *addressParser) bare(e *entry) (address, bool) {
	switch {
	case e.from < 0:
		return address{}, false
	case e.words == 1:
		a := address{addr: p.dec.text(squeeze(dropComments(p.s[e.from:e.to], e.special)))}
		if e.hasComment {
			a.name = p.dec.text(trim(unescape(e.comment)))
		}
		return a, a.addr != ""
	case e.at >= 0:
		// "Name user@host": the word with the @ is the address.
		name := *e
		name.to = e.addr[0]
		addr := dropComments(p.s[e.addr[0]:e.addr[1]], e.special)
		return address{name: p.phrase(&name), addr: p.dec.text(squeeze(addr))}, true
	}
	return address{}, false
}

// phrase decodes the words read so far as a display name.
func (p *addressParser) phrase(e *entry) string {
	if e.from < 0 {
		return ""
	}
	s := trim(p.s[e.from:e.to])
	if e.special {
		s = trim(unquote(dropComments(s, true)))
	}
	return p.dec.text(s)
}
