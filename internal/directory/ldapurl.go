package directory

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// URL is an LDAP URL (RFC 4516) that names a search. Its host and extensions
// are not kept: what follows such a URL asks the servers that it has.
type URL struct {
	Base       string
	Scope      Scope // base where the URL names none
	Filter     string
	Attributes []string // empty: the URL names none
}

// IsURL says whether a text is to be taken for an LDAP URL, good or bad, as
// libldap does: it may be enclosed in "<>" and begin with "URL:".
func IsURL(text string) bool {
	_, _, ok := urlBody(text)
	return ok
}

// urlBody gives what follows "ldap://", and the scheme.
func urlBody(text string) (body, scheme string, ok bool) {
	text = strings.TrimPrefix(text, "<")
	if len(text) >= 4 && strings.EqualFold(text[:4], "URL:") {
		text = text[4:]
	}
	scheme, body, ok = strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	return body, scheme, ok && (scheme == "ldap" || scheme == "ldaps" || scheme == "ldapi")
}

// ParseURL reads an LDAP URL. What libldap calls malformed is an error, and so
// is a "%" that no two hexadecimal digits follow.
func ParseURL(text string) (*URL, error) {
	body, scheme, ok := urlBody(text)
	if !ok {
		return nil, fmt.Errorf("%q is no LDAP URL", text)
	}
	u, err := parseURL(body, scheme, strings.HasPrefix(text, "<"))
	if err != nil {
		return nil, fmt.Errorf("LDAP URL %q: %w", text, err)
	}
	return u, nil
}

func parseURL(body, scheme string, enclosed bool) (*URL, error) {
	if enclosed {
		inner, ok := strings.CutSuffix(body, ">")
		if !ok {
			return nil, errors.New(`no ">" at its end`)
		}
		body = inner
	}
	host, rest, _ := strings.Cut(body, "/")
	if scheme != "ldapi" {
		if err := checkHost(host); err != nil {
			return nil, err
		}
	}
	u := &URL{Scope: ScopeBase, Filter: "(objectClass=*)"}
	for i, field := range strings.Split(rest, "?") {
		text, err := url.PathUnescape(field)
		if err != nil {
			return nil, err
		}
		text, _, _ = strings.Cut(text, "\x00")
		switch {
		case i >= 4 && (i > 4 || text == ""):
			return nil, errors.New(`a "?" too many`)
		case text == "":
		case i == 0:
			u.Base = text
		case i == 1:
			u.Attributes = strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
		case i == 2:
			if u.Scope, err = parseScope(text); err != nil {
				return nil, err
			}
		case i == 3:
			u.Filter = text
		}
	}
	return u, nil
}

// checkHost checks host and port, which nobody uses; a URL that is malformed
// there is malformed.
func checkHost(host string) error {
	after := host
	if strings.HasPrefix(host, "[") {
		end := strings.IndexByte(host, ']')
		if end < 0 || end+1 < len(host) && host[end+1] != ':' {
			return fmt.Errorf("%q is no host", host)
		}
		after = host[end+1:]
	}
	if _, port, ok := strings.Cut(after, ":"); ok && (port == "" || strings.Trim(port, digits) != "") {
		return fmt.Errorf("%q is no port", port)
	}
	return nil
}

func parseScope(text string) (Scope, error) {
	switch strings.ToLower(text) {
	case "base":
		return ScopeBase, nil
	case "one", "onelevel":
		return ScopeOne, nil
	case "sub", "subtree":
		return ScopeSub, nil
	case "subord", "subordinate", "children":
		return ScopeChildren, nil
	}
	return 0, fmt.Errorf("%q is no scope", text)
}

// ServerURI gives the part of an LDAP URL that names a server, as Settings
// wants it: without what libldap does not look at when it connects.
func ServerURI(text string) (string, error) {
	body, scheme, ok := urlBody(text)
	if !ok {
		return "", fmt.Errorf("%q is no LDAP URL", text)
	}
	if _, err := ParseURL(text); err != nil {
		return "", err
	}
	host, _, _ := strings.Cut(strings.TrimSuffix(body, ">"), "/")
	host, _, _ = strings.Cut(host, "?")
	return scheme + "://" + host, nil
}
