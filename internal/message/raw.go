package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// ErrTooLarge is returned by ReadRaw when the message has more octets than the limit.
var ErrTooLarge = errors.New("message larger than the limit")

// ErrNUL is returned by ReadRaw when the message holds a NUL octet: DBMail's
// readers take it for the end of a part.
var ErrNUL = errors.New("message holds a NUL octet")

// Sizes of the buffers that ReadRaw reads into, in octets.
const (
	firstBlock = 8 << 10  // no SIZE given: most messages are small
	minBlock   = 64 << 10 // further blocks grow with the message
	maxBlock   = 1 << 20
	maxHint    = 64 << 20 // what a SIZE without any limit may make us allocate
)

// Raw is a message as received: line ends normalised to LF, everything else
// byte for byte.
type Raw struct {
	Data     []byte // LF line ends; a CR that is not followed by LF stays
	WireSize int64  // octets received after dot-unstuffing (dbmail_physmessage.messagesize)
	BareLF   bool   // a line of the header ended in a bare LF on the wire
}

// ReadRaw reads all of r, which gives the message with dots unstuffed.
//
// limit is the largest number of octets that may arrive (0: any number); more
// is ErrTooLarge. sizeHint is what the client announced (SIZE= of MAIL, RFC
// 1870; 0: nothing) and is trusted up to limit: when it is right the message is
// read into one allocation of that size. Otherwise it is collected in blocks
// and copied once, so that it exists at most twice. After ErrTooLarge and
// ErrNUL the rest of r is unread. Any other error is r's, wrapped.
func ReadRaw(r io.Reader, limit, sizeHint int64) (*Raw, error) {
	in := intake{header: true, lineStart: true}
	var blocks [][]byte
	full := 0 // octets in blocks
	buf := make([]byte, firstSize(limit, sizeHint))
	n := 0 // octets of buf in use
	for idle := 0; ; {
		from := n
		if in.cr {
			from++ // room for the CR that is still in doubt
		}
		if from >= len(buf) {
			blocks, full = append(blocks, buf[:n]), full+n
			buf, n = make([]byte, min(max(full, minBlock), maxBlock)), 0
			continue
		}
		got, err := r.Read(buf[from:])
		in.size += int64(got)
		if limit > 0 && in.size > limit {
			return nil, ErrTooLarge
		}
		if bytes.IndexByte(buf[from:from+got], 0) >= 0 {
			return nil, ErrNUL
		}
		n = in.normalise(buf, n, from, got)
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read message: %w", err)
		}
		if idle++; got > 0 {
			idle = 0
		} else if idle > 100 {
			return nil, fmt.Errorf("read message: %w", io.ErrNoProgress)
		}
	}
	if in.cr { // the last octet of all; from < len(buf) has kept its room
		buf[n] = '\r'
		n++
	}
	raw := &Raw{Data: buf[:n:n], WireSize: in.size, BareLF: in.bareLF}
	if len(blocks) > 0 || len(buf) > minBlock && n < len(buf)/2 {
		raw.Data = make([]byte, 0, full+n)
		for _, b := range append(blocks, buf[:n]) {
			raw.Data = append(raw.Data, b...)
		}
	}
	return raw, nil
}

// firstSize is the size of the first buffer: the announced size with room to
// see the end of the stream, if it can be believed.
func firstSize(limit, hint int64) int {
	if limit <= 0 {
		limit = maxHint
	}
	if hint <= 0 {
		return firstBlock
	}
	return int(min(hint, limit)) + 2
}

// intake is the state of line-end normalisation between two reads.
type intake struct {
	size      int64
	cr        bool // the last octet was a CR, not yet stored
	header    bool // the first empty line is still to come
	lineStart bool // in the header: the last octet stored was LF
	bareLF    bool
}

// normalise turns the got fresh octets at buf[from:] into LF form behind
// buf[:n], in place, and returns the new n. from is n, or n+1 after a CR in doubt.
func (in *intake) normalise(buf []byte, n, from, got int) int {
	src, end := from, from+got
	for in.header && src < end {
		c := buf[src]
		src++
		if in.cr && c != '\n' {
			buf[n] = '\r'
			n++
			in.lineStart = false
		}
		if c == '\r' {
			in.cr = true
			continue
		}
		if c == '\n' {
			in.bareLF = in.bareLF || !in.cr
			in.header = !in.lineStart
		}
		in.cr = false
		in.lineStart = c == '\n'
		buf[n] = c
		n++
	}
	if src == end {
		return n
	}
	if in.cr && buf[src] != '\n' {
		buf[n] = '\r'
		n++
	}
	in.cr = false
	for src < end {
		stop := end
		if i := bytes.IndexByte(buf[src:end], '\r'); i >= 0 {
			stop = src + i
		}
		n += copy(buf[n:], buf[src:stop])
		src = stop
		if src == end {
			break
		}
		if src++; src == end {
			in.cr = true
		} else if buf[src] != '\n' {
			buf[n] = '\r'
			n++
		}
	}
	return n
}
