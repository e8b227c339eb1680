package directory

import (
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
	"github.com/go-ldap/ldap/v3"
)

// treeOf writes down all of an element: tags, and contents of what holds no
// elements.
func treeOf(p *ber.Packet) string {
	out := string([]byte{byte(p.ClassType) | byte(p.TagType) | byte(p.Tag)})
	if p.TagType == ber.TypePrimitive {
		return out + "<" + string(p.ByteValue) + ">"
	}
	for _, child := range p.Children {
		out += treeOf(child)
	}
	return out + "."
}

// sameAsGoLDAP compares with what go-ldap makes of the same text.
func sameAsGoLDAP(t *testing.T, text string) {
	t.Helper()
	got, err := appendFilter([]byte{0}, text)
	packet, wantErr := ldap.CompileFilter(text)
	if wantErr != nil {
		if err == nil {
			t.Errorf("%q: is %x, but go-ldap says: %v", text, got, wantErr)
		}
		return
	}
	if err != nil || got[0] != 0 {
		t.Fatalf("%q: %x, %v", text, got, err)
	}
	decoded, err := ber.DecodePacketErr(got[1:])
	if err != nil {
		t.Fatalf("%q: %x is no element: %v", text, got, err)
	}
	// As it is on the wire.
	want, err := ber.DecodePacketErr(packet.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	if treeOf(decoded) != treeOf(want) {
		t.Errorf("%q: %q, go-ldap has %q", text, treeOf(decoded), treeOf(want))
	}
}

var strictFilters = []string{
	"(mail=a@b.c)", "(&(objectClass=x)(|(mail=a)(mail;lang-de=b)))", "(!(a=b))", "(a=*)", "(a=b*)", "(a=*b)", "(a=*b*)", "(a=b*c*d)", "(a=b*c)",
	"(a>=1)", "(a<=1)", "(a~=x)", `(a=\2A\28\29\5c\00)`, `(a=\ff)`, "(a=jürgen)", `(a=j\C3\BCrgen ü)`, "(a=b=c)", "(a= b )", "(1.2.3=x)", "(a:dn:=x)", "(a:1.2:=*)",
	// What is wrong, or strange.
	"", "(", ")", "()", "(&)", "(!)", "(a)", "(a=)", "(=a)", "(a=**)", "(a=b**c)", "(a=*)*", "(a=b)(c=d)", "(!(a=b)(c=d))", "a=b", `(a=\)`, `(a=\2)`, `(a=\zz)`,
	"(a=\xff)", "(a=\ufffd)", "(a=(b))", "(&(a=b)", "(a b=c)", "(a>=*)", "(a=b\x00)", "( a=b)", "(& (a=b))",
}

func TestAppendFilter(t *testing.T) {
	for _, text := range strictFilters {
		sameAsGoLDAP(t, text)
	}
	for loose := range looseFilters {
		sameAsGoLDAP(t, loose)
		if strict, err := CanonicalFilter(loose); err == nil {
			sameAsGoLDAP(t, strict)
		}
	}
}

func FuzzAppendFilter(f *testing.F) {
	for _, text := range strictFilters {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) { sameAsGoLDAP(t, text) })
}

func BenchmarkAppendFilter(b *testing.B) {
	const text = "(&(objectClass=inetOrgPerson)(|(mail=somebody@example.com)(mailAlternateAddress=somebody@example.com)))"
	b.Run("ours", func(b *testing.B) {
		b.ReportAllocs()
		buf := make([]byte, 0, 512)
		for b.Loop() {
			if _, err := appendFilter(buf, text); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("go-ldap", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			p, err := ldap.CompileFilter(text)
			if err != nil {
				b.Fatal(err)
			}
			_ = p.Bytes()
		}
	})
}
