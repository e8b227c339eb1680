package directory

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// access replaces the rights of the running server.
func access(t *testing.T, s *testbed.SlapdServer, rules ...string) {
	t.Helper()
	ldif := "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nreplace: olcAccess\n"
	for n, rule := range rules {
		ldif += fmt.Sprintf("olcAccess: {%d}%s\n", n, rule)
	}
	if err := s.Configure(ldif); err != nil {
		t.Fatal(err)
	}
}

// reload exchanges the data of the server and waits until d reaches it again.
func reload(t *testing.T, d *Doubt, s *testbed.SlapdServer, ldif []byte) {
	t.Helper()
	if err := s.Reload(ldif); err != nil {
		t.Fatal(err)
	}
	await(t, "the server is reached again", func() bool {
		_, err := d.next.SearchOn(t.Context(), s.URI(), &Request{Scope: ScopeBase, Filter: anyEntry})
		return err == nil
	})
}

func userMail(n int) *Request {
	return &Request{Base: "dc=example,dc=com", Filter: fmt.Sprintf("(mail=user%d@example.com)", n),
		Attributes: []string{"mail"}, Table: "mail"}
}

func doubtOn(t *testing.T, o DoubtOptions, s ...*testbed.SlapdServer) *Doubt {
	t.Helper()
	settings := Settings{}
	for _, one := range s {
		settings.URIs = append(settings.URIs, one.URI())
	}
	return NewDoubt(openPool(t, settings), o, nil)
}

// want checks one search: "yes", "no" (proven), or "doubt".
func want(t *testing.T, s Searcher, r *Request, want string) {
	t.Helper()
	a, err := s.Search(t.Context(), r)
	got := "yes"
	switch {
	case errors.Is(err, ErrDoubt):
		got = "doubt"
	case errors.Is(err, ErrNoBase):
		got = "no base"
	case err != nil:
		got = err.Error()
	case len(a.Entries) == 0:
		got = "no"
	}
	if got != want {
		t.Helper()
		t.Errorf("%s: %s (%v), want %s", r.Filter, got, err, want)
	}
}

func warm(t *testing.T, s Searcher, users ...int) {
	t.Helper()
	for _, n := range users {
		want(t, s, userMail(n), "yes")
	}
}

const unknown = 1000

// The identity may not search by mail any more: nothing is said about
// addresses, whether the table knew some before or not.
func TestDoubtRights(t *testing.T) {
	for name, rule := range map[string]string{
		"attribute":            "to attrs=mail by * none",
		"read, but not search": "to attrs=mail by * auth",
		"below people":         `to dn.subtree="ou=people,dc=example,dc=com" attrs=mail by * none`,
		"people":               `to dn.children="ou=people,dc=example,dc=com" by * none`,
		"entries":              `to attrs=entry by * none`,
	} {
		t.Run(name, func(t *testing.T) {
			s := poolSlapd(t, testbed.SlapdOptions{})
			fresh, one, many := doubtOn(t, DefaultDoubtOptions(), s), doubtOn(t, DefaultDoubtOptions(), s), doubtOn(t, DefaultDoubtOptions(), s)
			warm(t, one, 1)
			warm(t, many, 1, 2, 3)
			access(t, s, rule, "to * by * read")
			ways := map[string]*Doubt{"one": one, "many": many}
			if name != "people" { // to whom does not know them, there is nobody
				ways["fresh"] = fresh
			}
			for way, d := range ways {
				_, err := d.Search(t.Context(), userMail(1))
				if !errors.Is(err, ErrDoubt) && !errors.Is(err, ErrNoBase) {
					t.Errorf("%s: %v", way, err)
				}
			}
			access(t, s, "to * by * read")
			for _, d := range []*Doubt{fresh, one, many} {
				want(t, d, userMail(1), "yes")
				want(t, d, userMail(unknown), "no")
			}
		})
	}
}

