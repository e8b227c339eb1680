package directory

import (
	"encoding/binary"
	"errors"
)

// The part of BER (X.690) that LDAP uses: tags of one byte and definite
// lengths (RFC 4511 5.1). Encoders append to a slice, the decoder walks one.

// Universal tags.
const (
	tagBoolean    = 0x01
	tagInteger    = 0x02
	tagOctets     = 0x04
	tagEnumerated = 0x0a
	tagSequence   = 0x30
	tagSet        = 0x31
)

// longHeader is the size of the header that openTag makes: tag, 0x84, length.
const longHeader = 6

// openTag begins an element whose length is not yet known.
func openTag(b []byte, tag byte) (out []byte, at int) {
	return append(b, tag, 0x84, 0, 0, 0, 0), len(b)
}

// closeTag writes the length of the element that begins at the offset. The
// long form is legal for any length.
func closeTag(b []byte, at int) []byte {
	binary.BigEndian.PutUint32(b[at+2:], uint32(len(b)-at-longHeader))
	return b
}

func appendLength(b []byte, n int) []byte {
	if n < 0x80 {
		return append(b, byte(n))
	}
	return binary.BigEndian.AppendUint32(append(b, 0x84), uint32(n))
}

func appendOctets[S string | []byte](b []byte, tag byte, s S) []byte {
	return append(appendLength(append(b, tag), len(s)), s...)
}

// appendInt writes a number that is not negative, in the fewest bytes.
func appendInt(b []byte, tag byte, n int) []byte {
	size := 1
	for n>>(8*size-1) != 0 {
		size++
	}
	b = append(b, tag, byte(size))
	for i := size - 1; i >= 0; i-- {
		b = append(b, byte(n>>(8*i)))
	}
	return b
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, tagBoolean, 1, 0xff)
	}
	return append(b, tagBoolean, 1, 0)
}

// errMalformed: what the server sent is no LDAP.
var errMalformed = errors.New("malformed answer")

// decoder walks the elements of a slice, which it shares.
type decoder []byte

// next takes one element off.
func (d *decoder) next() (tag byte, content decoder, err error) {
	tag, size, head, err := header(*d)
	if err != nil || head == 0 || size > len(*d)-head {
		return 0, nil, errMalformed
	}
	content = (*d)[head : head+size : head+size]
	*d = (*d)[head+size:]
	return tag, content, nil
}

// take takes one element off that must have the tag.
func (d *decoder) take(tag byte) (decoder, error) {
	found, content, err := d.next()
	if err != nil || found != tag {
		return nil, errMalformed
	}
	return content, nil
}

// takeInt takes a number off that is not negative and fits 31 bits (RFC 4511
// 4.1.1), as all of LDAP's are.
func (d *decoder) takeInt(tag byte) (int, error) {
	b, err := d.take(tag)
	if err != nil || len(b) == 0 || len(b) > 8 || b[0]&0x80 != 0 {
		return 0, errMalformed
	}
	n := 0
	for _, c := range b {
		n = n<<8 | int(c)
		if n > 1<<31-1 {
			return 0, errMalformed
		}
	}
	return n, nil
}

// count counts the elements, which must all have the tag, so that the slice
// for them can be made in its size.
func (d decoder) count(tag byte) (int, error) {
	n := 0
	for len(d) > 0 {
		if _, err := d.take(tag); err != nil {
			return 0, err
		}
		n++
	}
	return n, nil
}

// maxNesting bounds wellFormed.
const maxNesting = 10

// wellFormed checks what is not read: elements that later versions of LDAP
// may add (RFC 4511 4), and of which we know only that they are elements.
func (d decoder) wellFormed(depth int) error {
	for len(d) > 0 {
		tag, content, err := d.next()
		if err != nil || depth == 0 {
			return errMalformed
		}
		if constructed := tag&0x20 != 0; constructed {
			if err := content.wellFormed(depth - 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// header reads tag and length at the beginning of b. With too few bytes to
// tell, head is 0.
func header(b []byte) (tag byte, size, head int, err error) {
	if len(b) < 2 {
		return 0, 0, 0, nil
	}
	tag = b[0]
	if tag&0x1f == 0x1f {
		return 0, 0, 0, errMalformed // a tag of several bytes
	}
	if b[1] < 0x80 {
		return tag, int(b[1]), 2, nil
	}
	count := int(b[1] & 0x7f)
	if count == 0 || count > 8 {
		return 0, 0, 0, errMalformed // indefinite, or beyond all reason
	}
	if len(b) < 2+count {
		return 0, 0, 0, nil
	}
	for _, c := range b[2 : 2+count] {
		size = size<<8 | int(c)
		if size > 1<<31-1 {
			return 0, 0, 0, errMalformed
		}
	}
	return tag, size, 2 + count, nil
}
