package message

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// What DBMail's own reader can hold (FACTS: dbmail_partlists is smallint, the
// reader has 64 levels below the message and 127 octets for a boundary).
const (
	maxDepth    = 64
	maxBoundary = 127
	maxPosition = 32767
)

// Stored is what a reader has of a message: its rows in the order of part_key,
// part_order, part_depth descending, and the two sizes of dbmail_physmessage.
type Stored struct {
	Parts         []Part
	Size, RFCSize int64
}

// Rebuild writes the message, with its Return-Path line, with CRLF line ends:
// what IMAP's BODY[] is. The rows are joined by the rules of DBMail's reader,
// except that nothing is cut that is too long or too deep for that one.
// Errors are those of w, wrapped.
//
// The rows of a header with and without its empty line are the same; the sizes
// tell which it was.
func Rebuild(w io.Writer, s Stored) error {
	out := crlfWriter{w: bufio.NewWriterSize(w, 32<<10)}
	a := assembler{out: &out, noBlank: !hasBlank(s)}
	a.all(s.Parts)
	if err := out.w.Flush(); err != nil {
		return fmt.Errorf("write message: %w", err)
	}
	return nil
}

// hasBlank tells whether an empty line follows the message's header. Only the
// first header of a message without structure can lack it.
func hasBlank(s Stored) bool {
	switch {
	case len(s.Parts) == 0 || len(s.Parts) > 2 || len(s.Parts) == 2 && s.Parts[1].Header:
		return true
	}
	var n int64 // octets of the message without an empty line
	for _, p := range s.Parts {
		n += crlfLen(p.Data)
	}
	switch s.RFCSize {
	case n:
		// DBMail's APPEND adds no Return-Path and counts an empty line
		// always, but Size is what came.
		return false
	case n + 2:
		return len(s.Parts) != 1 || s.Size != n
	}
	if len(s.Parts) != 1 {
		return true
	}
	// A row of DBMail's delivery, whose sizes are without the Return-Path line.
	first := crlfLen(line(s.Parts[0].Data)) + 2
	lf := int64(len(s.Parts[0].Data)) - first + 1
	return s.Size != n-first && s.Size != lf
}

// crlfLen is the number of octets of b when its line ends are CRLF.
func crlfLen(b []byte) int64 { return int64(len(b) + bytes.Count(b, []byte{'\n'})) }

// sink takes the rebuilt message piece by piece, in LF form.
type sink interface {
	put(b []byte)
	puts(s string)
}

// assembler joins rows to a message by the rules of DBMail's reader, a state
// machine that looks at one row at a time.
type assembler struct {
	out     sink
	strict  bool // cut what DBMail's reader would cut
	noBlank bool // no empty line after the first header

	rows        int
	depth       int
	header      bool     // the row before was a header
	boundary    string   // the last one found or returned to
	levels      []string // boundary of each depth, "" when none or closed
	gotBoundary bool     // the row before was a header with a boundary
	isMessage   bool     // the last header with a Content-Type was message/rfc822
}

// all joins the rows and closes what is open at the end.
func (a *assembler) all(parts []Part) {
	a.header = true
	for i := range parts {
		a.row(&parts[i])
	}
	if a.rows > 2 && a.level(0) != "" {
		a.delimiter("\n--", a.level(0), "--\n")
	}
}

// row adds one row.
func (a *assembler) row(p *Part) {
	before, afterHeader := a.depth, a.header
	a.depth = p.Depth
	if a.strict && p.Depth > maxDepth {
		return
	}
	a.header = p.Header
	afterBoundary, afterMessage := a.gotBoundary, a.isMessage
	a.gotBoundary = false
	if p.Header {
		a.readType(p)
	}
	for before > 0 && before-1 >= p.Depth && a.level(before-1) != "" {
		before--
		a.delimiter("\n--", a.levels[before], "--\n")
		a.levels[before] = ""
	}
	if b := a.level(p.Depth - 1); b != "" {
		a.boundary = b
	}
	if p.Header {
		switch {
		case afterHeader && p.Depth > 0 && !afterMessage:
			a.delimiter("--", a.boundary, "\n")
		case !afterHeader || afterBoundary:
			a.delimiter("\n--", a.boundary, "\n")
		}
	}
	a.out.put(p.Data)
	if p.Header && !(a.noBlank && a.rows == 0) {
		a.out.puts("\n")
	}
	a.rows++
}

// readType learns type and boundary from a header row.
func (a *assembler) readType(p *Part) {
	value, ok := searchType(p.Data)
	if !ok {
		return // and isMessage stays what it was
	}
	ct := parseContentType(value)
	a.isMessage = ct.is("message", "rfc822")
	if !ct.hasBoundary {
		return
	}
	b := ct.boundary
	if a.strict && len(b) > maxBoundary {
		b = b[:maxBoundary]
	}
	a.gotBoundary = true
	a.boundary = b
	for len(a.levels) <= p.Depth {
		a.levels = append(a.levels, "")
	}
	a.levels[p.Depth] = b
}

// level is the open boundary of a depth, "" if there is none.
func (a *assembler) level(depth int) string {
	if depth < 0 || depth >= len(a.levels) {
		return ""
	}
	return a.levels[depth]
}

func (a *assembler) delimiter(before, boundary, after string) {
	a.out.puts(before)
	a.out.puts(boundary)
	a.out.puts(after)
}

// searchType finds the Content-Type in a header as DBMail's reader does, which
// searches the text for the name, a colon and one blank: a second line before
// the first, and the whole value until a line end that no white space follows.
func searchType(header []byte) (value string, ok bool) {
	const name = "content-type: "
	at := -1
	for i := 0; i < len(header); {
		n := bytes.IndexByte(header[i:], '\n')
		if n < 0 {
			break
		}
		i += n + 1
		if startsWith(header[i:], name) {
			at = i
			break
		}
	}
	if at < 0 {
		if !startsWith(header, name) {
			return "", false
		}
		at = 0
	}
	v := header[at+len(name)-1:]
	for i, c := range v {
		if (c == '\n' || c == '\r') && (i+1 == len(v) || !isSpace(v[i+1])) {
			v = v[:i]
			break
		}
	}
	return string(v), true
}

func startsWith(b []byte, name string) bool {
	return len(b) >= len(name) && lower(b[0]) == name[0] && equalFold(b[:len(name)], name)
}

// isSpace is isspace(3) in the C locale.
func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' }
