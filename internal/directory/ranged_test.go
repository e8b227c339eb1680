package directory

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

// adPerson is a user of the fake.
func adPerson(login string, more ...string) *Entry {
	e := entryOf(append([]string{"objectClass", "user", "sAMAccountName", login, "userAccountControl", "512"}, more...)...)
	e.DN = "CN=" + login + ",DC=example"
	return e
}

// adGroup is a group of the fake.
func adGroup(name string, version string, members ...string) *Entry {
	e := entryOf("objectClass", "group", "cn", name, "uSNChanged", version, "proxyAddresses", "SMTP:"+name+"@example.com")
	e.DN = "CN=" + name + ",DC=example"
	a := Attribute{Name: "member"}
	for _, m := range members {
		a.Values = append(a.Values, []byte("CN="+m+",DC=example"))
	}
	e.Attributes = append(e.Attributes, a)
	return e
}

var adBases = Bases{"DC=example", "DC=example", "DC=example"}

func TestRanged(t *testing.T) {
	for _, size := range []int{0, 1, 1499, 1500, 1501, 3000, 5000} {
		f := &adFake{}
		var logins []string
		for i := range size {
			logins = append(logins, fmt.Sprintf("u%d", i))
			f.entries = append(f.entries, adPerson(logins[i], "proxyAddresses", fmt.Sprintf("SMTP:u%d@example.com", i)))
		}
		list := adGroup("list", "1", logins...)
		f.entries = append(f.entries, list)
		n := NewNouns(f, presetAD(), adBases)
		e, err := n.Groups.read(t.Context(), "member", list.DN, "(objectClass=group)", n.Groups.ofMember)
		if err != nil {
			t.Fatal(err)
		}
		f.asked.Store(0)
		got, err := n.Groups.allValues(t.Context(), e, "member")
		if err != nil || len(got) != size || len(got) > 0 && !slices.Equal(got, valuesOf(list, []string{"member"})) {
			t.Errorf("%d members: got %d, %v", size, len(got), err)
		}
		if want := max(0, (size-1)/adPart); int(f.asked.Load()) != want {
			t.Errorf("%d members: %d further searches, want %d", size, f.asked.Load(), want)
		}
		m, err := n.Groups.Members(t.Context(), &Group{DN: list.DN})
		if err != nil || len(m.Members) != size || len(m.Missing) != 0 {
			t.Errorf("%d members: %d, %v", size, len(m.Members), err)
		}
	}
}

// TestRangedChanges: a list that changes while it is read is read again, or
// an error, never a mixture.
func TestRangedChanges(t *testing.T) {
	var many []string
	for i := range 4000 {
		many = append(many, fmt.Sprintf("u%d", i))
	}
	for _, tc := range []struct {
		name    string
		changes int // how often a later part finds another version
		after   []string
		want    error
	}{
		{"once", 1, many[:3999], nil},
		{"once, to less than a part", 1, many[:10], nil},
		{"for ever", 1000, many, ErrMalformed},
	} {
		f := &adFake{entries: []*Entry{adGroup("list", "1", many...)}}
		n := NewNouns(f, presetAD(), adBases)
		e, err := n.Groups.read(t.Context(), "member", "CN=list,DC=example", "(objectClass=group)", n.Groups.ofMember)
		if err != nil {
			t.Fatal(err)
		}
		changes := 0
		f.onPart = func(int) {
			if changes < tc.changes {
				changes++
				*f.entries[0] = *adGroup("list", fmt.Sprint(1+changes), tc.after...)
			}
		}
		got, err := n.Groups.allValues(t.Context(), e, "member")
		if !errors.Is(err, tc.want) || tc.want == nil && len(got) != len(tc.after) {
			t.Errorf("%s: %d members, %v", tc.name, len(got), err)
		}
	}
	f := &adFake{entries: []*Entry{adGroup("list", "1", many...)}}
	n := NewNouns(f, presetAD(), adBases)
	n.Groups.bounds.Entries = 3999
	if m, err := n.Groups.Members(t.Context(), &Group{DN: "CN=list,DC=example"}); !errors.Is(err, ErrTooLarge) {
		t.Errorf("too many: %+v, %v", m, err)
	}
}

