package message

import (
	"strings"
	"time"
)

// Options are the circumstances of a delivery that enter the stored form.
type Options struct {
	// Sender is the envelope sender without angle brackets, "" the null sender.
	// "Return-Path: <sender>" is put before the message's header.
	Sender string
	// Received is the moment of delivery, for the Date row that is cached of a
	// message without a Date. It is rendered in UTC.
	Received time.Time
	// Cached tells which header names (in lower case) go to the cache.
	// Default: the twelve names that DBMail seeds.
	Cached func(lowerName string) bool
	// DefaultCharset is the charset of 8-bit header text that is not UTF-8 and
	// whose charset the message does not declare. Default: windows-1252.
	DefaultCharset string
}

// Part is one row of dbmail_partlists with its blob.
type Part struct {
	Header            bool
	Key, Depth, Order int
	Data              []byte // never nil; aliases Raw.Data, but for the first header
}

// CachedHeader is one distinct (name, value) pair of the header cache.
type CachedHeader struct {
	Name      string // lower case
	Value     string // valid UTF-8 without NUL
	SortField string // at most 254 characters
	Date      string // "YYYY-MM-DD 00:00:00", or "" for NULL
}

// Message is what is stored of a message.
type Message struct {
	// Parts are the rows in the order in which DBMail stores them.
	Parts []Part
	// Headers are the cache rows in DBMail's order: as in the message, then
	// content-type, content-disposition and the synthetic date.
	Headers []CachedHeader
	// Envelope is the IMAP ENVELOPE (RFC 3501 section 7.4.2) as text.
	Envelope string
	// References are the message ids of References and In-Reply-To without
	// angle brackets, each once, at most 255 octets.
	References []string
	// Size is the number of octets received: messagesize, and what quota counts.
	Size int64
	// RFCSize is the number of octets that Rebuild gives and IMAP returns.
	RFCSize int64
	// Unsplit: the parts of this message are stored as one blob, because
	// DBMail's layout would not give back its bytes.
	Unsplit bool

	fields []field
}

// HeaderValues returns the unfolded raw values of the top-level header fields
// with this name, whatever its case, as the message came (without the
// Return-Path line that Split adds).
func (m *Message) HeaderValues(name string) []string {
	var values []string
	for _, f := range m.fields {
		if strings.EqualFold(f.name, name) {
			values = append(values, strings.TrimSpace(unfold(f.value)))
		}
	}
	return values
}

// Split makes the stored form of raw. It never fails: what cannot be split so
// that DBMail's reader gives back its bytes is stored unsplit, and that is
// checked here for every message. The parts keep raw.Data alive.
func Split(raw *Raw, opt Options) *Message {
	block, body, blank := cutMessage(raw.Data)
	returnPath := "Return-Path: <" + cleanSender(opt.Sender) + ">\n"
	head := make([]byte, 0, len(returnPath)+len(block))
	head = append(append(head, returnPath...), block...)

	m := &Message{Size: raw.WireSize}
	m.RFCSize = crlfLen(head[:len(returnPath)]) + crlfLen(raw.Data)
	m.split(head, block, body, blank, raw.Data)

	// One copy of the header as text; fields and most values are parts of it.
	m.fields = fieldList(string(block))
	c := cacher{m: m, opt: &opt, crlf: !raw.BareLF}
	c.run()
	return m
}

// split fills in the rows.
func (m *Message) split(head, block, body []byte, blank bool, data []byte) {
	s := splitter{data: body, parts: make([]Part, 0, 8)}
	s.add(true, head)
	if blank {
		s.entity(block, false)
	} else if len(body) > 0 {
		s.add(false, body)
	}
	m.Parts = s.parts
	if s.failed || !(whole(s.parts, body) || rebuilds(s.parts, head, data[len(block):])) {
		m.Unsplit = true
		s = splitter{parts: s.parts[:0]}
		s.add(true, head)
		if len(body) > 0 {
			s.add(false, body)
		}
		m.Parts = s.parts
	}
}

// whole reports whether the rows are a header and all of the body, which is
// what an unsplit message looks like and what every reader can join.
func whole(parts []Part, body []byte) bool {
	if len(body) == 0 {
		return len(parts) == 1
	}
	return len(parts) == 2 && !parts[1].Header && len(parts[1].Data) == len(body)
}

// rebuilds checks that DBMail's reader would make head and then rest of parts.
func rebuilds(parts []Part, head, rest []byte) bool {
	for i := 1; i < len(parts); i++ {
		if !before(&parts[i-1], &parts[i]) {
			return false // a reader would see the rows in another order
		}
	}
	c := comparer{head: head, body: rest}
	a := assembler{out: &c, strict: true}
	a.all(parts)
	return c.equal()
}

// before is the order in which DBMail's reader asks for the rows.
func before(a, b *Part) bool {
	if a.Key != b.Key {
		return a.Key < b.Key
	}
	if a.Order != b.Order {
		return a.Order < b.Order
	}
	return a.Depth > b.Depth
}

// cleanSender leaves nothing in the sender that could end its header line.
func cleanSender(sender string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return -1
		}
		return r
	}, sender)
}

// unfold joins the lines of a folded field.
func unfold(s string) string {
	if strings.IndexByte(s, '\n') < 0 {
		return s
	}
	return strings.ReplaceAll(s, "\n", "")
}
