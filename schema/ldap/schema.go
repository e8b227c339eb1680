// Package ldap holds the schemas of directories that Gatepost works with, as
// files that slapd.conf(5) includes, and makes cn=config LDIF of them.
package ldap

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed *.schema
var files embed.FS

// Names lists the schemas in an order in which they can be loaded. qmail is
// the last, and for a server of its own: it and dbmail define the same names.
func Names() []string { return []string{"ldapns", "mailmember", "dbmail", "gatepost", "qmail"} }

// Schema returns a schema as slapd.conf's include directive reads it.
func Schema(name string) (string, error) {
	text, err := files.ReadFile(name + ".schema")
	if err != nil {
		return "", fmt.Errorf("there is no schema %q; want one of %s", name, strings.Join(Names(), ", "))
	}
	return string(text), nil
}

// space is where a definition may be folded.
var space = regexp.MustCompile(`\s+`)

// LDIF returns a schema as an entry below cn=schema,cn=config, for ldapadd(1).
func LDIF(name string) (string, error) {
	text, err := Schema(name)
	if err != nil {
		return "", err
	}
	var comment, definitions strings.Builder
	fmt.Fprintf(&definitions, "dn: cn=%s,cn=schema,cn=config\nobjectClass: olcSchemaConfig\ncn: %s\n", name, name)
	for paragraph := range strings.SplitSeq(strings.TrimSpace(text), "\n\n") {
		if strings.HasPrefix(paragraph, "#") {
			comment.WriteString(paragraph + "\n\n")
			continue
		}
		keyword, rest, _ := strings.Cut(space.ReplaceAllString(paragraph, " "), " ")
		attribute := map[string]string{"attributetype": "olcAttributeTypes", "objectclass": "olcObjectClasses"}[keyword]
		if attribute == "" {
			return "", fmt.Errorf("schema %s: a paragraph begins with %q", name, keyword)
		}
		definitions.WriteString(fold(attribute + ": " + strings.TrimSpace(rest)))
	}
	return comment.String() + definitions.String(), nil
}

// fold breaks a line as RFC 2849 has it: what follows a line end and one space
// goes on.
func fold(line string) string {
	const width = 78
	var b strings.Builder
	for len(line) > width {
		b.WriteString(line[:width] + "\n ")
		line = line[width:]
	}
	b.WriteString(line + "\n")
	return b.String()
}
