package message

import (
	"bytes"
	"strings"
)

// maxFields bounds how many fields of the top-level header are looked at for
// the cache. Every byte of the others is stored all the same.
const maxFields = 10000

// field is one header field: name and value are parts of the header text, the
// value with its folds (LF form) and without its line end.
type field struct {
	name, value string
	id          fieldID
	parsed      bool
	list        []address // of an address field, when parsed
}

// cutHeader finds the header of an entity at the start of data: block is the
// header lines with their line ends, body what follows the empty line, and
// blank tells whether there was an empty line.
func cutHeader(data []byte) (block, body []byte, blank bool) {
	if len(data) > 0 && data[0] == '\n' {
		return nil, data[1:], true
	}
	if i := bytes.Index(data, []byte("\n\n")); i >= 0 {
		return data[:i+1], data[i+2:], true
	}
	return data, nil, false
}

// cutMessage is cutHeader for a whole message, which may be no message at all:
// if its first line is no header field, and no known field stands before the
// first empty line either, then all of it is body (RFC 5322 has no name for it,
// people send it).
func cutMessage(data []byte) (block, body []byte, blank bool) {
	block, body, blank = cutHeader(data)
	if len(block) == 0 || fieldName(line(block)) > 0 || knowsField(block) {
		return block, body, blank
	}
	return nil, data, false
}

// line returns the first line of b without its LF.
func line(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i]
	}
	return b
}

// knowsField reports whether one of the lines is a well-known header field.
func knowsField(block []byte) bool {
	for len(block) > 0 {
		l := line(block)
		if n := fieldName(l); n > 0 {
			if id := lookupField(string(bytes.TrimRight(l[:n], " \t"))); id != fieldOther {
				return true
			}
		}
		block = block[min(len(l)+1, len(block)):]
	}
	return false
}

// fieldName returns the length of the field name with which the line begins
// (up to the colon), or 0 if it begins with none. Blanks may stand before the
// colon, nowhere else; any other octet that is not a control may be in a name,
// as in DBMail.
func fieldName[T string | []byte](l T) int {
	blank := false
	for i := 0; i < len(l); i++ {
		switch c := l[i]; {
		case c == ':':
			if i > 0 && l[0] != ' ' && l[0] != '\t' {
				return i
			}
			return 0
		case c == ' ' || c == '\t':
			blank = true
		case blank || c < ' ' || c == 0x7f:
			return 0
		}
	}
	return 0
}

// fieldList splits a header block into its fields. Lines that are no fields
// (and what is folded below them) are left out.
func fieldList(block string) []field {
	fields := make([]field, 0, min(strings.Count(block, "\n")+1, 24))
	for len(block) > 0 && len(fields) < maxFields {
		end := fieldEnd(block)
		text := strings.TrimSuffix(block[:end], "\n")
		if n := fieldName(text); n > 0 {
			name := strings.TrimRight(text[:n], " \t")
			fields = append(fields, field{name: name, value: text[n+1:], id: lookupField(name)})
		}
		block = block[end:]
	}
	return fields
}

// fieldEnd returns where the first field of block, with its continuation
// lines, ends.
func fieldEnd[T string | []byte](block T) int {
	for i := 0; i < len(block); i++ {
		if block[i] != '\n' {
			continue
		}
		if i+1 == len(block) || block[i+1] != ' ' && block[i+1] != '\t' {
			return i + 1
		}
	}
	return len(block)
}

// findField returns the raw value of the first field with this name.
func findField(block []byte, name string) (value []byte, ok bool) {
	for len(block) > 0 {
		if l := line(block); hasName(l, name) {
			end := fieldEnd(block)
			return bytes.TrimSuffix(block[bytes.IndexByte(l, ':')+1:end], []byte("\n")), true
		} else {
			block = block[min(len(l)+1, len(block)):]
		}
	}
	return nil, false
}

// hasName reports whether the line begins a field with this name.
func hasName(l []byte, name string) bool {
	if len(l) <= len(name) || !equalFold(l[:len(name)], name) {
		return false
	}
	for _, c := range l[len(name):] {
		if c == ':' {
			return true
		}
		if c != ' ' && c != '\t' {
			return false
		}
	}
	return false
}

// equalFold compares ASCII text without regard to case. b is as long as s.
func equalFold(b []byte, s string) bool {
	for i, c := range b {
		if c != s[i] && lower(c) != lower(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
