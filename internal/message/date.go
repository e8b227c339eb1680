package message

import (
	"strings"
	"time"
)

// parseDate reads a Date field (RFC 5322 section 3.3), and with good will what
// else stands there: obsolete and asctime forms, ISO 8601, words in another
// order. The result is the local time of the sender, as if it were UTC: DBMail
// sorts and searches by it and drops the zone.
func parseDate(s string) (time.Time, bool) {
	const maxTokens = 16
	var d dateParts
	p := dateTokens{s: s}
	for n := 0; n < maxTokens; n++ {
		tok := p.next()
		if tok == "" {
			break
		}
		d.take(tok)
	}
	return d.time()
}

// dateParts collects what the tokens of a date say, the first of each kind.
type dateParts struct {
	year, month, day  int
	hour, minute, sec int
	hasYear, hasTime  bool
}

func (d *dateParts) take(tok string) {
	switch {
	case strings.Count(tok, "-") >= 2 && tok[0] != '-':
		d.dashed(tok)
	case strings.IndexByte(tok, ':') > 0:
		d.clock(tok)
	case tok[0] == '+' || tok[0] == '-':
		// the zone
	case isDigit(tok[0]):
		n, digits := number(tok)
		switch {
		case digits != len(tok):
		case d.day == 0 && digits <= 2:
			d.day = n
		case !d.hasYear && (d.month > 0 || digits >= 3):
			d.year, d.hasYear = fullYear(n, digits), true
		}
	case d.month == 0:
		d.month = monthNamed(tok)
	}
}

// clock takes hh:mm or hh:mm:ss.
func (d *dateParts) clock(tok string) {
	if d.hasTime {
		return
	}
	h, m, ok := strings.Cut(tok, ":")
	m, s, _ := strings.Cut(m, ":")
	hour, n := number(h)
	minute, k := number(m)
	sec, _ := number(s)
	if ok && n > 0 && k > 0 {
		d.hour, d.minute, d.sec, d.hasTime = hour, minute, sec, true
	}
}

// dashed takes 2026-11-03, 3-Nov-2026, and either with T and a time behind it.
func (d *dateParts) dashed(tok string) {
	if date, clock, ok := strings.Cut(tok, "T"); ok && clock != "" && isDigit(clock[0]) {
		d.clock(clock)
		tok = date
	}
	f := strings.SplitN(tok, "-", 3)
	first, n := number(f[0])
	third, k := number(f[2])
	month := monthNamed(f[1])
	if month == 0 {
		month, _ = number(f[1])
	}
	if d.day != 0 || n == 0 || k == 0 {
		return
	}
	if n > 2 {
		d.year, d.month, d.day, d.hasYear = first, month, third, true
	} else {
		d.year, d.month, d.day, d.hasYear = fullYear(third, k), month, first, true
	}
}

// time puts the parts together, if they are a date.
func (d *dateParts) time() (time.Time, bool) {
	if !d.hasYear || d.year < 1000 || d.year > 9999 || d.month < 1 || d.month > 12 || d.day < 1 ||
		d.hour > 23 || d.minute > 59 || d.sec > 60 {
		return time.Time{}, false
	}
	t := time.Date(d.year, time.Month(d.month), d.day, d.hour, d.minute, min(d.sec, 59), 0, time.UTC)
	if t.Day() != d.day {
		return time.Time{}, false // 31 February
	}
	return t, true
}

// fullYear is RFC 5322 section 4.3, with DBMail's turn of the century.
func fullYear(n, digits int) int {
	switch {
	case digits <= 2 && n < 70:
		return n + 2000
	case digits <= 3:
		return n + 1900
	}
	return n
}

// monthNamed is 1 to 12, or 0.
func monthNamed(s string) int {
	const names = "janfebmaraprmayjunjulaugsepoctnovdec"
	if len(s) < 3 {
		return 0
	}
	i := strings.Index(names, strings.ToLower(s[:3]))
	if i < 0 || i%3 != 0 {
		return 0
	}
	return i/3 + 1
}

// number reads leading digits, at most nine, and tells how many there were.
func number(s string) (n, digits int) {
	for digits < len(s) && digits < 9 && isDigit(s[digits]) {
		n = n*10 + int(s[digits]-'0')
		digits++
	}
	return n, digits
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// dateTokens cuts a date at white space and commas and leaves out comments.
type dateTokens struct {
	s string
}

func (p *dateTokens) next() string {
	for p.s != "" {
		if c := p.s[0]; c == '(' {
			_, rest, ok := strings.Cut(p.s, ")")
			if !ok {
				return ""
			}
			p.s = rest
		} else if isSpace(c) || c == ',' {
			p.s = p.s[1:]
		} else {
			break
		}
	}
	n := 0
	for n < len(p.s) && !isSpace(p.s[n]) && p.s[n] != ',' && p.s[n] != '(' {
		n++
	}
	tok := p.s[:n]
	p.s = p.s[n:]
	return tok
}
