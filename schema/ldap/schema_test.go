package ldap

import (
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	goldap "github.com/go-ldap/ldap/v3"

	"gatepost/internal/testbed"
)

// facts reads a recorded file as one map from column to value per row.
func facts(t *testing.T, name string) []map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var all []map[string]string
	for _, row := range rows[1:] {
		m := map[string]string{}
		for i, column := range rows[0] {
			m[column] = row[i]
		}
		all = append(all, m)
	}
	return all
}

// included lists the schemas that one server loads with each other, by what
// Debian ships and by ours.
func included(qmail bool) (debian, ours []string) {
	if qmail {
		return []string{"core", "cosine", "nis", "inetorgperson"}, []string{"ldapns", "mailmember", "qmail"}
	}
	return []string{"core", "cosine", "nis", "inetorgperson", "dyngroup"}, []string{"ldapns", "mailmember", "dbmail", "gatepost"}
}

// server starts a slapd with the schemas loaded as files or as LDIF.
func server(t *testing.T, qmail, asLDIF bool) *testbed.SlapdServer {
	t.Helper()
	debian, ours := included(qmail)
	o := testbed.SlapdOptions{}
	if len(debian) == 5 {
		o.Schema = append(o.Schema, "/etc/ldap/schema/dyngroup.schema")
	}
	if !asLDIF {
		for _, name := range ours {
			o.Schema = append(o.Schema, name+".schema")
		}
		return testbed.Slapd(t, o)
	}
	s := testbed.Slapd(t, o)
	for _, name := range ours {
		ldif, err := LDIF(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Configure(ldif); err != nil {
			t.Fatalf("%s: %v\n%s", name, err, ldif)
		}
	}
	return s
}

// published reads what the server itself says of its schema (RFC 4512 4.4),
// by the first name of each definition.
func published(t *testing.T, s *testbed.SlapdServer) map[string]string {
	t.Helper()
	conn, err := goldap.DialURL(s.URI())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answer, err := conn.Search(goldap.NewSearchRequest("cn=Subschema", goldap.ScopeBaseObject, 0, 0, 0, false,
		"(objectClass=subschema)", []string{"attributeTypes", "objectClasses"}, nil))
	if err != nil || len(answer.Entries) != 1 {
		t.Fatalf("subschema: %v", err)
	}
	name := regexp.MustCompile(`NAME (?:\( )?'([^']+)'`)
	all := map[string]string{}
	for _, a := range answer.Entries[0].Attributes {
		for _, definition := range a.Values {
			if m := name.FindStringSubmatch(definition); m != nil {
				all[m[1]] = definition
			}
		}
	}
	return all
}

func TestServersLoadTheSchemas(t *testing.T) {
	for _, qmail := range []bool{false, true} {
		file := published(t, server(t, qmail, false))
		ldif := published(t, server(t, qmail, true))
		_, ours := included(qmail)
		count := 0
		for _, schema := range ours {
			text, err := Schema(schema)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`NAME '([^']+)'`).FindAllStringSubmatch(text, -1) {
				count++
				if file[m[1]] == "" || ldif[m[1]] != file[m[1]] {
					t.Errorf("%s: as file %q, as LDIF %q", m[1], file[m[1]], ldif[m[1]])
				}
			}
		}
		if count < 20 {
			t.Errorf("only %d definitions", count)
		}
	}
}

// TestDBMailFacts compares what a server made of dbmail.schema with the facts
// recorded from DBMail's.
func TestDBMailFacts(t *testing.T) {
	got := published(t, server(t, false, false))
	attributes, classes := facts(t, "ldap-attributes.csv"), facts(t, "ldap-objectclasses.csv")
	if len(attributes) != 10 || len(classes) != 3 {
		t.Fatalf("%d attributes, %d classes", len(attributes), len(classes))
	}
	description := regexp.MustCompile(` DESC '[^']*'`)
	for _, f := range attributes {
		// The length in braces is a hint that slapd neither keeps nor heeds here.
		syntax, _, _ := strings.Cut(f["syntax"], "{")
		want := fmt.Sprintf("( %s NAME '%s'", f["oid"], f["name"])
		if f["equality"] != "" {
			want += " EQUALITY " + f["equality"]
		}
		want += " SYNTAX " + syntax
		if f["valued"] == "SINGLE" {
			want += " SINGLE-VALUE"
		}
		want += " )"
		is := regexp.MustCompile(`\{\d+\}`).ReplaceAllString(description.ReplaceAllString(got[f["name"]], ""), "")
		if !strings.EqualFold(is, want) {
			t.Errorf("%s:\n got %s\nwant %s", f["name"], is, want)
		}
	}
	list := func(word, definition string) []string {
		m := regexp.MustCompile(` ` + word + ` (?:\( ([^)]*) \)|(\S+))`).FindStringSubmatch(definition)
		if m == nil {
			return nil
		}
		names := strings.Split(m[1]+m[2], " $ ")
		slices.Sort(names)
		return names
	}
	for _, f := range classes {
		is := description.ReplaceAllString(got[f["name"]], "")
		if want := fmt.Sprintf("( %s NAME '%s' SUP %s %s ", f["oid"], f["name"], f["sup"], f["kind"]); !strings.HasPrefix(is, want) {
			t.Errorf("%s:\n got %s\nwant %s", f["name"], is, want)
		}
		for word, column := range map[string]string{"MUST": "must", "MAY": "may"} {
			want := strings.Fields(f[column])
			slices.Sort(want)
			if have := list(word, is); !slices.Equal(have, want) {
				t.Errorf("%s %s: got %q, want %q", f["name"], word, have, want)
			}
		}
	}
}

