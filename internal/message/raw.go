package message

import (
	"errors"
	"io"
)

// ErrTooLarge is returned by ReadRaw when the message has more octets than the limit.
var ErrTooLarge = errors.New("message larger than the limit")

// ErrNUL is returned by ReadRaw when the message holds a NUL octet, which
// readers of a DBMail store take for the end of the part.
var ErrNUL = errors.New("message holds a NUL octet")

// Raw is a message as received: line ends normalised to LF, everything else
// byte for byte.
type Raw struct {
	Data     []byte // LF line ends; a CR that is not followed by LF stays
	WireSize int64  // octets received, after dot-unstuffing
	BareLF   bool   // a line of the header ended in a bare LF on the wire
}

// ReadRaw reads all of r.
func ReadRaw(r io.Reader, limit, sizeHint int64) (*Raw, error) {
	return nil, errors.New("not yet")
}
