package main

import (
	"bytes"
	"strings"
	"testing"
)

// It holds in the build for the DMZ too, so it does without that build's
// missing helpers.
func TestSchemaPrintLDAP(t *testing.T) {
	for _, tc := range []struct {
		args string
		code int
		want []string // in this order
	}{
		{"", 0, []string{"NAME 'authorizedService'", "NAME 'rfc822MailMember'", "NAME 'dbmailUser'", "NAME 'gatepostList'"}},
		{"gatepost dbmail", 0, []string{"NAME 'dbmailUser'", "NAME 'gatepostList'"}},
		{"qmail", 0, []string{"1.3.6.1.4.1.7914.1.2.2.1 NAME 'qmailUser'"}},
		{"--format ldif dbmail gatepost", 0, []string{"dn: cn=dbmail,cn=schema,cn=config\n", "olcAttributeTypes: ( 1.3.6.1.4.1.12340.6.2.1.1",
			"\n\n", "dn: cn=gatepost,cn=schema,cn=config\n", "olcObjectClasses: ("}},
		{"exchange", 2, []string{`there is no schema "exchange"`, "dbmail"}},
		{"dbmail --format xml", 2, []string{"want schema or ldif"}},
	} {
		var out, errors bytes.Buffer
		code := run(t.Context(), append([]string{"schema", "print", "ldap"}, strings.Fields(tc.args)...), strings.NewReader(""), &out, &errors)
		text := out.String() + errors.String()
		if code != tc.code || (code == 0) != (errors.Len() == 0) {
			t.Errorf("%q: exit status %d, %q", tc.args, code, errors.String())
		}
		for _, want := range tc.want {
			_, after, found := strings.Cut(text, want)
			if !found {
				t.Errorf("%q: no %q in what is left:\n%s", tc.args, want, text)
				break
			}
			text = after
		}
		if tc.args == "" && strings.Contains(out.String(), "qmailUser") {
			t.Error("qmail's schema beside DBMail's")
		}
	}
}
