//go:build !dmz

package main

import (
	"fmt"
	"strconv"
	"strings"

	"gatepost/cmd/gatepost/samples"
)

// matches says whether an entry matches a filter (RFC 4515) of and, or, not,
// equality and presence; values compare in any case. The demonstration's
// directory needs no more.
func matches(e *samples.Entry, filter string) (bool, error) {
	ok, rest, err := match(e, filter)
	if err == nil && rest != "" {
		err = fmt.Errorf("filter %q: %q follows it", filter, rest)
	}
	return ok, err
}

func match(e *samples.Entry, filter string) (ok bool, rest string, err error) {
	inner, found := strings.CutPrefix(filter, "(")
	if !found || inner == "" {
		return false, "", fmt.Errorf("filter %q: no parenthesis", filter)
	}
	switch inner[0] {
	case '&', '|':
		all := inner[0] == '&'
		ok = all
		for rest = inner[1:]; strings.HasPrefix(rest, "("); {
			var one bool
			if one, rest, err = match(e, rest); err != nil {
				return false, "", err
			}
			if all {
				ok = ok && one
			} else {
				ok = ok || one
			}
		}
	case '!':
		if ok, rest, err = match(e, inner[1:]); err != nil {
			return false, "", err
		}
		ok = !ok
	default:
		end := strings.IndexByte(inner, ')')
		name, value, equal := strings.Cut(inner[:max(end, 0)], "=")
		if !equal || strings.ContainsAny(name, "<>~:") || strings.Contains(value, "*") && value != "*" {
			return false, "", fmt.Errorf("filter %q is not known here", filter)
		}
		return compareValue(e.Values(name), value), inner[end+1:], nil
	}
	rest, found = strings.CutPrefix(rest, ")")
	if !found {
		return false, "", fmt.Errorf("filter %q: no closing parenthesis", filter)
	}
	return ok, rest, nil
}

// compareValue says whether one of the values is the one in a filter; "*" is
// any.
func compareValue(values []string, text string) bool {
	if text == "*" {
		return len(values) > 0
	}
	var plain []byte
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+2 < len(text) {
			if b, err := strconv.ParseUint(text[i+1:i+3], 16, 8); err == nil {
				plain = append(plain, byte(b))
				i += 2
				continue
			}
		}
		plain = append(plain, text[i])
	}
	for _, v := range values {
		if strings.EqualFold(v, string(plain)) {
			return true
		}
	}
	return false
}
