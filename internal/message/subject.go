package message

import "strings"

// baseSubject is the base subject of RFC 5256 section 2.1, by which mailboxes
// are sorted and threaded, in lower case as DBMail stores it. Line ends of a
// folded subject stay in it, again as DBMail has it.
func baseSubject(s string) string {
	s = trim(packSpaces(s))
	for {
		was := len(s)
		if n := len(s) - len("(fwd)"); n > 0 && strings.EqualFold(s[n:], "(fwd)") {
			s = trim(s[:n])
			continue
		}
		s = stripLeaders(s)
		if len(s) > len("[fwd:]") && s[len(s)-1] == ']' && strings.EqualFold(s[:len("[fwd:")], "[fwd:") {
			s = trim(s[len("[fwd:") : len(s)-1])
			continue
		}
		for len(s) > 1 && s[0] == ':' {
			s = trim(s[1:])
		}
		if len(s) == was {
			return strings.ToLower(s)
		}
	}
}

// stripLeaders removes [blobs] and Re:, Fw:, Fwd: from the start. A blob that
// is all there is stays.
func stripLeaders(s string) string {
	for {
		if rest := stripBlob(s); rest != "" && rest != s {
			s = rest
			continue
		}
		rest, ok := stripReply(s)
		if !ok {
			return s
		}
		s = rest
	}
}

// stripBlob removes "[...]" and the space after it.
func stripBlob(s string) string {
	if s == "" || s[0] != '[' {
		return s
	}
	n := strings.IndexAny(s[1:], "[]")
	if n < 0 || s[1+n] != ']' {
		return s
	}
	return trimLeft(s[n+2:])
}

// stripReply removes one "Re:", "Fw:" or "Fwd:", which may have a blob before
// its colon.
func stripReply(s string) (string, bool) {
	n := 2
	switch {
	case len(s) >= 3 && strings.EqualFold(s[:3], "fwd"):
		n = 3
	case len(s) < 2 || !strings.EqualFold(s[:2], "re") && !strings.EqualFold(s[:2], "fw"):
		return s, false
	}
	rest := stripBlob(trimLeft(s[n:]))
	if rest == "" || rest[0] != ':' {
		return s, false
	}
	return trimLeft(rest[1:]), true
}

// packSpaces makes each run of blanks and tabs one blank.
func packSpaces(s string) string {
	if strings.IndexByte(s, '\t') < 0 && !strings.Contains(s, "  ") {
		return s
	}
	b := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '\t' {
			c = ' '
		}
		if c == ' ' && len(b) > 0 && b[len(b)-1] == ' ' {
			continue
		}
		b = append(b, c)
	}
	return string(b)
}

// trim removes ASCII white space from both ends.
func trim(s string) string {
	s = trimLeft(s)
	for len(s) > 0 && isSpace(s[len(s)-1]) {
		s = s[:len(s)-1]
	}
	return s
}

func trimLeft(s string) string {
	for len(s) > 0 && isSpace(s[0]) {
		s = s[1:]
	}
	return s
}
