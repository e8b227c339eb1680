package message

import (
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxParams bounds the parameters that are read of one field.
const maxParams = 64

// param is one parameter of a Content-Type or Content-Disposition field.
type param struct {
	name, value string
	doubtful    bool // an unusual form: other readers may see another value
}

// paramParser reads structured MIME fields (RFC 2045, RFC 2231) the lenient way.
type paramParser struct {
	s string
	i int
}

func (p *paramParser) eat(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// skipSpace skips white space and comments.
func (p *paramParser) skipSpace() {
	for p.i < len(p.s) {
		switch p.s[p.i] {
		case ' ', '\t', '\n', '\r':
			p.i++
		case '(':
			depth := 0
			for ; p.i < len(p.s); p.i++ {
				if c := p.s[p.i]; c == '\\' {
					p.i++
				} else if c == '(' {
					depth++
				} else if c == ')' {
					if depth--; depth == 0 {
						p.i++
						break
					}
				}
			}
			p.i = min(p.i, len(p.s))
		default:
			return
		}
	}
}

// token reads a MIME token (RFC 2045 section 5.1), which may be empty.
func (p *paramParser) token() string {
	start := p.i
	for p.i < len(p.s) && isToken(p.s[p.i]) {
		p.i++
	}
	return p.s[start:p.i]
}

func isToken(c byte) bool {
	return c > ' ' && c < 0x7f && !strings.ContainsRune(`()<>@,;:\"/[]?=`, rune(c))
}

// toParams moves to the semicolon before the first parameter, over whatever
// stands there, and reports whether what it skipped is odd.
func (p *paramParser) toParams() (odd bool) {
	p.skipSpace()
	from := p.i
	for p.i < len(p.s) && p.s[p.i] != ';' {
		p.i++
	}
	return strings.ContainsAny(p.s[from:p.i], "(\"")
}

// params reads "; name=value" as often as it comes. It ends at the first
// parameter that is none, as DBMail does, so that both see the same boundary.
func (p *paramParser) params() []param {
	var list []param
	var pieces []piece
	for len(list)+len(pieces) < maxParams && p.eat(';') {
		p.skipSpace()
		name := p.token()
		p.skipSpace()
		if name == "" {
			continue
		}
		if !p.eat('=') {
			break
		}
		value, odd, ok := p.value()
		if !ok {
			break
		}
		if plain, number, ext, ok := splitStar(name); ok {
			pieces = append(pieces, piece{plain, value, number, ext})
		} else {
			list = append(list, param{name: name, value: value, doubtful: odd})
		}
		p.skipSpace()
	}
	return append(list, joinPieces(pieces)...)
}

// value reads a quoted string, or everything to the next semicolon, which must
// be something. odd marks values on which readers differ.
func (p *paramParser) value() (v string, odd, ok bool) {
	p.skipSpace()
	start := p.i
	if !p.eat('"') {
		for p.i < len(p.s) && p.s[p.i] != ';' {
			p.i++
		}
		v = strings.TrimRight(p.s[start:p.i], " \t\r\n")
		return v, oddValue(v), v != ""
	}
	escaped := false
	for p.i < len(p.s) && p.s[p.i] != '"' {
		if p.s[p.i] == '\\' {
			escaped = true
			p.i++
		}
		p.i++
	}
	if p.i >= len(p.s) { // no closing quote: DBMail keeps the opening one
		p.i = len(p.s)
		return p.s[start:], true, true
	}
	v = p.s[start+1 : p.i]
	p.i++
	if escaped {
		v = unescape(v)
	}
	return v, oddValue(v), true
}

// oddValue reports values that DBMail's library decodes further.
func oddValue(v string) bool {
	return strings.ContainsAny(v, "\n\r") || strings.Contains(v, "=?") || !utf8.ValidString(v)
}

// unescape removes the backslashes of a quoted string.
func unescape(v string) string {
	var b strings.Builder
	for i := 0; i < len(v); i++ {
		if v[i] == '\\' && i+1 < len(v) {
			i++
		}
		b.WriteByte(v[i])
	}
	return b.String()
}

// piece is a parameter in the form of RFC 2231: name*=, name*0=, name*0*=.
type piece struct {
	name, value string
	number      int
	extended    bool // percent encoded, with a charset in front
}

// splitStar takes a parameter name of RFC 2231 apart.
func splitStar(name string) (plain string, number int, extended, ok bool) {
	plain, rest, ok := strings.Cut(name, "*")
	if !ok {
		return name, 0, false, false
	}
	if rest == "" {
		return plain, 0, true, true
	}
	digits, extended := strings.CutSuffix(rest, "*")
	number, _ = strconv.Atoi(digits)
	return plain, number, extended, true
}

// joinPieces puts the pieces of each parameter together and decodes them. The
// result is doubtful where a boundary is meant: few programs agree on these.
func joinPieces(pieces []piece) []param {
	if len(pieces) == 0 {
		return nil
	}
	sort.SliceStable(pieces, func(i, j int) bool {
		a, b := strings.ToLower(pieces[i].name), strings.ToLower(pieces[j].name)
		return a < b || a == b && pieces[i].number < pieces[j].number
	})
	var list []param
	var dec decoder
	for i := 0; i < len(pieces); {
		name, charset := pieces[i].name, ""
		var raw strings.Builder
		for first := true; i < len(pieces) && strings.EqualFold(pieces[i].name, name); i++ {
			v := pieces[i].value
			if pieces[i].extended {
				if cs, rest, ok := strings.Cut(v, "'"); ok && first {
					charset = cs
					if _, text, ok := strings.Cut(rest, "'"); ok {
						v = text
					}
				}
				v = unpercent(v)
			}
			first = false
			raw.WriteString(v)
		}
		list = append(list, param{name: name, value: dec.charset(charset, raw.String()), doubtful: true})
	}
	return list
}

// unpercent decodes %XX.
func unpercent(v string) string {
	if !strings.Contains(v, "%") {
		return v
	}
	b := make([]byte, 0, len(v))
	for i := 0; i < len(v); i++ {
		if v[i] == '%' && i+2 < len(v) {
			if n, err := strconv.ParseUint(v[i+1:i+3], 16, 8); err == nil {
				b = append(b, byte(n))
				i += 2
				continue
			}
		}
		b = append(b, v[i])
	}
	return string(b)
}
