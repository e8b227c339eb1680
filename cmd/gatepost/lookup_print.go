package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"gatepost/ldapmap"
)

// printExplanation shows how a look-up went, for people.
func printExplanation(w io.Writer, e *ldapmap.Explanation) error {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, "%s\n", clean(fmt.Sprintf(format, args...))) }
	line("table %s, class %s, key %s", e.Table, e.Class, e.Key)
	for _, t := range e.Tried {
		line("")
		again := ""
		if t.Again {
			again = ", once more, with an old \"no\" taken"
		}
		line("%s%s: %s", t.Key, again, triedWhat(&t))
		for _, s := range t.Searches {
			printSearch(line, &s)
		}
		if t.More > 0 {
			line("  and %d more searches", t.More)
		}
		if t.Found {
			line("  result: %s", t.Result)
		}
	}
	line("")
	if e.Why != "" {
		line("why: %s", e.Why)
	}
	reply := strings.TrimSuffix(e.Reply.Status+" "+e.Reply.Text, " ")
	if n := len(e.Tried); n > 0 && e.Reply.Status == "OK" && e.Tried[n-1].Result != e.Reply.Text {
		line("class %s: the key's extension goes into the result, as Postfix puts it for an ldap: table", e.Class)
	}
	line("Postfix gets, after %s: %s", inMilliseconds(e.Took), reply)
	_, err := w.Write(b.Bytes())
	return err
}

func triedWhat(t *ldapmap.TriedKey) string {
	switch {
	case t.Skipped != "":
		return "not searched for: " + t.Skipped
	case t.Why != "":
		return "cannot tell"
	case t.Found:
		return "found"
	}
	return "not found"
}

func printSearch(line func(string, ...any), s *ldapmap.ExplainedQuery) {
	indent := strings.Repeat("  ", s.Depth)
	attributes := strings.Join(s.Attributes, ", ")
	if attributes == "1.1" { // RFC 4511 section 4.5.1.8
		attributes = "no attribute"
	}
	line("%ssearch %s, base %q, scope %s, for %s", indent, s.Filter, s.Base, s.Scope, attributes)
	entries := fmt.Sprintf("%d entries", s.Entries)
	if s.Entries == 1 {
		entries = "1 entry"
	}
	switch from := " from " + s.Server; {
	case s.Why != "":
		line("%s  no answer after %s: %s", indent, inMilliseconds(s.Took), s.Why)
	case s.Stale:
		line("%s  %s, remembered%s, past its time: no server answers", indent, entries, from)
	case s.Cached:
		line("%s  %s, remembered%s", indent, entries, from)
	default:
		line("%s  %s%s in %s", indent, entries, from, inMilliseconds(s.Took))
	}
	for _, dn := range s.DNs {
		line("%s    %s", indent, dn)
	}
	if left := s.Entries - len(s.DNs); left > 0 {
		line("%s    and %d more", indent, left)
	}
}

func inMilliseconds(m ldapmap.Milliseconds) string { return fmt.Sprintf("%.2f ms", float64(m)) }
