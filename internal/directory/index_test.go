package directory

import (
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

func TestFilterNeeds(t *testing.T) {
	for filter, want := range map[string]string{
		"(mail=a)":                   "mail eq",
		"mail=a":                     "mail eq",
		"(mail=*)":                   "mail pres",
		"(mail=*a*)":                 "mail sub",
		`(mail=\2a)`:                 "mail eq",
		"(cn~=a)":                    "cn approx",
		"(uidNumber>=5)":             "uidNumber eq",
		"(cn;lang-de=a)":             "cn eq",
		"(uid:dn:2.4.6.8:=a)":        "uid ",
		"(:2.4.6.8:=a)":              " ",
		"(&(a=1)(|(b=*)(!(c=x*))))":  "a eq,b pres,c sub",
		"(&)":                        "",
		`(|(mail=a\28b\29)(uid=(b))`: "error",
		`(|(mail=a\28b\29)(uid=b))`:  "mail eq,uid eq",
	} {
		n, err := FilterNeeds(filter)
		var got []string
		for _, c := range n.Comparisons() {
			got = append(got, c.Attribute+" "+c.Index)
		}
		if text := strings.Join(got, ","); (err != nil) != (want == "error") || err == nil && text != want {
			t.Errorf("%s: %q, %v, want %q", filter, text, err, want)
		}
	}
	has := func(n Needs) bool { return n.Attribute == "mail" }
	for filter, want := range map[string]bool{
		"(mail=a)": true, "(cn=a)": false, "(&(cn=a)(mail=a))": true, "(|(cn=a)(mail=a))": false, "(|(mail=a)(mail=b))": true,
		"(!(mail=a))": false, "(&(mail=a)(!(cn=b)))": true, "(&)": false, "(|(&(cn=a)(mail=a))(mail=b))": true,
	} {
		n, err := FilterNeeds(filter)
		if err != nil || n.Served(has) != want {
			t.Errorf("%s: %v, %v", filter, n.Served(has), err)
		}
	}
}

func FuzzFilterNeeds(f *testing.F) {
	f.Add("(&(mail=a*)(|(b=\\28)(!(c>=d))))")
	f.Fuzz(func(t *testing.T, filter string) {
		n, err := FilterNeeds(filter)
		if err != nil {
			return
		}
		// What the one parser finds the other does.
		canonical, _ := CanonicalFilter(filter)
		seen := map[string]bool{}
		for _, c := range n.Comparisons() {
			seen[strings.ToLower(c.Attribute)] = true
		}
		for _, name := range filterAttributes(canonical) {
			base, _, _ := strings.Cut(name, ";")
			if !seen[base] {
				t.Errorf("%q: %q is not among %v", filter, base, seen)
			}
		}
	})
}

func TestSchemaWords(t *testing.T) {
	s := &Schema{types: map[string]*attributeType{}}
	for _, text := range []string{
		"( 2.5.4.41 NAME 'name' DESC 'a (name) SUP x' EQUALITY caseIgnoreMatch SYNTAX 1.3.6.1.4.1.1466.115.121.1.15{32768} )",
		"( 2.5.4.3 NAME ( 'cn' 'commonName' ) DESC 'RFC4519: SUP uid' SUP name )",
		"(2.5.4.99 NAME('odd')SUP cn)",
		"", "(", "( 1.2", "( 1.3 NAME", "( 1.4 NAME ( 'open", "no",
	} {
		s.add(text)
	}
	for name, want := range map[string]string{
		"commonname": "2.5.4.3,cn,commonname,2.5.4.41,name", "CN": "2.5.4.3,cn,commonname,2.5.4.41,name",
		"odd": "2.5.4.99,odd,2.5.4.3,cn,commonname,2.5.4.41,name", "name": "2.5.4.41,name", "unknown": "unknown",
	} {
		if got := strings.Join(s.lineage(name), ","); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
	if !s.Knows("cn;lang-de") || s.Knows("uid") {
		t.Error("what is known")
	}
}

func FuzzSchema(f *testing.F) {
	f.Add("( 2.5.4.3 NAME ( 'cn' 'commonName' ) SUP name )")
	f.Fuzz(func(t *testing.T, text string) {
		s := &Schema{types: map[string]*attributeType{}}
		s.add(text)
		for name := range s.types {
			s.lineage(name)
		}
	})
}

func TestDatabaseIndexes(t *testing.T) {
	d := &Database{lines: []string{"default pres,eq", "cn", "mail,uid eq,subinitial", "", "sn sub"}, indexes: map[string]databaseIndex{}}
	d.read()
	s := &Schema{types: map[string]*attributeType{}}
	s.add("( 1.1 NAME 'name' )")
	s.add("( 1.2 NAME 'sn' SUP name )")
	s.add("( 1.3 NAME ( 'mail' 'rfc822Mailbox' ) )")
	for filter, want := range map[string]bool{
		"(cn=a)": true, "(cn=*)": true, "(cn=a*)": false, "(MAIL=a)": true, "(mail=a*)": true, "(mail=*)": false, "(rfc822Mailbox=a)": true,
		"(uid~=a)": true, "(sn=a*)": true, "(sn=a)": false, "(o=a)": false, "(mail:caseExactMatch:=a)": false,
	} {
		n, err := FilterNeeds(filter)
		if err != nil || d.Has(n, s) != want {
			t.Errorf("%s: %v, %v", filter, d.Has(n, s), err)
		}
	}
}

// TestIndexesOfSlapd reads and mends the indexes of a real server.
func TestIndexesOfSlapd(t *testing.T) {
	server := testbed.Slapd(t, testbed.SlapdOptions{
		LDIF:  []byte("dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: example\n"),
		Index: []string{"mail,uid pres", "sn eq"}, Database: []string{"index name eq"},
	})
	open := func(b Bind) *Pool {
		p := NewPool(Settings{URIs: []string{server.URI()}, Bind: b}, slog.New(slog.DiscardHandler))
		t.Cleanup(p.Close)
		return p
	}
	nobody := open(Bind{})
	config := open(Bind{Method: BindSimple, DN: "cn=config", Password: Password(server.AdminPassword)})
	schema, err := ReadSchema(t.Context(), nobody)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"mail": true, "rfc822Mailbox": true, "CN": true, "createTimestamp": true, "maildrop": false} {
		if schema.Knows(name) != want {
			t.Errorf("%s: known is %v", name, !want)
		}
	}
	if _, err := ReadDatabase(t.Context(), nobody, "dc=example,dc=com"); !errors.Is(err, ErrNoConfig) {
		t.Errorf("nobody reads cn=config: %v", err)
	}
	if _, err := ReadDatabase(t.Context(), config, "dc=elsewhere"); !errors.Is(err, ErrNoConfig) {
		t.Errorf("a database of another suffix: %v", err)
	}
	missing := func(filter string) (names []string, d *Database) {
		t.Helper()
		d, err := ReadDatabase(t.Context(), config, "ou=people, DC=example,dc=com")
		if err != nil {
			t.Fatal(err)
		}
		n, err := FilterNeeds(filter)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range n.Comparisons() {
			if !d.Has(c, schema) {
				names = append(names, c.Attribute+" "+c.Index)
			}
		}
		return names, d
	}
	const filter = "(|(mail=a)(uid=*)(sn=a)(cn=a)(telephoneNumber=a)(sn=b*))"
	want := []string{"mail eq", "telephoneNumber eq", "sn sub"} // name's index serves cn
	got, d := missing(filter)
	if !reflect.DeepEqual(got, want) || d.Suffix != "dc=example,dc=com" || !strings.Contains(d.DN, "mdb,cn=config") {
		t.Fatalf("%q, %+v", got, d)
	}
	for len(got) > 0 {
		name, index, _ := strings.Cut(got[0], " ")
		if err := server.Configure(d.Mend(Needs{Attribute: name, Index: index}, schema)); err != nil {
			t.Fatalf("%s: %v\n%s", got[0], err, d.Mend(Needs{Attribute: name, Index: index}, schema))
		}
		want = want[1:]
		if got, d = missing(filter); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("left are %q, want %q; %+v", got, want, d.lines)
		}
	}
}