// TestSlaptest lets OpenLDAP itself convert the .schema files.
func TestSlaptest(t *testing.T) {
	slaptest := testbed.Need(t, "slaptest", "slapd")
	for _, qmail := range []bool{false, true} {
		dir := t.TempDir()
		var conf strings.Builder
		debian, ours := included(qmail)
		for _, name := range debian {
			fmt.Fprintf(&conf, "include /etc/ldap/schema/%s.schema\n", name)
		}
		for _, name := range ours {
			path, err := filepath.Abs(name + ".schema")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&conf, "include %q\n", path)
		}
		if err := os.WriteFile(filepath.Join(dir, "slapd.conf"), []byte(conf.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(filepath.Join(dir, "slapd.d"), 0o700); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(slaptest, "-f", filepath.Join(dir, "slapd.conf"), "-F", filepath.Join(dir, "slapd.d")).CombinedOutput()
		if err != nil {
			t.Fatalf("slaptest: %v\n%s", err, out)
		}
		converted, _ := filepath.Glob(filepath.Join(dir, "slapd.d/cn=config/cn=schema/*.ldif"))
		if len(converted) != len(debian)+len(ours) {
			t.Errorf("converted %q", converted)
		}
	}
}

func TestListOfOurs(t *testing.T) {
	s := server(t, false, false)
	if err := s.Modify(`dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
objectClass: dbmailDomain
dc: example
o: Example
`); err == nil {
		t.Error("an entry with two structural classes was taken")
	}
	if err := s.Modify(`dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

dn: uid=lena,dc=example,dc=com
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: dbmailUser
objectClass: gatepostAccount
objectClass: authorizedServiceObject
uid: lena
cn: Lena
sn: Lena
uidNumber: 10001
gidNumber: 10001
homeDirectory: /nonexistent
mail: lena@example.com
mailQuota: 100M
authorizedService: smtp
gatepostLimit: messages 200/1h
gatepostDelegate: uid=lena,dc=example,dc=com

dn: cn=team,dc=example,dc=com
objectClass: groupOfNames
objectClass: gatepostList
cn: team
mail: team@example.com
member: uid=lena,dc=example,dc=com
rfc822MailMember: guest@example.net
gatepostListSenders: members
gatepostModerator: uid=lena,dc=example,dc=com
`); err != nil {
		t.Error(err)
	}
	if err := s.Modify("dn: cn=team,dc=example,dc=com\nchangetype: modify\nadd: gatepostListSenders\ngatepostListSenders: everyone\n"); err == nil {
		t.Error("a list with two rules was taken")
	}
}

func TestUnknownName(t *testing.T) {
	for _, name := range []string{"", "exchange", "../schema", "testdata/x"} {
		if _, err := Schema(name); err == nil || !strings.Contains(err.Error(), "dbmail, gatepost") {
			t.Errorf("%q: %v", name, err)
		}
		if _, err := LDIF(name); err == nil {
			t.Errorf("%q: no error", name)
		}
	}
}

func TestFold(t *testing.T) {
	long := "olcAttributeTypes: " + strings.Repeat("x", 300)
	folded := fold(long)
	for line := range strings.SplitSeq(strings.TrimSuffix(folded, "\n"), "\n") {
		if len(line) > 79 {
			t.Errorf("line of %d", len(line))
		}
	}
	if got := strings.ReplaceAll(strings.TrimSuffix(folded, "\n"), "\n ", ""); got != long {
		t.Errorf("unfolded: %q", got)
	}
}
