package samples

import (
	_ "embed" // for the directory
	"strings"
)

//go:embed directory.ldif
var directory string

// Entry of the sample directory; attributes are in their order.
type Entry struct {
	DN         string
	Attributes []Attribute
}

// Attribute of an entry.
type Attribute struct {
	Name   string
	Values []string
}

// Directory gives the entries of directory.ldif, which has no more of LDIF
// (RFC 2849) than comments, empty lines and "name: value". Each has its entryDN
// (RFC 5020), too.
func Directory() (entries []Entry) {
	for line := range strings.Lines(directory) {
		name, value, found := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch {
		case !found || strings.HasPrefix(line, "#"):
		case name == "dn":
			entries = append(entries, Entry{DN: value, Attributes: []Attribute{{"entryDN", []string{value}}}})
		default:
			e := &entries[len(entries)-1]
			if n := len(e.Attributes); n > 0 && e.Attributes[n-1].Name == name {
				e.Attributes[n-1].Values = append(e.Attributes[n-1].Values, value)
			} else {
				e.Attributes = append(e.Attributes, Attribute{name, []string{value}})
			}
		}
	}
	return entries
}

// Operational says whether an attribute is the server's own, given to those who
// ask for it by name (RFC 4512 3.4).
func Operational(name string) bool {
	return strings.EqualFold(name, "entryUUID") || strings.EqualFold(name, "entryDN")
}

// Values of an attribute, whose name is taken in any case.
func (e *Entry) Values(name string) []string {
	for _, a := range e.Attributes {
		if strings.EqualFold(a.Name, name) {
			return a.Values
		}
	}
	return nil
}
