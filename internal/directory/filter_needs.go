package directory

import "strings"

// Needs are the indexes that an OpenLDAP server wants for a filter: a tree in
// its form.
type Needs struct {
	// Op is '&', '|' or '!' over Of, or 0 for a comparison.
	Op byte
	Of []Needs
	// Attribute of a comparison, without options, and the Index for it: "eq",
	// "pres", "sub" or "approx"; empty where no index helps.
	Attribute, Index string
}

// FilterNeeds reads a filter in the form of CanonicalFilter.
func FilterNeeds(filter string) (Needs, error) {
	canonical, err := CanonicalFilter(filter)
	if err != nil {
		return Needs{}, err
	}
	n, _ := needsOf(canonical)
	return n, nil
}

// needsOf reads the filter at the beginning of a text that is one.
func needsOf(text string) (n Needs, rest string) {
	text = strings.TrimPrefix(text, "(")
	if text == "" || strings.IndexByte("&|!", text[0]) < 0 {
		inner, rest, _ := strings.Cut(text, ")") // a value has no parenthesis
		return comparisonNeeds(inner), rest
	}
	n.Op, rest = text[0], text[1:]
	for strings.HasPrefix(rest, "(") {
		var one Needs
		one, rest = needsOf(rest)
		n.Of = append(n.Of, one)
	}
	return n, strings.TrimPrefix(rest, ")")
}

func comparisonNeeds(text string) (n Needs) {
	end := strings.IndexAny(text, "=<>~:")
	if end < 0 {
		return n
	}
	n.Attribute, _, _ = strings.Cut(text[:end], ";")
	value := text[end:]
	switch {
	case strings.HasPrefix(value, "~="):
		n.Index = "approx"
	case value == "=*":
		n.Index = "pres"
	case strings.HasPrefix(value, ":"): // a matching rule of its own
	case strings.Contains(value, "*"):
		n.Index = "sub"
	default: // also >= and <=, which slapd reads the same index for
		n.Index = "eq"
	}
	return n
}

// Comparisons are those of a filter, in its order.
func (n *Needs) Comparisons() (all []Needs) {
	if n.Op == 0 {
		return []Needs{*n}
	}
	for i := range n.Of {
		all = append(all, n.Of[i].Comparisons()...)
	}
	return all
}

// Served says whether a server finds the candidates for a filter by indexes
// alone, where has says which comparisons have theirs: one is enough of those
// joined by and, each is needed of those joined by or.
func (n *Needs) Served(has func(comparison Needs) bool) bool {
	switch n.Op {
	case 0:
		return has(*n)
	case '!':
		return false
	}
	served := n.Op == '|'
	for i := range n.Of {
		if n.Op == '|' {
			served = served && n.Of[i].Served(has)
		} else {
			served = served || n.Of[i].Served(has)
		}
	}
	return served
}
