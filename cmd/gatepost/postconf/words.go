package postconf

import "strings"

// word is one word of a list, and where it stands.
type word struct {
	text       string
	start, end int
}

// separators are what divides the words of a list; parameters are on one line.
const separators = ", \t\r\n"

// split divides a list as Postfix does: at commas and blanks, but not within
// braces.
func split(list string) (words []word) {
	start, depth := -1, 0
	for i := 0; i <= len(list); i++ {
		end := i == len(list) || depth == 0 && strings.IndexByte(separators, list[i]) >= 0
		switch {
		case end && start >= 0:
			words = append(words, word{list[start:i], start, i})
			start = -1
		case !end && start < 0:
			start = i
		}
		if i < len(list) {
			switch list[i] {
			case '{':
				depth++
			case '}':
				depth = max(0, depth-1)
			}
		}
	}
	return words
}

// reference gives the name of a word that is $name, ${name} or $(name) and no
// more.
func reference(text string) (name string, ok bool) {
	rest, ok := strings.CutPrefix(text, "$")
	if !ok {
		return "", false
	}
	for _, pair := range []string{"{}", "()"} {
		if len(rest) > 2 && rest[0] == pair[0] && rest[len(rest)-1] == pair[1] {
			rest = rest[1 : len(rest)-1]
			break
		}
	}
	return rest, rest != "" && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") == ""
}

// ldapTable takes an ldap: table apart: the path of its file, or what the
// names of its parameters in main.cf begin with.
func ldapTable(text string) (name string, ok bool) {
	name, ok = strings.CutPrefix(strings.TrimPrefix(text, "proxy:"), "ldap:")
	return name, ok && name != "" && !strings.HasPrefix(name, "//") // that is a server's URI
}

// holdsTable says whether a word has an ldap: table somewhere in it.
func holdsTable(text string) bool {
	for {
		_, rest, ok := strings.Cut(text, "ldap:")
		if !ok || !strings.HasPrefix(rest, "//") {
			return ok
		}
		text = rest
	}
}
