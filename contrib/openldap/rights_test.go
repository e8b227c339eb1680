package openldap

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/go-ldap/ldap/v3"

	"gatepost/internal/testbed"
)

// rights reads the table of README.md: attribute, in lower case, → who →
// letters.
func rights(t *testing.T) map[string]map[string]string {
	t.Helper()
	_, text, ok := strings.Cut(read(t, "README.md"), "\n## Who may what\n")
	if !ok {
		t.Fatal("README.md has no table")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var columns []string
	table := map[string]map[string]string{}
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|---") {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|\n"), "|")
		if columns == nil {
			for _, c := range cells[1:] {
				columns = append(columns, strings.TrimSpace(c))
			}
			continue
		}
		if len(cells) != len(columns)+1 {
			t.Fatalf("%q has %d cells", line, len(cells))
		}
		names := regexp.MustCompile(`\(.*\)`).ReplaceAllString(cells[0], "")
		for name := range strings.SplitSeq(names, ",") {
			row := map[string]string{}
			for i, c := range cells[1:] {
				row[columns[i]] = strings.TrimSpace(c)
			}
			table[strings.ToLower(strings.TrimSpace(name))] = row
		}
	}
	if len(columns) != 9 || len(table) < 35 {
		t.Fatalf("%d columns, %d attributes", len(columns), len(table))
	}
	return table
}

// moreData is what the sample has no value of, for two people and a group.
func moreData() string {
	var ldif strings.Builder
	for _, uid := range []string{"alice", "bob"} {
		ldif.WriteString("dn: uid=" + uid + ",ou=people," + suffix + "\nchangetype: modify\n")
		for _, line := range []string{"telephoneNumber: +1 555 0101", "mobile: +1 555 0102", "roomNumber: 1", "preferredLanguage: en", "jpegPhoto: x",
			"displayName: A", "title: Ms", "o: Example", "ou: Sales", "mailHost: store.example.com", "deliveryMode: normal",
			"mailForwardingAddress: someone@example.net"} {
			name, _, _ := strings.Cut(line, ":")
			ldif.WriteString("replace: " + name + "\n" + line + "\n-\n")
		}
		ldif.WriteString("\n")
	}
	return ldif.String() + "dn: cn=circle,ou=lists," + suffix + "\nchangetype: add\nobjectClass: groupOfUniqueNames\n" +
		"cn: circle\nuniqueMember: uid=alice,ou=people," + suffix + "\n"
}

// TestRights: everybody reads and finds what the table says, of all entries
// and all attributes that there are, and no more.
func TestRights(t *testing.T) {
	table := rights(t)
	for form, start := range forms {
		t.Run(form, func(t *testing.T) {
			s := start(t)
			setPasswords(t, s)
			if err := s.Modify(moreData()); err != nil {
				t.Fatal(err)
			}
			all, err := search(as(t, s, "admin"), suffix, ldap.ScopeWholeSubtree, "(objectClass=*)", "*", "+")
			if err != nil {
				t.Fatal(err)
			}
			held := map[string][]*ldap.Entry{} // by attribute
			for _, e := range all {
				for _, a := range e.Attributes {
					held[strings.ToLower(a.Name)] = append(held[strings.ToLower(a.Name)], e)
				}
			}
			for name := range table {
				if held[name] == nil {
					t.Errorf("no entry has %s", name)
				}
			}
			for name := range who {
				if name == "alice" {
					continue
				}
				conn := as(t, s, name)
				checkReads(t, conn, name, table, func(e *ldap.Entry) bool {
					return !strings.HasSuffix(e.DN, ",ou=daemons,"+suffix) && e.DN != "ou=daemons,"+suffix
				}, all)
				checkFinds(t, conn, name, table, held)
			}
			alice := as(t, s, "alice")
			checkReads(t, alice, "person", table, func(e *ldap.Entry) bool {
				return !strings.Contains(e.DN, "ou=daemons") && e.DN != who["alice"]
			}, all)
			checkOwn(t, alice, table, held)
			checkAnonymous(t, s)
		})
	}
}

// checkReads reads all that there is. Entries are those that must be seen, and
// none of the others may be.
func checkReads(t *testing.T, conn *ldap.Conn, name string, table map[string]map[string]string, visible func(*ldap.Entry) bool, all []*ldap.Entry) {
	t.Helper()
	entries, err := search(conn, suffix, ldap.ScopeWholeSubtree, "(objectClass=*)", "*", "+")
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	seen, attributes := map[string]bool{}, map[string]bool{}
	for _, e := range entries {
		if name == "person" && e.DN == who["alice"] {
			continue
		}
		seen[e.DN] = true
		for _, a := range e.Attributes {
			attributes[strings.ToLower(a.Name)] = true
		}
	}
	for _, e := range all {
		if seen[e.DN] != visible(e) && !(name == "person" && e.DN == who["alice"]) {
			t.Errorf("%s: %s is seen: %v", name, e.DN, seen[e.DN])
		}
	}
	// slapd makes it while it answers; no rule takes it away.
	delete(attributes, "subschemasubentry")
	want := map[string]bool{}
	for attribute, row := range table {
		if strings.Contains(row[name], "r") {
			want[attribute] = true
		}
	}
	for _, attribute := range slices.Sorted(maps.Keys(attributes)) {
		if !want[attribute] {
			t.Errorf("%s reads %s", name, attribute)
		}
	}
	for attribute := range want {
		if !attributes[attribute] {
			t.Errorf("%s does not read %s", name, attribute)
		}
	}
}

