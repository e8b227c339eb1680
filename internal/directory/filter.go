package directory

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxFilterDepth bounds the nesting of a filter; slapd's own bound is higher
// than what anybody writes by hand.
const maxFilterDepth = 100

// CanonicalFilter turns a search filter, as OpenLDAP's libldap takes it, into
// the strict form of RFC 4515: parentheses around all of it, no blanks between
// its parts (continued lines of a file leave them), "\*" as "\2A", bytes that
// are not UTF-8 escaped. What libldap refuses is an error.
func CanonicalFilter(text string) (string, error) {
	p := filterParser{text: text, out: make([]byte, 0, len(text)+2)}
	if err := p.whole(); err != nil {
		return "", fmt.Errorf("search filter %q: %w", text, err)
	}
	return string(p.out), nil
}

type filterParser struct {
	text  string
	at    int
	out   []byte
	depth int
}

var (
	errFilterEmpty  = errors.New("it is empty")
	errFilterParens = errors.New("its parentheses do not match")
	errFilterDeep   = errors.New("it is nested too deeply")
)

func (p *filterParser) whole() error {
	if p.text == "" {
		return errFilterEmpty
	}
	if p.text[0] != '(' {
		// A comparison may stand alone without parentheses.
		return p.comparison(p.text)
	}
	if err := p.filter(); err != nil {
		return err
	}
	if p.at != len(p.text) {
		return fmt.Errorf("%q follows its end", p.text[p.at:])
	}
	return nil
}

// filter reads what stands in parentheses.
func (p *filterParser) filter() error {
	if p.depth++; p.depth > maxFilterDepth {
		return errFilterDeep
	}
	defer func() { p.depth-- }()
	p.at++ // the parenthesis
	p.blanks()
	switch p.peek() {
	case '&', '|', '!':
		return p.combination()
	case '(', 0:
		return errFilterParens
	}
	end, err := p.closing()
	if err != nil {
		return err
	}
	err = p.comparison(p.text[p.at:end])
	p.at = end + 1
	return err
}

func (p *filterParser) combination() error {
	operator := p.peek()
	p.out = append(p.out, '(', operator)
	p.at++
	for n := 0; ; n++ {
		if operator != '!' || n == 0 {
			p.blanks()
		}
		switch p.peek() {
		case ')':
			if operator == '!' && n != 1 {
				return errors.New(`"!" takes exactly one filter`)
			}
			p.at++
			p.out = append(p.out, ')')
			return nil
		case '(':
			if err := p.filter(); err != nil {
				return err
			}
		default:
			return errFilterParens
		}
	}
}

// closing finds the parenthesis that ends the comparison at hand. Those in a
// value that are not escaped have to come in pairs.
func (p *filterParser) closing() (int, error) {
	open := 1
	for i := p.at; i < len(p.text); i++ {
		switch p.text[i] {
		case '\\':
			i++
		case '(':
			open++
		case ')':
			if open--; open == 0 {
				return i, nil
			}
		}
	}
	return 0, errFilterParens
}

// comparison writes one comparison, "attribute operator value".
func (p *filterParser) comparison(text string) error {
	left, value, ok := strings.Cut(text, "=")
	if !ok {
		return fmt.Errorf("%q is no comparison", text)
	}
	attribute, extensible := left, false
	if n := len(left); n > 0 {
		switch left[n-1] {
		case '<', '>', '~':
			attribute = left[:n-1]
		case ':':
			attribute, extensible = left[:n-1], true
		}
	}
	if extensible {
		if !isExtensible(attribute) {
			return fmt.Errorf("%q is no matching rule assertion", left)
		}
	} else if !isAttribute(attribute) {
		return fmt.Errorf("%q is no attribute", attribute)
	}
	p.out = append(p.out, '(')
	p.out = append(p.out, left...)
	p.out = append(p.out, '=')
	if err := p.value(value, extensible || attribute != left); err != nil {
		return err
	}
	p.out = append(p.out, ')')
	return nil
}

// value writes a value; a "*" that is not escaped is a wildcard, where there
// can be one, and no two in a row.
func (p *filterParser) value(text string, plain bool) error {
	afterStar := false
	for i := 0; i < len(text); i++ {
		b := text[i]
		star := b == '*' && !plain && !afterStar
		afterStar = b == '*'
		switch {
		case b == '\\' && i+2 < len(text) && isHex(text[i+1]) && isHex(text[i+2]):
			p.out = append(p.out, text[i:i+3]...)
			i += 2
		case b == '\\':
			// The form of LDAPv2, before RFC 2254.
			if i++; i == len(text) || strings.IndexByte(`()*\`, text[i]) < 0 {
				return errors.New(`"\" takes two hexadecimal digits`)
			}
			p.out = appendHex(p.out, text[i:i+1])
		case star:
			p.out = append(p.out, b)
		case b == '*' || b == '(' || b == ')':
			return fmt.Errorf("%q in a value has to be escaped", b)
		case b < utf8.RuneSelf:
			p.out = append(p.out, EscapeFilter(text[i:i+1])...)
		default:
			_, size := utf8.DecodeRuneInString(text[i:])
			p.out = append(p.out, EscapeFilter(text[i:i+size])...)
			i += size - 1
		}
	}
	return nil
}

func (p *filterParser) peek() byte {
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *filterParser) blanks() {
	for strings.IndexByte(" \t\n", p.peek()) >= 0 {
		p.at++
	}
}

func isHex(b byte) bool {
	return b >= '0' && b <= '9' || b >= 'a' && b <= 'f' || b >= 'A' && b <= 'F'
}

// isAttribute checks an attribute description with its options (RFC 4512 2.5).
func isAttribute(text string) bool {
	name, options, _ := strings.Cut(text, ";")
	if !isName(name) && !isOID(name) {
		return false
	}
	if len(name) < len(text) {
		for _, option := range strings.Split(options, ";") {
			if option == "" || strings.Trim(option, nameBytes) != "" {
				return false
			}
		}
	}
	return true
}

const (
	letters   = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	digits    = "0123456789"
	nameBytes = letters + digits + "-"
)

func isName(text string) bool {
	return text != "" && strings.IndexByte(letters, text[0]) >= 0 && strings.Trim(text, nameBytes) == ""
}

func isOID(text string) bool {
	if text == "" {
		return false
	}
	for _, arc := range strings.Split(text, ".") {
		if arc == "" || strings.Trim(arc, digits) != "" || len(arc) > 1 && arc[0] == '0' {
			return false
		}
	}
	return true
}

// isExtensible checks what stands before ":=": attribute, ":dn", ":rule", of
// which attribute or rule has to be there.
func isExtensible(text string) bool {
	attribute, rest, more := strings.Cut(text, ":")
	if attribute != "" && !isAttribute(attribute) {
		return false
	}
	rule := ""
	if more {
		dn, after, both := strings.Cut(rest, ":")
		switch {
		case both && strings.EqualFold(dn, "dn"):
			rule = after
		case both:
			return false
		case !strings.EqualFold(rest, "dn"):
			rule = rest
		}
		if rule != "" && !isName(rule) && !isOID(rule) {
			return false
		}
	}
	return attribute != "" || rule != ""
}
