package directory

import (
	"reflect"
	"testing"
)

// What libldap 2.5 makes of URLs, as recorded; nil: it calls them malformed.
var recordedURLs = map[string]*URL{
	"ldap:///ou=p":                       {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"ldap:///ou=p?mail":                  {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)", Attributes: []string{"mail"}},
	"ldap:///ou=p?mail??":                {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)", Attributes: []string{"mail"}},
	"ldap:///ou=p?mail??(a=b)":           {Base: "ou=p", Scope: ScopeBase, Filter: "(a=b)", Attributes: []string{"mail"}},
	"ldap:///ou=p?mail?sub?":             {Base: "ou=p", Scope: ScopeSub, Filter: "(objectClass=*)", Attributes: []string{"mail"}},
	"ldap:///ou=p?a,b?one?a=b":           {Base: "ou=p", Scope: ScopeOne, Filter: "a=b", Attributes: []string{"a", "b"}},
	"ldap:///ou=p??ONELEVEL?(a=b)":       {Base: "ou=p", Scope: ScopeOne, Filter: "(a=b)"},
	"ldap:///ou=p??SUBTREE?(a=b)":        {Base: "ou=p", Scope: ScopeSub, Filter: "(a=b)"},
	"ldap:///ou=p??children?(a=b)":       {Base: "ou=p", Scope: ScopeChildren, Filter: "(a=b)"},
	"ldap:///ou=p??subord?(a=b)":         {Base: "ou=p", Scope: ScopeChildren, Filter: "(a=b)"},
	"ldap:///ou=p?,?sub?(a=b)":           {Base: "ou=p", Scope: ScopeSub, Filter: "(a=b)", Attributes: []string{}},
	"ldap:///ou=p??sub?(a=b)?!x-foo=1":   {Base: "ou=p", Scope: ScopeSub, Filter: "(a=b)"},
	"ldap:///ou=p%2Cdc=x?m%61il?base?%3": nil,
	"ldap:///ou=p%2Cdc=x?m%61il":         {Base: "ou=p,dc=x", Scope: ScopeBase, Filter: "(objectClass=*)", Attributes: []string{"mail"}},
	"ldap:///ou=p%00x":                   {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"ldap://":                            {Scope: ScopeBase, Filter: "(objectClass=*)"},
	"ldap://host?ou=p":                   {Scope: ScopeBase, Filter: "(objectClass=*)"},
	"ldap://[::1]:389/ou=p":              {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"ldap://host:70000/ou=p":             {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"ldapi://%2fx:y/ou=p":                {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"LDAPS:///ou=p":                      {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"url:LDAP:///ou=p":                   {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"<URL:ldap:///ou=p>":                 {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"<ldap:///ou=p>":                     {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)"},
	"ldap:///ou=p?mail>":                 {Base: "ou=p", Scope: ScopeBase, Filter: "(objectClass=*)", Attributes: []string{"mail>"}},
	"<ldap:///ou=p":                      nil,
	"ldap:///ou=p?mail?bogus?(a=b)":      nil,
	"ldap:///ou=p??sub?(a=b)?":           nil,
	"ldap:///ou=p??sub?(a=b)?x?y":        nil,
	"ldap:///ou=p??sub?(a=b%zz)":         nil,
	"ldap://host:99x/ou=p":               nil,
	"ldap://host:/ou=p":                  nil,
	"ldap://[::1/ou=p":                   nil,
	"ldap://[::1]x/ou=p":                 nil,
	"ldap://::1/ou=p":                    nil,
}

func TestURL(t *testing.T) {
	for text, want := range recordedURLs {
		if !IsURL(text) {
			t.Errorf("%q is not taken for a URL", text)
		}
		got, err := ParseURL(text)
		if (err == nil) != (want != nil) || !reflect.DeepEqual(got, want) {
			t.Errorf("%q: %+v, %v; want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "cldap:///ou=p", "ldapx:///ou=p", "ldap:ou=p", "ldap:/ou=p", " ldap:///ou=p", "< URL:ldap:///ou=p>", "uid=a,ou=p", "http://x/", "mailto:a@b"} {
		if IsURL(text) {
			t.Errorf("%q is taken for a URL", text)
		}
		if _, err := ParseURL(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestServerURI(t *testing.T) {
	for text, want := range map[string]string{
		"LDAP://Host:3389":               "ldap://Host:3389",
		"ldap://host/dc=x?y?sub?(z=*)":   "ldap://host",
		"ldap://host?dc=x":               "ldap://host",
		"ldaps://[::1]":                  "ldaps://[::1]",
		"ldapi://%2Frun%2Fslapd%2Fldapi": "ldapi://%2Frun%2Fslapd%2Fldapi",
		"ldapi:///":                      "ldapi://",
		"ldap://host:x":                  "",
		"cldap://host":                   "",
	} {
		if got, err := ServerURI(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}

func FuzzURL(f *testing.F) {
	for text := range recordedURLs {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURL(text)
		if err == nil && (!IsURL(text) || u.Filter == "") {
			t.Errorf("%q: %+v", text, u)
		}
	})
}
