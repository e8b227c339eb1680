package message

import (
	"bufio"
	"bytes"
	"strings"
)

// crlfWriter writes with CRLF line ends. Errors are kept by w.
type crlfWriter struct {
	w *bufio.Writer
}

func (c *crlfWriter) put(b []byte) {
	for {
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			break
		}
		c.w.Write(b[:i])
		c.w.WriteString("\r\n")
		b = b[i+1:]
	}
	c.w.Write(b)
}

func (c *crlfWriter) puts(s string) {
	for {
		before, after, found := strings.Cut(s, "\n")
		c.w.WriteString(before)
		if !found {
			return
		}
		c.w.WriteString("\r\n")
		s = after
	}
}

// comparer checks that what it is given is head and then body, and nothing else.
type comparer struct {
	head, body []byte // what is still to come
	differs    bool
}

func (c *comparer) put(b []byte) {
	if c.differs {
		return
	}
	if len(c.head) > 0 {
		n := min(len(b), len(c.head))
		if !same(b[:n], c.head[:n]) {
			c.differs = true
			return
		}
		b, c.head = b[n:], c.head[n:]
	}
	if len(b) > len(c.body) || !same(b, c.body[:len(b)]) {
		c.differs = true
		return
	}
	c.body = c.body[len(b):]
}

func (c *comparer) puts(s string) {
	if n := len(s); !c.differs && len(c.head) == 0 && n <= len(c.body) {
		c.differs = string(c.body[:n]) != s
		c.body = c.body[n:]
		return
	}
	c.put([]byte(s))
}

// equal reports whether all of it came.
func (c *comparer) equal() bool { return !c.differs && len(c.head) == 0 && len(c.body) == 0 }

// same compares; parts mostly are the very octets that they are compared with.
func same(a, b []byte) bool {
	return len(a) == 0 || &a[0] == &b[0] || bytes.Equal(a, b)
}
