package directory

import (
	"strings"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"
)

// Tags of filters (RFC 4511 4.5.1.7) and of the parts of a substring filter.
const (
	filterAnd        = 0xa0
	filterOr         = 0xa1
	filterNot        = 0xa2
	filterEquality   = 0xa3
	filterSubstrings = 0xa4
	filterGreater    = 0xa5
	filterLess       = 0xa6
	filterPresent    = 0x87
	filterApprox     = 0xa8

	substringInitial = 0x80
	substringAny     = 0x81
	substringFinal   = 0x82
)

// appendFilter encodes a search filter. Those that look-ups are made of, in
// the form of CanonicalFilter, are read here, once and without a tree; for all
// others go-ldap decides what they are, if they are filters at all.
func appendFilter(b []byte, text string) ([]byte, error) {
	e := filterEncoder{text: text, out: b}
	if e.filter(0) && e.text == "" {
		return e.out, nil
	}
	packet, err := ldap.CompileFilter(text)
	if err != nil {
		return nil, err
	}
	return append(b, packet.Bytes()...), nil
}

// filterEncoder takes the text off from its beginning. Its methods say false
// for what they do not know, also where it is wrong.
type filterEncoder struct {
	text string
	out  []byte
}

func (e *filterEncoder) filter(depth int) bool {
	if depth > maxFilterDepth || len(e.text) < 2 || e.text[0] != '(' {
		return false
	}
	tag := byte(0)
	switch e.text[1] {
	case '&':
		tag = filterAnd
	case '|':
		tag = filterOr
	case '!':
		tag = filterNot
	default:
		e.text = e.text[1:]
		return e.comparison()
	}
	e.text = e.text[2:]
	var at int
	e.out, at = openTag(e.out, tag)
	n := 0
	for ; !strings.HasPrefix(e.text, ")"); n++ {
		if !e.filter(depth + 1) {
			return false
		}
	}
	e.text = e.text[1:]
	e.out = closeTag(e.out, at)
	return n == 1 || n > 1 && tag != filterNot
}

// comparison encodes "attribute operator value)".
func (e *filterEncoder) comparison() bool {
	end := strings.IndexByte(e.text, ')')
	if end < 0 {
		return false
	}
	attribute, value, ok := strings.Cut(e.text[:end], "=")
	e.text = e.text[end+1:]
	if !ok || attribute == "" || value == "" {
		return false
	}
	tag := byte(filterEquality)
	switch last := len(attribute) - 1; attribute[last] {
	case '>':
		tag, attribute = filterGreater, attribute[:last]
	case '<':
		tag, attribute = filterLess, attribute[:last]
	case '~':
		tag, attribute = filterApprox, attribute[:last]
	}
	if !isAttribute(attribute) {
		return false
	}
	if tag == filterEquality && strings.IndexByte(value, '*') >= 0 {
		return e.stars(attribute, value)
	}
	var at int
	e.out, at = openTag(e.out, tag)
	e.out = appendOctets(e.out, tagOctets, attribute)
	if !e.value(tagOctets, value) {
		return false
	}
	e.out = closeTag(e.out, at)
	return true
}

// stars encodes "attribute=*", or a comparison with parts of a value.
func (e *filterEncoder) stars(attribute, value string) bool {
	if value == "*" {
		e.out = appendOctets(e.out, filterPresent, attribute)
		return true
	}
	if strings.Contains(value, "**") {
		return false
	}
	var at, list int
	e.out, at = openTag(e.out, filterSubstrings)
	e.out = appendOctets(e.out, tagOctets, attribute)
	e.out, list = openTag(e.out, tagSequence)
	tag := byte(substringInitial)
	for more := true; more; tag = substringAny {
		var part string
		if part, value, more = strings.Cut(value, "*"); part == "" {
			continue // the value begins or ends with a star
		}
		if !more {
			tag = substringFinal
		}
		if !e.value(tag, part) {
			return false
		}
	}
	e.out = closeTag(closeTag(e.out, list), at)
	return true
}

// value encodes a value, in which bytes may be written as a backslash and two
// hexadecimal digits.
func (e *filterEncoder) value(tag byte, text string) bool {
	if !strings.ContainsAny(text, "\\*(\x00\ufffd") && utf8.ValidString(text) {
		e.out = appendOctets(e.out, tag, text)
		return true
	}
	raw := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch b := text[i]; {
		case b == '\\' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]):
			raw = append(raw, unhex(text[i+1])<<4|unhex(text[i+2]))
			i += 2
		case b == '\\' || b == '*' || b == '(' || b == 0 || b >= utf8.RuneSelf:
			return false
		default:
			raw = append(raw, b)
		}
	}
	e.out = appendOctets(e.out, tag, raw)
	return true
}
