package ldapmap

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"

	"gatepost/internal/directory"
)

// fakeDirectory answers searches from data: by base, and by filter where the
// base has no entry of its own. A base in fail gives its error.
type fakeDirectory struct {
	entries map[string][]*directory.Entry
	fail    map[string]error
	// gate holds every search for a member back until so many are under way
	// or the context ends.
	gate int

	mu     sync.Mutex
	asked  []*directory.Request
	inside int
	most   int
	open   chan struct{}
}

func (f *fakeDirectory) Search(ctx context.Context, r *directory.Request) (*directory.Answer, error) {
	f.mu.Lock()
	f.asked = append(f.asked, r)
	if f.open == nil {
		f.open = make(chan struct{})
	}
	member := r.Scope == directory.ScopeBase
	if member {
		f.inside++
		if f.inside == f.gate && f.most < f.gate { // the first time
			close(f.open)
		}
		f.most = max(f.most, f.inside)
	}
	f.mu.Unlock()
	if member && f.gate > 0 {
		select {
		case <-f.open:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if member {
		f.inside--
	}
	if err := f.fail[r.Base]; err != nil {
		return nil, err
	}
	found, ok := f.entries[r.Base]
	if !ok {
		found = f.entries[r.Filter]
	}
	return &directory.Answer{Entries: found, Server: "ldap://fake"}, nil
}

// entry makes an entry of "name", "value" pairs; attributes are in order.
func entry(dn string, pairs ...string) *directory.Entry {
	e := &directory.Entry{DN: dn}
	for i := 0; i < len(pairs); i += 2 {
		n := len(e.Attributes)
		if n == 0 || e.Attributes[n-1].Name != pairs[i] {
			e.Attributes = append(e.Attributes, directory.Attribute{Name: pairs[i]})
			n++
		}
		e.Attributes[n-1].Values = append(e.Attributes[n-1].Values, []byte(pairs[i+1]))
	}
	return e
}

var groupLines = []string{"search_base = dc=x", "query_filter = (mail=%s)", "leaf_result_attribute = mail",
	"result_attribute = extern", "special_result_attribute = member"}

func groups(t testing.TB, f *fakeDirectory, more ...string) *Table {
	t.Helper()
	return NewTable(parse(t, append(groupLines, more...)...), f)
}

// crowd is a group of n members.
func crowd(n int) (f *fakeDirectory, want string) {
	f = &fakeDirectory{entries: map[string][]*directory.Entry{}}
	pairs := []string{"mail", "crowd"}
	var mails []string
	for i := range n {
		dn, mail := fmt.Sprintf("cn=%d", i), fmt.Sprintf("m%d@x", i)
		f.entries[dn] = []*directory.Entry{entry(dn, "mail", mail)}
		pairs, mails = append(pairs, "member", dn), append(mails, mail)
	}
	f.entries["(mail=crowd)"] = []*directory.Entry{entry("cn=crowd", pairs...)}
	return f, strings.Join(mails, ",")
}

func TestMembersTogetherInOrder(t *testing.T) {
	f, want := crowd(100)
	f.gate = together // nobody is answered before so many have asked
	data, found, err := groups(t, f).Lookup(t.Context(), "crowd")
	if err != nil || !found || data != want {
		t.Errorf("%q, %v, %v", data, found, err)
	}
	if f.most != together || len(f.asked) != 101 {
		t.Errorf("%d searches, %d at a time", len(f.asked), f.most)
	}
}

func TestOneFaultIsAll(t *testing.T) {
	for _, member := range []string{"cn=0", "cn=50", "cn=99"} {
		f, _ := crowd(100)
		f.fail = map[string]error{member: directory.ErrUnavailable}
		data, found, err := groups(t, f).Lookup(t.Context(), "crowd")
		if !errors.Is(err, directory.ErrUnavailable) || found || data != "" {
			t.Errorf("%s: %q, %v, %v", member, data, found, err)
		}
	}
}

func TestLimitsEndTheLookup(t *testing.T) {
	f, want := crowd(100)
	if data, _, err := groups(t, f, "expansion_limit = 100", "size_limit = 0").Lookup(t.Context(), "crowd"); err != nil || data != want {
		t.Errorf("at the limit: %v", err)
	}
	f, _ = crowd(1000)
	_, found, err := groups(t, f, "expansion_limit = 99").Lookup(t.Context(), "crowd")
	if !errors.Is(err, errLimit) || found {
		t.Errorf("beyond the limit: %v, %v", found, err)
	}
	f.mu.Lock()
	if n := len(f.asked); n > 1+100+together {
		t.Errorf("%d searches were made", n)
	}
	f.mu.Unlock()
	// A directory of its own: members of the crowd may still be asked for.
	f = &fakeDirectory{entries: map[string][]*directory.Entry{"(mail=two)": {entry("cn=a", "mail", "a"), entry("cn=b", "mail", "b")}}}
	if _, found, err := groups(t, f, "size_limit = 1").Lookup(t.Context(), "two"); !errors.Is(err, errLimit) || found {
		t.Errorf("more than size_limit: %v, %v", found, err)
	}
}

func TestLoop(t *testing.T) {
	f := &fakeDirectory{entries: map[string][]*directory.Entry{
		"(mail=a)": {entry("cn=a", "member", "cn=user", "member", "cn=b")},
		"cn=a":     {entry("cn=a", "member", "cn=user", "member", "cn=b")},
		"cn=b":     {entry("cn=b", "member", "cn=a")},
		"cn=user":  {entry("cn=user", "mail", "u@x")},
	}}
	data, found, err := groups(t, f).Lookup(t.Context(), "a")
	if !errors.Is(err, errLoop) || found || data != "" {
		t.Errorf("%q, %v, %v", data, found, err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.asked) > 6 {
		t.Errorf("%d searches", len(f.asked))
	}
}

// Each of forty groups holds the next one twice: no loop, and 2^40 members.
func TestManyTimesOver(t *testing.T) {
	f := &fakeDirectory{entries: map[string][]*directory.Entry{"(mail=0)": {entry("cn=0", "member", "cn=1")}}}
	for i := range 40 {
		f.entries[fmt.Sprintf("cn=%d", i)] = []*directory.Entry{entry("", "member", fmt.Sprintf("cn=%d", i+1), "member", fmt.Sprintf("cn=%d", i+1))}
	}
	f.entries["cn=40"] = []*directory.Entry{entry("cn=40", "mail", "u@x")}
	if _, found, err := groups(t, f).Lookup(t.Context(), "0"); !errors.Is(err, errLimit) || found {
		t.Errorf("%v, %v", found, err)
	}
}

func TestPartsOfAnAttribute(t *testing.T) {
	f := &fakeDirectory{entries: map[string][]*directory.Entry{
		"(mail=g)": {entry("cn=g", "mail", "g@x", "member", "", "member;range=0-1", "cn=0", "member;range=0-1", "cn=1")},
		"cn=g":     {entry("cn=g", "member;range=2-*", "cn=2")},
		"cn=0":     {entry("cn=0", "mail", "0@x")},
		"cn=1":     {entry("cn=1", "mail", "1@x")},
		"cn=2":     {entry("cn=2", "mail", "2@x")},
	}}
	f.entries["(mail=g)"][0].Attributes[1].Values = nil // as Active Directory has it
	data, _, err := groups(t, f).Lookup(t.Context(), "g")
	if err != nil || data != "0@x,1@x,2@x" {
		t.Errorf("%q, %v", data, err)
	}
	asked := 0
	for _, r := range f.asked {
		if r.Base == "cn=g" {
			asked++
			if !reflect.DeepEqual(r.Attributes, []string{"member;range=2-*"}) || r.BaseFromKey {
				t.Errorf("%+v", r)
			}
		}
	}
	if asked != 1 {
		t.Errorf("asked %d times for the rest", asked)
	}
	f.entries["cn=g"] = nil
	if _, found, err := groups(t, f).Lookup(t.Context(), "g"); !errors.Is(err, errGone) || found {
		t.Errorf("the group went away: %v, %v", found, err)
	}
	for name, want := range map[string]string{
		"member": "", "member;range=0-*": "", "Member;Range=0-1499": "Member;range=1500-*", "a;x-b;range=1500-2999;lang-de": "a;x-b;range=3000-*;lang-de",
		"member;range=": "", "member;range=5": "", "member;": "", "range=0-5": "", ";range=0-99999999999": "",
	} {
		if got := rest(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

func TestWhatIsAsked(t *testing.T) {
	f, _ := crowd(1)
	table := groups(t, f, "size_limit = 5", "dereference = 2", "scope = one")
	table.Authorises = true
	trace := &Trace{NoCache: true}
	if _, _, err := table.Lookup(WithTrace(t.Context(), trace), "crowd"); err != nil {
		t.Fatal(err)
	}
	attributes := []string{"mail", "extern", "member"}
	want := []*directory.Request{
		{Base: "dc=x", Scope: directory.ScopeOne, Filter: "(mail=crowd)", Attributes: attributes, SizeLimit: 5, Deref: 2, Table: "test", Authorises: true, NoCache: true},
		{Base: "cn=0", Scope: directory.ScopeBase, Filter: "(objectClass=*)", Attributes: attributes, SizeLimit: 5, Deref: 2, Table: "test", Authorises: true, NoCache: true, BaseFromKey: true},
	}
	if !reflect.DeepEqual(f.asked, want) {
		t.Errorf("got  %+v %+v\nwant %+v %+v", f.asked[0], f.asked[1], want[0], want[1])
	}
	searches := trace.Searches()
	if len(searches) != 2 || searches[1].Base != "cn=0" || searches[1].Depth != 2 || searches[1].Entries != 1 || searches[0].Scope != "one" || searches[0].Server != "ldap://fake" {
		t.Errorf("trace: %+v", searches)
	}
	dynamic := NewTable(parse(t, "search_base = o=%d", "query_filter = (mail=%s)", "result_attribute ="), f)
	f.asked = nil
	if _, found, err := dynamic.Lookup(t.Context(), "a@b"); err != nil || found {
		t.Errorf("%v, %v", found, err)
	}
	if r := f.asked[0]; !r.BaseFromKey || r.NoCache || r.Base != "o=b" || !reflect.DeepEqual(r.Attributes, []string{"1.1"}) {
		t.Errorf("%+v", r)
	}
}

func TestSkippedKeys(t *testing.T) {
	f := &fakeDirectory{}
	table := NewTable(parse(t, "search_base = o=%d", "query_filter = (mail=%u)", "domain = !bad.example example.com fail:x"), f)
	for key, reason := range map[string]string{
		"":              "the key is empty",
		"a":             "the table is for some domains, and the key is no address",
		"@example.com":  "the table is for some domains, and the key is no address",
		"a@bad.example": "the key's domain is not one of the table's",
		"a\xff@b":       "the key is not UTF-8",
	} {
		trace := &Trace{}
		data, found, err := table.Lookup(WithTrace(t.Context(), trace), key)
		if data != "" || found || err != nil {
			t.Errorf("%q: %q, %v, %v", key, data, found, err)
		}
		if got := trace.Skipped(); !reflect.DeepEqual(got, []SkippedKey{{key, reason}}) {
			t.Errorf("%q: %v", key, got)
		}
	}
	if _, found, err := table.Lookup(t.Context(), "a@other.example"); err == nil || found {
		t.Errorf("a table that fails: %v, %v", found, err)
	}
	if len(f.asked) > 0 {
		t.Errorf("asked for %+v", f.asked[0])
	}
}

func TestResultIsText(t *testing.T) {
	f := &fakeDirectory{entries: map[string][]*directory.Entry{"(mail=a)": {entry("cn=a", "extern", "ok", "extern", "\xff")}}}
	if _, found, err := groups(t, f).Lookup(t.Context(), "a"); !errors.Is(err, ErrNotText) || found {
		t.Errorf("%v, %v", found, err)
	}
}

func TestCancelled(t *testing.T) {
	f, _ := crowd(20)
	f.gate = 1000 // never
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := groups(t, f).Lookup(ctx, "crowd")
		done <- err
	}()
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// Whatever a key is, it is answered, and nothing of it reaches the filter bare.
func FuzzLookup(f *testing.F) {
	for _, key := range []string{"a@b", "*", `\`, "a\x00b", "\xff", "@", "(|(a=*", strings.Repeat("x", 10_000)} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		d := &fakeDirectory{}
		table := NewTable(parse(t, "search_base = o=%d,dc=x", "query_filter = (|(a=%s)(b=%u))"), d)
		folded, ok := Fold(key)
		if !ok {
			folded = key
		}
		_, found, err := table.Lookup(t.Context(), folded)
		if found || err != nil {
			t.Errorf("%q: %v, %v", key, found, err)
		}
		for _, r := range d.asked {
			if n := strings.Count(r.Filter, "("); n != 3 || strings.Count(r.Filter, "*") > 0 {
				t.Errorf("%q: filter %q", key, r.Filter)
			}
		}
	})
}