// An attribute that the schema lacks: slapd answers success.
func TestDoubtSchema(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	d := doubtOn(t, DefaultDoubtOptions(), s)
	want(t, d, &Request{Base: s.BaseDN, Filter: "(mailAlternateAddress=user1@example.com)", Table: "t"}, "doubt")
	want(t, d, &Request{Base: s.BaseDN, Filter: "(&(objectClass=inetOrgPerson)(mailAlternateAddress=user1@example.com))", Table: "t"}, "doubt")
	want(t, d, &Request{Base: "ou=wrong,dc=example,dc=com", Filter: "(mail=user1@example.com)", Table: "t"}, "no base")
	want(t, d, &Request{Base: "ou=user1,dc=wrong", Filter: "(mail=user1@example.com)", Table: "t", BaseFromKey: true}, "doubt")
}

func TestDoubtDeleted(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	many, one, fresh := doubtOn(t, DefaultDoubtOptions(), s), doubtOn(t, DefaultDoubtOptions(), s), doubtOn(t, DefaultDoubtOptions(), s)
	warm(t, many, 1, 2, 3, 4)
	warm(t, one, 1)
	gone := func(n int) {
		if err := s.Modify(fmt.Sprintf("dn: uid=user%d,ou=people,dc=example,dc=com\nchangetype: delete\n", n)); err != nil {
			t.Fatal(err)
		}
	}
	gone(1)
	for _, d := range []*Doubt{many, one, fresh} {
		want(t, d, userMail(1), "no")
		want(t, d, userMail(unknown), "no")
		want(t, d, userMail(2), "yes")
	}
	gone(2) // each deletion is believed as it comes
	want(t, many, userMail(2), "no")
	gone(3)
	want(t, many, userMail(3), "no")
	if err := s.Modify("dn: uid=user4,ou=people,dc=example,dc=com\nchangetype: modify\nreplace: mail\nmail: moved@example.com\n"); err != nil {
		t.Fatal(err)
	}
	want(t, many, userMail(4), "no") // the last one known was changed
	want(t, many, userMail(5), "yes")
}

// A replica is emptied and filled again.
func TestDoubtReload(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	d := doubtOn(t, DefaultDoubtOptions(), s)
	warm(t, d, 10, 11, 12, 13, 14, 15, 16, 17)
	for _, loaded := range []int{0, 1, 8, 12, 14} {
		reload(t, d, s, peopleLDIF(loaded))
		want(t, d, userMail(18), "doubt")
		want(t, d, userMail(17), "doubt")
		want(t, d, userMail(unknown), "doubt")
	}
	reload(t, d, s, []byte("dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n"))
	want(t, d, userMail(18), "doubt")
	reload(t, d, s, peopleLDIF(50))
	want(t, d, userMail(18), "yes")
	want(t, d, userMail(unknown), "no")
}

// Another server that can prove it answers instead.
func TestDoubtOtherServer(t *testing.T) {
	s, other := poolSlapd(t, testbed.SlapdOptions{}), poolSlapd(t, testbed.SlapdOptions{})
	d := doubtOn(t, DefaultDoubtOptions(), s, other)
	warm(t, d, 1, 2, 3)
	access(t, s, "to attrs=mail by * none", "to * by * read")
	want(t, d, userMail(4), "yes")
	want(t, d, userMail(unknown), "no")
	access(t, other, "to attrs=mail by * none", "to * by * read")
	want(t, d, userMail(4), "doubt")
	want(t, d, userMail(unknown), "doubt")
}

