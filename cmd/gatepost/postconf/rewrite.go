package postconf

import "strings"

// Replace gives a parameter's value with tables replaced: by what with gives
// for a word and the one before it, where that is not empty. Names that inline
// holds are written out first, since other parameters use them otherwise.
func (c *Config) Replace(service, parameter string, inline map[string]bool, with func(before, word string) string) string {
	s := Service{}
	for _, one := range c.Services {
		if one.Name == service {
			s = one
		}
	}
	return c.replace(s, parameter, inline, with, 0)
}

func (c *Config) replace(s Service, parameter string, inline map[string]bool, with func(before, word string) string, depth int) string {
	value, own := s.Values[parameter]
	if !own {
		value = c.Main[parameter]
	}
	var b strings.Builder
	at, before := 0, ""
	for _, w := range split(value) {
		b.WriteString(value[at:w.start])
		at = w.end
		name, ok := reference(w.text)
		switch {
		case ok && inline[name] && depth < maxNames:
			b.WriteString(c.replace(s, name, inline, with, depth+1))
		case with(before, w.text) != "":
			b.WriteString(with(before, w.text))
		default:
			b.WriteString(w.text)
		}
		before = w.text
	}
	return b.String() + value[at:]
}
