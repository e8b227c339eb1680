package postconf

import (
	"context"
	"slices"
	"strings"
)

// Place is where Postfix looks something up in an ldap: table.
type Place struct {
	Service   string // of master.cf; empty: main.cf
	Parameter string // whose value has the table, or a $name that has
	Check     string // the restriction, such as check_sender_access; empty outside of restrictions
	Table     string // as it is written: ldap:/path, proxy:ldap:/path, ldap:name
	Name      string // the path, or the name
	Feature
	// Origin is the parameter that the table is written in, if that is
	// another, and OriginService where that is set.
	Origin, OriginService string
	// Follows is the parameter that has a feature of its own, and from which
	// this one takes the table: what changes there changes here.
	Follows string
	// Left says why the table has to stay; empty: it can be replaced.
	Left string
}

// Places finds all places, in the order of main.cf and master.cf.
func (c *Config) Places(ctx context.Context) ([]Place, error) {
	in, err := c.Values(ctx, "virtual_transport", "smtpd_restriction_classes")
	if err != nil {
		return nil, err
	}
	f := &finder{config: c, virtualTransport: in["virtual_transport"]}
	for _, w := range split(in["smtpd_restriction_classes"]) {
		f.classes = append(f.classes, w.text)
	}
	for _, name := range c.Order {
		f.parameter(Service{}, name, c.Main[name])
	}
	for _, s := range c.Services {
		for _, name := range s.Order {
			f.parameter(s, name, s.Values[name])
		}
	}
	f.unreached()
	return f.places, nil
}

type finder struct {
	config           *Config
	virtualTransport string
	classes          []string
	places           []Place
}

// found is a word of a list with its $names followed.
type found struct {
	text            string
	origin, service string // the parameter in which it is written
	through         string // the parameter with a feature of its own that led there
}

// maxNames bounds how deep parameters may name each other.
const maxNames = 10

// follow gives the words of a value that is written in a parameter.
func (f *finder) follow(s Service, parameter, value string, depth int) (list []found) {
	service := s.Name
	if _, own := s.Values[parameter]; !own {
		service = ""
	}
	for _, w := range split(value) {
		name, ok := reference(w.text)
		if !ok || depth == maxNames {
			list = append(list, found{text: w.text, origin: parameter, service: service})
			continue
		}
		next, own := s.Values[name]
		if !own {
			next = f.config.Main[name]
		}
		below := f.follow(s, name, next, depth+1)
		if _, ok := f.config.featureOf(name, f.virtualTransport); ok {
			for i := range below {
				below[i].through = name
			}
		}
		list = append(list, below...)
	}
	return list
}

// parameter finds the places of one parameter.
func (f *finder) parameter(s Service, name, value string) {
	restrictions := isRestrictions(name, f.classes)
	feature, ok := f.config.featureOf(name, f.virtualTransport)
	if !ok && !restrictions {
		return
	}
	check := ""
	for _, w := range f.follow(s, name, value, 0) {
		here := feature
		if restrictions {
			if _, is := featureOfCheck(w.text); is {
				check = w.text
				continue
			}
			var is bool
			if here, is = featureOfCheck(check); !is {
				here = Feature{Class: "access"} // the old form, without check_*
			}
		}
		f.word(Place{Service: s.Name, Parameter: name, Check: check, Feature: here}, w)
		check = ""
	}
}

// word adds the place that a word is, if it is one.
func (f *finder) word(p Place, w found) {
	table, ok := ldapTable(strings.TrimLeft(w.text, "!"))
	switch {
	case !ok && !holdsTable(w.text):
		return
	case !ok:
		p.Left = "it is part of another table; replace it there by hand, with the class exact where Postfix tries the keys"
	case strings.HasPrefix(w.text, "!"):
		p.Left = "it is negated; replace it by hand"
	case strings.Contains(w.text, "$"):
		p.Left = "its name has a $name in it; replace it by hand"
	case p.Refused != "":
		p.Left = p.Refused
	}
	p.Table, p.Name = w.text, table
	if w.origin != p.Parameter {
		p.Origin, p.OriginService = w.origin, w.service
	}
	if w.through != "" && p.Left == "" {
		p.Follows, p.Left = w.through, "it follows $"+w.through
	}
	f.places = append(f.places, p)
}

// unreached adds tables in parameters that nothing was seen to use.
func (f *finder) unreached() {
	for _, name := range f.config.Order {
		if f.config.known[name] || isRestrictions(name, f.classes) {
			continue
		}
		for _, w := range split(f.config.Main[name]) {
			seen := slices.ContainsFunc(f.places, func(p Place) bool {
				return p.Table == w.text && (p.Origin == name || p.Parameter == name)
			})
			if table, ok := ldapTable(w.text); ok && !seen {
				f.places = append(f.places, Place{Parameter: name, Table: w.text, Name: table,
					Left: "nothing was seen that uses this parameter; look by hand"})
			}
		}
	}
}
