package message

import (
	"bytes"
	"strings"
)

// contentType is a Content-Type field as DBMail understands it.
type contentType struct {
	kind, sub   string // as spelled
	charset     string
	boundary    string
	hasBoundary bool
	doubtful    bool // the boundary may be read otherwise by DBMail: do not split
}

// is reports whether the type is kind/sub; sub "*" is any.
func (ct *contentType) is(kind, sub string) bool {
	return strings.EqualFold(ct.kind, kind) && (sub == "*" || strings.EqualFold(ct.sub, sub))
}

// parseContentType reads the value of a Content-Type field (RFC 2045 section
// 5.1) as leniently as DBMail does: an unquoted parameter value extends to the
// next semicolon. What has no type/subtype at all is application/octet-stream.
func parseContentType(value string) contentType {
	p := paramParser{s: value}
	p.skipSpace()
	kind := p.token()
	p.skipSpace()
	slash := p.eat('/')
	p.skipSpace()
	sub := p.token()
	if !slash || sub == "" {
		return contentType{kind: "application", sub: "octet-stream"}
	}
	ct := contentType{kind: kind, sub: sub}
	ct.doubtful = p.toParams() && ct.is("multipart", "*")
	for _, a := range p.params() {
		switch {
		case strings.EqualFold(a.name, "charset"):
			ct.charset = a.value
		case strings.EqualFold(a.name, "boundary"):
			ct.boundary, ct.hasBoundary = a.value, true
			ct.doubtful = ct.doubtful || a.doubtful || a.value == ""
		}
	}
	return ct
}

// typeOf returns the type of the entity with this header, and whether the
// header declares it.
func typeOf(header []byte) (ct contentType, declared bool) {
	v, ok := findField(header, "content-type")
	if !ok {
		return contentType{kind: "text", sub: "plain"}, false
	}
	return parseContentType(string(v)), true
}

// encoded reports whether the header declares an encoding that hides the
// structure of what it encodes.
func encoded(header []byte) bool {
	v, _ := findField(header, "content-transfer-encoding")
	v = bytes.TrimSpace(v)
	for _, name := range []string{"base64", "quoted-printable", "x-uuencode", "uuencode"} {
		if len(v) == len(name) && equalFold(v, name) {
			return true
		}
	}
	return false
}
