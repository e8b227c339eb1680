package ldapmap

import (
	"unicode/utf8"

	"golang.org/x/text/cases"
)

// Fold folds a key's case as Postfix does for an ldap: table before it looks
// the key up (Unicode's full case folding, so that "ß" is "ss"). For a socketmap
// it does not, so that the key of a look-up has to be folded here, once. It
// says false for a key that is not UTF-8, which no table can answer.
func Fold(key string) (folded string, ok bool) {
	upper := false
	for i := range len(key) {
		b := key[i]
		if b >= utf8.RuneSelf {
			if !utf8.ValidString(key) {
				return key, false
			}
			return cases.Fold().String(key), true
		}
		upper = upper || b >= 'A' && b <= 'Z'
	}
	if !upper {
		return key, true
	}
	out := []byte(key)
	for i, b := range out {
		if b >= 'A' && b <= 'Z' {
			out[i] = b + 'a' - 'A'
		}
	}
	return string(out), true
}