// checkFinds searches by a value of each attribute that there is.
func checkFinds(t *testing.T, conn *ldap.Conn, name string, table map[string]map[string]string, held map[string][]*ldap.Entry) {
	t.Helper()
	for attribute, entries := range held {
		e := entries[0]
		if strings.Contains(e.DN, "ou=daemons") {
			continue
		}
		found, err := search(conn, e.DN, ldap.ScopeBaseObject, "("+attribute+"=*)", "1.1")
		if err != nil {
			t.Errorf("%s, %s: %v", name, attribute, err)
		}
		if may := table[attribute][name] != ""; may != (len(found) > 0) && attribute != "subschemasubentry" {
			t.Errorf("%s finds by %s: %v", name, attribute, !may)
		}
	}
}

// checkOwn reads and changes a person's own entry.
func checkOwn(t *testing.T, alice *ldap.Conn, table map[string]map[string]string, held map[string][]*ldap.Entry) {
	t.Helper()
	own, err := search(alice, who["alice"], ldap.ScopeBaseObject, "(objectClass=*)", "*", "+")
	if err != nil || len(own) != 1 {
		t.Fatal(len(own), err)
	}
	for attribute, entries := range held {
		if !slices.ContainsFunc(entries, func(e *ldap.Entry) bool { return e.DN == who["alice"] }) {
			continue
		}
		values := own[0].GetEqualFoldAttributeValues(attribute)
		row, listed := table[attribute]
		if may := !listed || strings.Contains(row["own"], "r"); may != (len(values) > 0) {
			t.Errorf("one's own %s is read: %v", attribute, len(values) > 0)
		}
		if len(values) == 0 {
			values = []string{"another"}
		}
		if slices.Contains([]string{"objectclass", "entryuuid", "entrycsn", "entrydn", "createtimestamp", "modifytimestamp", "creatorsname",
			"modifiersname", "structuralobjectclass", "subschemasubentry", "hassubordinates"}, attribute) {
			continue // the server's
		}
		change := ldap.NewModifyRequest(who["alice"], nil)
		change.Replace(attribute, values[:1])
		err := alice.Modify(change)
		if may := strings.Contains(row["own"], "w"); may && err != nil || !may && !ldap.IsErrorWithCode(err, ldap.LDAPResultInsufficientAccessRights) {
			t.Errorf("one's own %s is changed: %v", attribute, err)
		}
	}
	other := ldap.NewModifyRequest("uid=bob,ou=people,"+suffix, nil)
	other.Replace("telephoneNumber", []string{"1"})
	if err := alice.Modify(other); !ldap.IsErrorWithCode(err, ldap.LDAPResultInsufficientAccessRights) {
		t.Errorf("another's telephoneNumber: %v", err)
	}
}

// checkAnonymous: who has not bound sees nothing, whatever is asked.
func checkAnonymous(t *testing.T, s *testbed.SlapdServer) {
	t.Helper()
	conn := as(t, s, "anonymous")
	for _, base := range []string{suffix, "ou=people," + suffix, who["alice"], who["ldapmap"], "uid=none," + suffix} {
		for _, scope := range []int{ldap.ScopeBaseObject, ldap.ScopeWholeSubtree} {
			entries, err := search(conn, base, scope, "(|(objectClass=*)(mail=*))", "*", "+")
			if len(entries) > 0 || !ldap.IsErrorWithCode(err, ldap.LDAPResultNoSuchObject) {
				t.Errorf("anonymous at %s: %d entries, %v", base, len(entries), err)
			}
		}
	}
	if ok, err := conn.Compare(who["alice"], "mail", "alice@example.com"); ok || err == nil {
		t.Errorf("anonymous compares: %v, %v", ok, err)
	}
}

// TestPlaceholders: nobody gets in before a password is set.
func TestPlaceholders(t *testing.T) {
	s := byFile(t)
	conn := as(t, s, "anonymous")
	for _, dn := range who {
		for _, guess := range []string{"CHANGE-ME", "*CHANGE-ME*", "{CRYPT}*CHANGE-ME*", "*", "*0"} {
			if err := conn.Bind(dn, guess); !ldap.IsErrorWithCode(err, ldap.LDAPResultInvalidCredentials) {
				t.Errorf("%s with %q: %v", dn, guess, err)
			}
		}
	}
}

// TestFormsAgree: config.ldif says what slapd.conf and access.conf say.
func TestFormsAgree(t *testing.T) {
	conf := read(t, "slapd.conf") + regexp.MustCompile(`\n[ \t]+`).ReplaceAllString(read(t, "access.conf"), " ")
	ldif := regexp.MustCompile(`\n  `).ReplaceAllString(read(t, "config.ldif"), " ")
	for keyword, attribute := range map[string]string{"index": "olcDbIndex", "limits": "olcLimits", "access": "olcAccess",
		"maxsize": "olcDbMaxSize", "syncprov-checkpoint": "olcSpCheckpoint", "syncprov-sessionlog": "olcSpSessionlog"} {
		var a, b []string
		for line := range strings.Lines(conf) {
			if rest, ok := strings.CutPrefix(line, keyword+" "); ok {
				a = append(a, rest)
			}
		}
		for line := range strings.Lines(ldif) {
			if rest, ok := strings.CutPrefix(line, attribute+": "); ok {
				b = append(b, regexp.MustCompile(`^\{\d+\}`).ReplaceAllString(rest, ""))
			}
		}
		if len(a) == 0 || !slices.Equal(a, b) {
			t.Errorf("%s:\n%v\n%s:\n%v", keyword, a, attribute, b)
		}
	}
}
