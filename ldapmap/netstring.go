package ldapmap

import (
	"errors"
	"strconv"
)

// Limits of socketmap_table(5).
const (
	// maxReply is how many bytes of payload Postfix takes (a constant before
	// 3.10, there the default of socketmap_max_reply_size). It answers one
	// more with a temporary error.
	maxReply = 100000
	// maxKey is the longest key that we take. Postfix before 3.12 sends keys
	// of any length, later ones up to 10,000 bytes.
	maxKey = 64 << 10
	// maxName is the longest table name.
	maxName = 255
	// maxRequest is the payload of a request: name, space, key.
	maxRequest = maxName + 1 + maxKey
	// maxDigits bounds the length of a netstring's length. Leading zeros are
	// no error to Postfix, so they are none here, within reason.
	maxDigits = 9
)

// What is wrong with a request's frame. No reply is possible after it, as
// nobody knows where the next request begins.
var (
	errNoLength  = errors.New("a request does not begin with its length")
	errTooLong   = errors.New("a request is longer than " + strconv.Itoa(maxRequest) + " bytes")
	errNoComma   = errors.New("a request does not end with a comma where its length says")
	errNoRequest = errors.New("the connection ended inside a request")
)

// parseNetstring finds a netstring (https://cr.yp.to/proto/netstrings.txt) at
// the beginning of buf. It gives its payload, which lies in buf, and how many
// bytes of buf it takes; 0 when buf holds only its beginning, with the number
// of bytes that the whole will have, as far as that is known.
func parseNetstring(buf []byte) (payload []byte, used, want int, err error) {
	length, digits := 0, 0
	for ; digits < len(buf) && buf[digits] >= '0' && buf[digits] <= '9'; digits++ {
		if digits == maxDigits {
			return nil, 0, 0, errNoLength
		}
		length = 10*length + int(buf[digits]-'0')
		if length > maxRequest {
			return nil, 0, 0, errTooLong
		}
	}
	if digits == len(buf) {
		return nil, 0, digits + 1, nil
	}
	if digits == 0 || buf[digits] != ':' {
		return nil, 0, 0, errNoLength
	}
	end := digits + 1 + length
	if len(buf) <= end {
		return nil, 0, end + 1, nil
	}
	if buf[end] != ',' {
		return nil, 0, 0, errNoComma
	}
	return buf[digits+1 : end], end + 1, end + 1, nil
}

// appendReply appends the netstring of "STATUS data". The space is always
// there: Postfix before 3.8.16 takes "OK" alone for "not found".
func appendReply(dst []byte, status, data string) []byte {
	dst = strconv.AppendInt(dst, int64(len(status)+1+len(data)), 10)
	dst = append(dst, ':')
	dst = append(dst, status...)
	dst = append(dst, ' ')
	dst = append(dst, data...)
	return append(dst, ',')
}
