package message

import (
	"bytes"
)

// maxNesting bounds how deep messages may stand in messages. Deeper ones are
// stored unsplit.
const maxNesting = 500

// splitter walks through a message and notes down the rows that DBMail would
// store, with its counters. It never copies content.
type splitter struct {
	data  []byte // what the walk goes through: all that follows the message's own header
	pos   int
	parts []Part

	key, depth, order int

	bounds  []string // boundaries that are open, outermost first
	nesting int
	failed  bool // no split that DBMail's reader could undo
}

// end tells how the content of an entity ended: at a delimiter of bounds[level],
// or (level < 0) with the message.
type end struct {
	level int
	last  bool // the closing delimiter
	next  int  // where the line after the delimiter begins
}

// add notes down a row.
func (s *splitter) add(header bool, data []byte) {
	if header {
		s.key++
		s.order = 0
	}
	if s.key > maxPosition || s.order > maxPosition || s.depth > maxDepth {
		s.failed = true
	}
	if data == nil {
		data = []byte{} // an empty blob, not NULL
	}
	if !s.failed {
		s.parts = append(s.parts, Part{Header: header, Key: s.key, Depth: s.depth, Order: s.order, Data: data})
	}
	s.order++
}

// entity walks through an entity whose header row is already there; the walk
// stands at its content. digest: it is a part of a multipart/digest, whose
// parts are messages by default.
func (s *splitter) entity(header []byte, digest bool) end {
	ct, declared := typeOf(header)
	if !declared && digest {
		ct = contentType{kind: "message", sub: "rfc822"}
	}
	s.nesting++
	defer func() { s.nesting-- }()
	if ct.doubtful || s.nesting > maxNesting {
		s.failed = true
	}
	switch {
	case s.failed:
		return end{level: -1}
	case ct.is("multipart", "*"):
		return s.multipart(&ct)
	case s.isMessage(&ct) && !encoded(header):
		return s.message()
	}
	return s.leaf()
}

// isMessage reports whether the content is a message that DBMail stores as one.
// Below the top its reader knows only message/rfc822; the others stay whole.
func (s *splitter) isMessage(ct *contentType) bool {
	if ct.is("message", "rfc822") {
		return true
	}
	return s.depth == 0 && (ct.is("message", "rfc2822") || ct.is("message", "news") || ct.is("message", "global"))
}

// leaf notes down content without structure. DBMail has no row for empty
// content, and neither have we; but where an empty line stands between header
// and delimiter and belongs to the delimiter, an empty row is what keeps it.
func (s *splitter) leaf() end {
	content, e := s.scan()
	if content != nil {
		s.add(false, content)
	}
	return e
}

// message walks through an embedded message: its own header row and content,
// at the same depth.
func (s *splitter) message() end {
	if e, ok := s.atDelimiter(); ok {
		return e // an empty message/rfc822 part
	}
	header := s.header()
	s.add(true, header)
	return s.entity(header, false)
}

// multipart walks through preamble, parts and epilogue (RFC 2046 section 5.1).
// The order of a row after the parts goes on from the last of them.
func (s *splitter) multipart(ct *contentType) end {
	if !ct.hasBoundary {
		return s.leaf()
	}
	level := len(s.bounds)
	s.bounds = append(s.bounds, ct.boundary)
	preamble, e := s.scan()
	if preamble != nil {
		s.add(false, preamble)
	}
	s.depth++
	s.order = 0
	digest := ct.is("multipart", "digest")
	for e.level == level && !e.last && !s.failed {
		header := s.header()
		s.add(true, header)
		e = s.entity(header, digest)
	}
	s.depth--
	s.order++
	s.bounds = s.bounds[:level]
	if e.level == level && !s.failed {
		var epilogue []byte
		if epilogue, e = s.scan(); epilogue != nil {
			s.add(false, epilogue)
		}
	}
	return e
}

// header takes the header of a part. It goes to the first empty line, come what
// may in between, as DBMail has it; without one the rows would not tell.
func (s *splitter) header() []byte {
	block, _, blank := cutHeader(s.data[s.pos:])
	s.pos += len(block)
	if !blank {
		s.failed = true
		return block
	}
	s.pos++
	return block
}

// scan takes content up to the next delimiter of any open boundary, or to the
// end of the message. The line end before a delimiter belongs to the delimiter.
// content is nil if there is none, not even an empty line.
func (s *splitter) scan() (content []byte, e end) {
	start := s.pos
	if len(s.bounds) == 0 {
		s.pos = len(s.data)
		return nonEmpty(s.data[start:]), end{level: -1}
	}
	for at := start; ; {
		if e, ok := s.delimiter(at); ok {
			s.pos = e.next
			if at == start {
				return nil, e
			}
			return s.data[start : at-1], e
		}
		i := bytes.Index(s.data[at:], []byte("\n--"))
		if i < 0 {
			s.pos = len(s.data)
			return nonEmpty(s.data[start:]), end{level: -1}
		}
		at += i + 1
	}
}

func nonEmpty(b []byte) []byte {
	if len(b) == 0 {
		return nil
	}
	return b
}

// atDelimiter takes a delimiter line if the walk stands before one.
func (s *splitter) atDelimiter() (end, bool) {
	e, ok := s.delimiter(s.pos)
	if ok {
		s.pos = e.next
	}
	return e, ok
}

// delimiter reports whether the line at data[at:] is a delimiter of an open
// boundary, innermost first. White space may follow it.
func (s *splitter) delimiter(at int) (end, bool) {
	rest := s.data[at:]
	if len(s.bounds) == 0 || len(rest) < 2 || rest[0] != '-' || rest[1] != '-' {
		return end{}, false
	}
	l := line(rest)
	next := at + min(len(l)+1, len(rest))
	for i := len(s.bounds) - 1; i >= 0; i-- {
		b := s.bounds[i]
		if len(l) < 2+len(b) || string(l[2:2+len(b)]) != b {
			continue
		}
		tail := l[2+len(b):]
		if len(tail) >= 2 && tail[0] == '-' && tail[1] == '-' && isBlank(tail[2:]) {
			return end{level: i, last: true, next: next}, true
		}
		if isBlank(tail) {
			return end{level: i, next: next}, true
		}
	}
	return end{}, false
}

// isBlank reports whether there is nothing but white space.
func isBlank(b []byte) bool {
	for _, c := range b {
		if c != ' ' && c != '\t' && c != '\r' {
			return false
		}
	}
	return true
}
