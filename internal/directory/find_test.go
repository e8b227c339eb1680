package directory

import (
	"errors"
	"slices"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"

	"gatepost/internal/testbed"
)

// TestFind: many names at once, each with the answer of its own.
func TestFind(t *testing.T) {
	n, _ := nounsOn(t, presetDBMail(), testbed.SlapdOptions{LDIF: []byte(dbmailLDIF)})
	ctx := brief(t)
	names := []Name{
		{Address: "LENA@example.com"}, {Address: "lena@müller.example"}, {Login: "lena"}, {Login: "LENA"}, {Number: 10001}, {Address: "nobody@example.com"},
		{Address: "team@example.com"}, {Login: "team"}, {Address: "shared@example.com"}, {Login: "paul"}, {Address: "olli@example.com", Login: "lena"},
		{Address: "@catch.example.com"}, {Address: "*@example.com"}, {Login: "*"}, {}, {Address: "lena", Login: "x)(uid=*"}, {Address: "away@example.com"}, {Number: 10},
	}
	want := "lena lena lena lena lena - cn=team - several odd several olli - - - - away -"
	found, err := n.Find(ctx, names)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range found {
		switch {
		case f.Nobody():
			got = append(got, "-")
		case errors.Is(f.Err, ErrAmbiguous) && strings.Count(f.Err.Error(), "dc=com") == 2:
			got = append(got, "several")
		case errors.Is(f.Err, ErrMalformed) && strings.Contains(f.Err.Error(), "uid=paul"):
			got = append(got, "odd")
		case f.Err != nil:
			got = append(got, f.Err.Error())
		case f.Group != nil:
			got = append(got, strings.TrimSuffix(f.Group.DN, ",dc=example,dc=com"))
		case f.Account.Login == "":
			got = append(got, strings.TrimSuffix(f.Account.Address, "@example.com"))
		default:
			got = append(got, f.Account.Login)
		}
	}
	if text := strings.Join(got, " "); text != want {
		t.Errorf("\n got %s\nwant %s", text, want)
	}
	if found, err := n.Find(ctx, nil); err != nil || len(found) != 0 {
		t.Errorf("nothing asked: %v, %v", found, err)
	}
	if address, err := n.AddressOf(ctx, "cn=team,dc=example,dc=com"); address != "team@example.com" || err != nil {
		t.Errorf("%q, %v", address, err)
	}
	if address, err := n.AddressOf(ctx, "cn=none,dc=example,dc=com"); address != "" || err != nil {
		t.Errorf("%q, %v", address, err)
	}
}

// TestFindInAD: the server does not tell u from ü; we do.
func TestFindInAD(t *testing.T) {
	lena := adPerson("lena", "proxyAddresses", "SMTP:lena@example.com")
	muller := adPerson("müller", "mail", "müller@example.com")
	n := NewNouns(&adFake{entries: []*Entry{lena, muller, adGroup("third", "1", "lena")}}, presetAD(), adBases)
	found, err := n.Find(brief(t), []Name{{Address: "muller@example.com"}, {Address: "mu\u0308ller@example.com"}, {Address: "third@example.com", Login: "third"}, {Login: "muller"}})
	if err != nil || !found[0].Nobody() || found[1].Account == nil || found[2].Group == nil || !found[3].Nobody() {
		t.Errorf("%+v, %v", found, err)
	}
}

// FuzzFind: whatever is asked for, the filter has the shape that we gave it,
// and no value in it but the names and the classes.
func FuzzFind(f *testing.F) {
	for _, address := range []string{"lena@example.com", "*", "lena*", "*)(uid=mika", "lena@example.org)(objectClass=*", "a(b@example.org", "\\2a", "a\\", "\x00",
		"\xff@x", "jörg@müller.example", "x@xn--mller-kva.example", "smtp:a@b", "a+b@c.d.e.f", "@", "a@.", "ß@ß"} {
		f.Add(address, int64(7))
	}
	var finders []finder
	for _, preset := range Presets() {
		p, err := PresetNamed(preset)
		if err != nil {
			f.Fatal(err)
		}
		finders = append(finders, newFinder(nil, p, Bases{"dc=a", "dc=a", "dc=a"}))
	}
	f.Fuzz(func(t *testing.T, address string, number int64) {
		names, direct := NamesOf(address)
		if direct > len(names) || len(names) > 2+maxParents+1+2 {
			t.Fatalf("%d names, %d direct", len(names), direct)
		}
		names = append(names, Name{Number: number})
		for _, finder := range finders {
			at := &finder.preset.Attributes
			filter := finder.filter(names)
			if filter == "" {
				continue
			}
			if _, err := appendFilter(nil, filter); err != nil {
				t.Fatalf("%q: %v", filter, err)
			}
			packet, err := ldap.CompileFilter(filter)
			if err != nil {
				t.Fatalf("%q: %v", filter, err)
			}
			if packet.Tag != ldap.FilterAnd || len(packet.Children) != 2 {
				t.Fatalf("%q is another filter", filter)
			}
			classes := slices.Concat(at.AccountClass, at.GroupClass)
			leaves(t, packet.Children[0], func(name, value string) bool { return name == "objectClass" && slices.Contains(classes, value) })
			leaves(t, packet.Children[1], func(name, value string) bool {
				if slices.Contains(at.UIDNumber, name) {
					return strings.Trim(value, digits) == ""
				}
				return slices.ContainsFunc(names, func(n Name) bool {
					forms := slices.Concat(addressForms(n.Address), addressForms(n.Login))
					return slices.Contains(forms, value) || name == "proxyAddresses" && slices.Contains(forms, strings.TrimPrefix(value, "smtp:"))
				})
			})
		}
	})
}

// leaves checks that a filter is a comparison for equality, or any of several.
func leaves(t *testing.T, filter *ber.Packet, allowed func(name, value string) bool) {
	t.Helper()
	switch filter.Tag {
	case ldap.FilterOr:
		for _, child := range filter.Children {
			leaves(t, child, allowed)
		}
	case ldap.FilterEqualityMatch:
		name, value := ber.DecodeString(filter.Children[0].Data.Bytes()), ber.DecodeString(filter.Children[1].Data.Bytes())
		if !allowed(name, value) {
			t.Errorf("%s=%q was not asked for", name, value)
		}
	default:
		t.Fatalf("a filter of kind %d", filter.Tag)
	}
}

// BenchmarkFind looks up a recipient that is in the cache.
func BenchmarkFind(b *testing.B) {
	s := testbed.Slapd(b, testbed.SlapdOptions{LDIF: listLDIF(1), Schema: []string{"/etc/ldap/schema/dyngroup.schema", "../../schema/ldap/ldapns.schema",
		"../../schema/ldap/mailmember.schema", "../../schema/ldap/dbmail.schema", "../../schema/ldap/gatepost.schema"}})
	d := New(NewPool(Settings{URIs: []string{s.URI()}}, nil), DefaultCacheOptions(), DefaultDoubtOptions(), nil)
	defer d.Close()
	n := NewNouns(d, presetDBMail(), Bases{s.BaseDN, s.BaseDN, s.BaseDN})
	b.ReportAllocs()
	for b.Loop() {
		names, _ := NamesOf("person0+box@example.com")
		if found, err := n.Find(b.Context(), names); err != nil || found[1].Account == nil {
			b.Fatal(found, err)
		}
	}
}
