package message

import (
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/ianaindex"
)

// fallbackCharset is what undeclared 8-bit text is that is not UTF-8: it is the
// commonest, and no octet is invalid in it.
const fallbackCharset = "windows-1252"

// decoder turns raw header text into UTF-8.
type decoder struct {
	// guess gives the charsets to try, in order, for 8-bit text that is not
	// UTF-8. It is asked once, when the first such text comes.
	guess    func() []string
	tried    bool
	charsets []string
}

// text decodes the raw value of an unstructured field or a phrase: 8-bit text
// and encoded words (RFC 2047), the latter wherever they stand. The result is
// valid UTF-8 without NUL.
func (d *decoder) text(s string) string {
	if plain(s) {
		return s
	}
	if !utf8.ValidString(s) {
		s = d.raw(s)
	}
	if strings.Contains(s, "=?") {
		s = d.words(s)
	}
	return clean(s)
}

// plain reports ASCII without encoded words or NUL, which needs no decoding.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c >= utf8.RuneSelf || c == 0:
			return false
		case c == '=' && i+1 < len(s) && s[i+1] == '?':
			return false
		}
	}
	return true
}

// clean replaces octets that are not UTF-8, and NUL, by question marks, as
// DBMail does.
func clean(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s))
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == 0 || r == utf8.RuneError && n == 1 {
			b.WriteByte('?')
		} else {
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// raw decodes 8-bit text whose charset nothing in the text tells.
func (d *decoder) raw(s string) string {
	if !d.tried && d.guess != nil {
		d.charsets, d.tried = d.guess(), true
	}
	for _, name := range d.charsets {
		if e := charsetNamed(name); e != nil {
			if out, err := e.NewDecoder().String(s); err == nil && !strings.ContainsRune(out, utf8.RuneError) {
				return out
			}
		}
	}
	out, err := charsetNamed(fallbackCharset).NewDecoder().String(s)
	if err != nil {
		return s
	}
	return out
}

// charset decodes s, which is said to be in the named charset.
func (d *decoder) charset(name, s string) string {
	name, _, _ = strings.Cut(name, "*") // RFC 2231 section 5: language
	if isASCII(s) && !statefulCharset(name) {
		return s
	}
	switch strings.ToLower(name) {
	case "utf-8", "utf8":
		return s // clean mends what is invalid
	case "", "us-ascii", "ascii", "unknown-8bit", "x-unknown", "default", "8bit":
		if utf8.ValidString(s) {
			return s
		}
		return d.raw(s)
	}
	e := charsetNamed(name)
	if e == nil {
		if utf8.ValidString(s) {
			return s
		}
		return d.raw(s)
	}
	out, err := e.NewDecoder().String(s)
	if err != nil {
		return s
	}
	return out
}

// charsetNamed finds a charset by its MIME or HTML name, leniently: iso-8859-1
// is windows-1252, as everywhere on the web. UTF-8 is not among them.
func charsetNamed(name string) encoding.Encoding {
	e, err := htmlindex.Get(strings.TrimSpace(name))
	if err == nil {
		if canonical, err := htmlindex.Name(e); err == nil && canonical != "replacement" {
			return e
		}
	}
	e, err = ianaindex.MIME.Encoding(name)
	if err != nil {
		return nil
	}
	return e
}

// statefulCharset reports charsets in which ASCII octets mean something else.
func statefulCharset(name string) bool {
	n := strings.ToLower(name)
	return strings.HasPrefix(n, "iso-2022") || strings.HasPrefix(n, "hz") || strings.HasPrefix(n, "utf-16") ||
		strings.HasPrefix(n, "ibm") || strings.HasPrefix(n, "cp0") || strings.HasPrefix(n, "csiso2022")
}

func isASCII(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
