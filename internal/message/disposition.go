package message

import (
	"strings"
	"unicode/utf8"
)

// disposition rewrites a Content-Disposition value (RFC 2183) as DBMail caches
// it: on one line, with quotes only where they are needed, and what is not
// ASCII in the form of RFC 2231.
func disposition(value string, dec *decoder) string {
	p := paramParser{s: value}
	p.skipSpace()
	kind := p.token()
	if kind == "" {
		kind = "attachment" // RFC 2183 section 2.8: what is not known is an attachment
	}
	p.toParams()
	var b strings.Builder
	b.WriteString(kind)
	for _, a := range p.params() {
		writeParam(&b, a.name, dec.text(a.value))
	}
	return clean(b.String())
}

func writeParam(b *strings.Builder, name, value string) {
	b.WriteString("; ")
	b.WriteString(name)
	switch {
	case !isASCII(value):
		b.WriteString("*=UTF-8''")
		const hex = "0123456789ABCDEF"
		for i := 0; i < len(value); i++ {
			if c := value[i]; isAttribute(c) {
				b.WriteByte(c)
			} else {
				b.Write([]byte{'%', hex[c>>4], hex[c&15]})
			}
		}
	case needsQuotes(value):
		b.WriteString(`="`)
		for i := 0; i < len(value); i++ {
			if c := value[i]; c == '"' || c == '\\' {
				b.WriteByte('\\')
			}
			b.WriteByte(value[i])
		}
		b.WriteByte('"')
	default:
		b.WriteString("=")
		b.WriteString(value)
	}
}

func needsQuotes(value string) bool {
	for i := 0; i < len(value); i++ {
		if !isAttribute(value[i]) {
			return true
		}
	}
	return false
}

// isAttribute is attribute-char of RFC 2231 section 7.
func isAttribute(c byte) bool {
	return c < utf8.RuneSelf && isToken(c) && c != '*' && c != '\'' && c != '%'
}
