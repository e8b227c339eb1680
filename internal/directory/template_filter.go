package directory

import (
	"fmt"
	"strings"
)

// canonicalFilter gives a table's filter with all decided that can be before a
// key is known: its canonical form. Where all substitutions stand in values,
// what EscapeFilter makes of a part of a key is canonical already, unless that
// is empty, and nothing is left to do for a look-up but to put the pieces
// together. Else, as for "(%s)", there is none, and CanonicalFilter decides
// for each key.
func canonicalFilter(t *Template) *Template {
	const mark = "zzMARKzz" // no part of it can be one of an escaped byte
	name := func(n int) string { return fmt.Sprintf("%s%dz", mark, n) }
	var text strings.Builder
	marks := 0
	for n, p := range t.parts {
		if p.letter == 0 {
			text.WriteString(p.literal)
			continue
		}
		text.WriteString(name(n))
		marks++
	}
	whole, err := CanonicalFilter(text.String())
	if err != nil || strings.Count(whole, mark) != marks {
		return nil
	}
	out, done := &Template{text: t.text, uses: t.uses}, 0
	for n, p := range t.parts {
		if p.letter == 0 {
			continue
		}
		length := strings.Index(whole[done:], name(n))
		if length < 0 || !inValue(whole[:done+length]) {
			return nil
		}
		out.literal(whole[done : done+length])
		out.parts = append(out.parts, p)
		done += length + len(name(n))
	}
	out.literal(whole[done:])
	return out
}

// inValue says whether what follows the beginning of a canonical filter is in
// the value of a comparison. Parentheses of values are escaped there, and
// there is no "=" before the one that a comparison has.
func inValue(begun string) bool {
	last := strings.LastIndexAny(begun, "()")
	return last >= 0 && begun[last] == '(' && strings.IndexByte(begun[last:], '=') >= 0
}
