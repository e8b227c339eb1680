package openldap

import (
	"fmt"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"
)

// TestLimits: who needs all of it gets it, who needs an address book does not.
func TestLimits(t *testing.T) {
	s := byFile(t)
	const people = 1100
	var ldif strings.Builder
	for i := range people {
		fmt.Fprintf(&ldif, "dn: uid=u%d,ou=people,%s\nobjectClass: inetOrgPerson\nobjectClass: dbmailUser\nuid: u%d\ncn: U%d\nsn: U\nmail: u%d@example.com\n\n", i, suffix, i, i, i)
	}
	if err := s.Reload([]byte(read(t, "directory.ldif") + "\n" + ldif.String())); err != nil {
		t.Fatal(err)
	}
	setPasswords(t, s)
	const filter = "(&(objectClass=inetOrgPerson)(mail=u*@example.com))"
	for _, name := range []string{"ldapmap", "lmtpd", "policyd", "milter"} {
		found, err := search(as(t, s, name), suffix, ldap.ScopeWholeSubtree, filter, "mail")
		if err != nil || len(found) != people {
			t.Errorf("%s: %d, %v", name, len(found), err)
		}
	}
	for _, name := range []string{"webmail", "alice", "dbmail"} {
		_, err := search(as(t, s, name), suffix, ldap.ScopeWholeSubtree, filter, "mail")
		if !ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string]int{"webmail": 1000, "alice": 1000, "dbmail": 0, "lmtpd": 0} {
		got, err := paged(as(t, s, name), filter)
		if err == nil || got != want {
			t.Errorf("%s gets %d in pages, %v", name, got, err)
		}
	}
}

// paged reads in pages of 100 (RFC 2696) until the server stops it.
func paged(conn *ldap.Conn, filter string) (count int, err error) {
	page := ldap.NewControlPaging(100)
	for {
		r, err := conn.Search(ldap.NewSearchRequest(suffix, ldap.ScopeWholeSubtree, ldap.NeverDerefAliases, 0, 0, false, filter,
			[]string{"mail"}, []ldap.Control{page}))
		if r != nil {
			count += len(r.Entries)
		}
		if err != nil {
			return count, err
		}
		next, ok := ldap.FindControl(r.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return count, nil
		}
		page.SetCookie(next.Cookie)
	}
}