func TestAD(t *testing.T) {
	guid := string([]byte{0x33, 0x22, 0x11, 0x00, 0x55, 0x44, 0x77, 0x66, 0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff})
	lena := adPerson("lena", "objectGUID", guid, "mail", "lena@example.com")
	lena.Attributes = append(lena.Attributes, Attribute{Name: "proxyAddresses", Values: [][]byte{
		[]byte("smtp:l.lund@example.com"), []byte("X400:C=US;S=Lena"), []byte("SMTP:Lena.Lund@example.com"), []byte("smtp:lena@xn--mller-kva.example"), []byte("SIP:lena@example.com")}})
	mika := adPerson("mika", "proxyAddresses", "SMTP:mika@example.com")
	mika.Attributes[2].Values = [][]byte{[]byte("514")}
	muller := adPerson("müller", "mail", "müller@example.com", "targetAddress", "SMTP:m@elsewhere.example")
	inner, outer, third := adGroup("inner", "1", "lena", "outer"), adGroup("outer", "1", "inner", "gone"), adGroup("third", "1", "mika")
	outer.Attributes = append(outer.Attributes, Attribute{Name: "msExchRequireAuthToSendTo", Values: [][]byte{[]byte("TRUE")}})
	inner.Attributes = append(inner.Attributes, Attribute{Name: "authOrig", Values: [][]byte{[]byte(mika.DN)}})
	f := &adFake{entries: []*Entry{lena, mika, muller, inner, outer, third}}
	n := NewNouns(f, presetAD(), adBases)
	ctx := brief(t)

	for _, address := range []string{"lena.lund@example.com", "L.LUND@example.com", "lena@müller.example", "lena@example.com"} {
		a, err := n.Accounts.ByAddress(ctx, address)
		if err != nil || a.Login != "lena" || a.Address != "Lena.Lund@example.com" || a.UUID != "00112233-4455-6677-8899-aabbccddeeff" ||
			!slices.Equal(a.Alternates, []string{"l.lund@example.com", "lena@xn--mller-kva.example", "lena@example.com"}) {
			t.Errorf("%s: %+v, %v", address, a, err)
		}
	}
	if a, err := n.Accounts.ByLogin(ctx, "mika"); err != nil || a.Status != StatusDisabled {
		t.Errorf("%+v, %v", a, err)
	}
	// The server does not tell u from ü; we do.
	if a, err := n.Accounts.ByAddress(ctx, "muller@example.com"); !errors.Is(err, ErrNotFound) {
		t.Errorf("%+v, %v", a, err)
	}
	if a, err := n.Accounts.ByAddress(ctx, "müller@example.com"); err != nil || a.Keep || !slices.Equal(a.Forward, []string{"m@elsewhere.example"}) {
		t.Errorf("%+v, %v", a, err)
	}
	for _, tc := range []struct {
		address string
		want    SenderRule
	}{{"outer@example.com", SendersOrganisation}, {"inner@example.com", SendersListed}, {"third@example.com", SendersEveryone}} {
		if g, err := n.Groups.ByAddress(ctx, tc.address); err != nil || g.Senders != tc.want {
			t.Errorf("%s: %+v, %v", tc.address, g, err)
		}
	}
	if got := membersOf(t, n, outer.DN); got != "CN=lena,DC=example missing:CN=gone,DC=example" {
		t.Errorf("members %s", got)
	}
	for _, tc := range []struct {
		account, group *Entry
		want           bool
	}{{lena, inner, true}, {lena, outer, true}, {mika, outer, false}, {mika, third, true}, {muller, third, false}} {
		f.asked.Store(0)
		in, err := n.Groups.IsMember(ctx, &Group{DN: tc.group.DN}, &Account{DN: tc.account.DN})
		if in != tc.want || err != nil || f.asked.Load() != 1 {
			t.Errorf("%s in %s: %v, %v, %d searches", tc.account.DN, tc.group.DN, in, err, f.asked.Load())
		}
	}
}