// A site without an alias yet gets its mail, and one without anybody: "no" is
// what a server says that would find them.
func TestDoubtEmptyTables(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{LDIF: []byte(strings.ReplaceAll(string(peopleLDIF(3)), "\nmail: alias", "\ntitle: no alias"))})
	d := doubtOn(t, DefaultDoubtOptions(), s)
	alias := &Request{Base: s.BaseDN, Filter: "(destinationIndicator=user1@example.com)", Table: "virtual"}
	want(t, d, alias, "no")
	want(t, d, alias, "no")
	want(t, d, &Request{Base: "ou=people,dc=example,dc=com", Scope: ScopeOne, Filter: alias.Filter, Table: "one"}, "no")
	want(t, d, &Request{Base: "uid=user1,ou=people,dc=example,dc=com", Scope: ScopeBase, Filter: alias.Filter, Table: "base"}, "no")
	from := &Request{Base: "uid=nobody,ou=people,dc=example,dc=com", Scope: ScopeBase, Filter: alias.Filter, Table: "key", BaseFromKey: true}
	want(t, d, from, "no")
	access(t, s, "to attrs=destinationIndicator by * none", "to * by * read")
	want(t, d, alias, "doubt")
	want(t, d, from, "doubt")

	empty := poolSlapd(t, testbed.SlapdOptions{LDIF: peopleLDIF(0)})
	want(t, doubtOn(t, DefaultDoubtOptions(), empty), userMail(1), "no")
}

func TestDoubtSentinel(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	for _, sentinel := range []string{"uid=user7,ou=people,dc=example,dc=com", "(mail=user7@example.com)", "(uid=user*)"} {
		o := DefaultDoubtOptions()
		o.Sentinel, o.SentinelBase = sentinel, s.BaseDN
		d := doubtOn(t, o, s)
		warm(t, d, 1)
		want(t, d, userMail(unknown), "no")
		o.Sentinel = strings.ReplaceAll(sentinel, "user", "nobody")
		d = doubtOn(t, o, s)
		warm(t, d, 1)
		want(t, d, userMail(unknown), "doubt")
	}
}

// A consumer that has lost its data and gets them again has no contextCSN
// until all are there.
func TestDoubtConsumer(t *testing.T) {
	provider := poolSlapd(t, testbed.SlapdOptions{Syncprov: true, Limits: []string{"* size=unlimited"}})
	consumer := testbed.Slapd(t, testbed.SlapdOptions{Consumes: provider, Index: []string{"uid,mail eq"}})
	d := doubtOn(t, DefaultDoubtOptions(), consumer)
	await(t, "the consumer is complete", func() bool {
		a, err := d.Search(t.Context(), userMail(49))
		return err == nil && len(a.Entries) == 1
	})
	want(t, d, userMail(unknown), "no")
	if err := provider.Modify("dn: dc=example,dc=com\nchangetype: modify\nreplace: o\no: other\n"); err != nil {
		t.Fatal(err)
	}
	await(t, "the consumer shows its contextCSN", func() bool { return showsCSN(d, consumer) })
	provider.Pause() // the refill does not get on
	reload(t, d, consumer, peopleLDIF(10))
	d.mu.Lock()
	clear(d.groups) // what the table found before would say it too
	d.mu.Unlock()
	if _, err := d.Search(t.Context(), userMail(30)); !errors.Is(err, ErrDoubt) || !strings.Contains(err.Error(), "contextCSN") {
		t.Error(err)
	}
	provider.Resume()
	await(t, "the consumer is complete again", func() bool {
		a, err := d.Search(t.Context(), userMail(unknown))
		return err == nil && len(a.Entries) == 0
	})
}

// showsCSN asks d's way whether the server is complete.
func showsCSN(d *Doubt, s *testbed.SlapdServer) bool {
	d.mu.Lock()
	delete(d.csn, s.URI())
	d.mu.Unlock()
	err := d.complete(context.Background(), s.URI(), s.BaseDN)
	return err == nil && d.csn[s.URI()].had
}

