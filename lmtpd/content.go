package lmtpd

import (
	"bytes"
	"io"
	"time"
)

// startContent says that a message is being read; chunked, that it comes by
// BDAT, with commands in between. It gives the reader of the content: r, which
// is go-smtp's, or our own where go-smtp has read nothing of it yet.
func (c *conn) startContent(r io.Reader, chunked bool) io.Reader {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.content, c.chunked, c.consumed = true, chunked, 0
	c.final, c.proven, c.watch, c.arrived = 0, nil, nil, false
	if chunked || !c.aligned {
		return countedContent{r, c}
	}
	return &dotReader{c: c}
}

// endContent says that commands are next.
func (c *conn) endContent() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.content, c.chunked, c.received, c.consumed = false, false, 0, 0
	if c.draining {
		_ = c.Conn.SetReadDeadline(time.Now())
	}
}

// countedContent tells the connection what was taken as content.
type countedContent struct {
	r io.Reader
	c *conn
}

func (r countedContent) Read(p []byte) (int, error) {
	n, err := r.r.Read(p)
	r.c.mu.Lock()
	r.c.consumed += int64(n)
	r.c.mu.Unlock()
	return n, err
}

// dotReader reads the content of DATA (RFC 5321 4.5.2): dots unstuffed, up to the
// line that is one dot. Only CRLF ends a line: a bare LF or CR is content, and
// a dot behind it ends nothing.
type dotReader struct {
	c     *conn
	state dotState
}

type dotState int

const (
	lineStart  dotState = iota // the zero value
	afterDot                   // a dot at the start of a line, held back
	afterDotCR                 // … and a CR
	afterCR
	inLine
	ended
)

var lineDot = []byte("\r\n.")

// Read implements io.Reader.
func (d *dotReader) Read(p []byte) (int, error) {
	d.c.mu.Lock()
	defer d.c.mu.Unlock()
	n := 0
	for d.state != ended && n < len(p) {
		if len(d.c.buf) == 0 && n > 0 {
			return n, nil
		}
		if err := d.c.fill(); err != nil {
			return n, err
		}
		got, used := d.unstuff(p[n:], d.c.buf)
		n += got
		d.c.buf = d.c.buf[used:]
	}
	if d.state == ended {
		return n, io.EOF
	}
	return n, nil
}

// unstuff moves content from src to dst, neither of them empty, and tells how
// much it has written and used.
func (d *dotReader) unstuff(dst, src []byte) (n, used int) {
	switch c := src[0]; d.state {
	case lineStart:
		if c == '.' {
			d.state = afterDot
			return 0, 1
		}
		d.state = inLine
	case afterDot:
		if c == '\r' {
			d.state = afterDotCR
			return 0, 1
		}
		d.state = inLine
	case afterDotCR:
		if c == '\n' {
			d.state = ended
			d.c.rest = []byte(".\r\n") // for go-smtp, which waits for it
			return 0, 1
		}
		dst[0] = '\r'
		d.state = afterCR
		return 1, 0
	case afterCR:
		switch c {
		case '\n':
			d.state = lineStart
		case '\r':
		default:
			d.state = inLine
		}
		dst[0] = c
		return 1, 1
	}
	block := src[:min(len(src), len(dst))]
	if i := bytes.Index(block, lineDot); i >= 0 {
		block = block[:i+2]
	}
	switch {
	case bytes.HasSuffix(block, lineDot[:2]):
		d.state = lineStart
	case block[len(block)-1] == '\r':
		d.state = afterCR
	}
	copy(dst, block)
	return len(block), len(block)
}

// drain reads what is left of the content, so that none of it is taken for
// commands.
func (d *dotReader) drain() { _, _ = io.Copy(io.Discard, d) }