// A consumer is emptied while mail goes on: who exists is never unknown.
func TestDoubtRefresh(t *testing.T) {
	const users = 3000
	provider := poolSlapd(t, testbed.SlapdOptions{Syncprov: true, LDIF: peopleLDIF(users)})
	consumer := testbed.Slapd(t, testbed.SlapdOptions{Consumes: provider, Index: []string{"uid,mail eq"}})
	d := doubtOn(t, DefaultDoubtOptions(), consumer)
	await(t, "the consumer is complete", func() bool {
		a, err := d.Search(t.Context(), userMail(unknown*100))
		return err == nil && len(a.Entries) == 0
	})
	await(t, "the consumer shows its contextCSN", func() bool { return showsCSN(d, consumer) })
	if err := consumer.Reload(nil); err != nil {
		t.Fatal(err)
	}
	answers := map[string]int{}
	for n := 0; answers["found"] < users; n++ {
		d.mu.Lock()
		clear(d.groups) // as if nothing had been asked before
		d.mu.Unlock()
		a, err := d.Search(t.Context(), userMail(n*37%users))
		switch {
		case err != nil:
			answers[err.Error()]++
			answers["found"] = 0
		case len(a.Entries) == 0:
			t.Fatalf("user%d is not found", n*37%users)
		default:
			answers["found"]++
		}
	}
	t.Log(answers)
}

// Many answers that turn to nothing at once are an alarm, not deletions, until
// the directory has stayed so for a while.
func TestDoubtFlips(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	o := DefaultDoubtOptions()
	o.Flips, o.Settle = 5, time.Second
	d := doubtOn(t, o, s)
	warm(t, d, 40, 41, 42, 43, 44, 45, 46, 47)
	var ldif strings.Builder
	for n := range 20 {
		fmt.Fprintf(&ldif, "dn: uid=user%d,ou=people,dc=example,dc=com\nchangetype: delete\n\n", n)
	}
	if err := s.Modify(ldif.String()); err != nil {
		t.Fatal(err)
	}
	known := func(n int) *Request {
		r := userMail(n)
		r.known = true
		return r
	}
	for n := range 10 {
		if n < 4 {
			want(t, d, known(n), "no")
			want(t, d, known(n), "no") // once is once
			want(t, d, userMail(unknown+n), "no")
		} else {
			want(t, d, known(n), "doubt")
			want(t, d, userMail(unknown+n), "doubt")
		}
	}
	want(t, d, userMail(30), "yes")
	if st := d.Stats(); st.Bursts != 1 {
		t.Errorf("%+v", st)
	}
	await(t, "calm", func() bool {
		_, err := d.Search(t.Context(), userMail(unknown))
		return err == nil
	})
	for n := range 10 { // believed by now
		want(t, d, known(n), "no")
	}
}

// await waits until it is so.
func await(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// Under load proofs are shared, and each is begun after the empty answers
// that it is for.
func TestDoubtShared(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	d := doubtOn(t, DefaultDoubtOptions(), s)
	warm(t, d, 1, 2, 3)
	var all sync.WaitGroup
	for n := range 50 {
		all.Go(func() {
			for k := range 20 {
				want(t, d, userMail(unknown+n*100+k), "no")
			}
		})
	}
	all.Wait()
	if st := d.Stats(); st.Empties != 1000 || st.Proofs > 500 {
		t.Errorf("%+v", st)
	}
}

func TestDoubtLog(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	var log bytes.Buffer
	d := NewDoubt(openPool(t, Settings{URIs: []string{s.URI()}}), DefaultDoubtOptions(), slog.New(slog.NewTextHandler(&log, nil)))
	warm(t, d, 1, 2)
	access(t, s, "to attrs=mail by * none", "to * by * read")
	for range 3 {
		want(t, d, userMail(unknown), "doubt")
	}
	access(t, s, "to * by * read")
	for range 3 {
		want(t, d, userMail(unknown), "no")
	}
	if n := strings.Count(log.String(), "directory in doubt"); n != 1 {
		t.Errorf("%d alarms\n%s", n, log.String())
	}
	if n := strings.Count(log.String(), "directory believed again"); n != 1 {
		t.Errorf("%d times good news\n%s", n, log.String())
	}
}
