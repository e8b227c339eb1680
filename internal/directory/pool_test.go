package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// peopleLDIF is a directory of n users, user0 to user(n-1).
func peopleLDIF(n int) []byte {
	var b strings.Builder
	b.WriteString("dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n")
	b.WriteString("dn: ou=people,dc=example,dc=com\nobjectClass: organizationalUnit\nou: people\n\n")
	for i := range n {
		fmt.Fprintf(&b, "dn: uid=user%d,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nuid: user%d\ncn: User %d\nsn: User\n"+
			"mail: user%d@example.com\nmail: alias%d@example.com\nuserPassword: secret%d\n\n", i, i, i, i, i, i)
	}
	return []byte(b.String())
}

// poolSlapd starts a slapd with some people.
func poolSlapd(t testing.TB, o testbed.SlapdOptions) *testbed.SlapdServer {
	t.Helper()
	if o.LDIF == nil {
		o.LDIF = peopleLDIF(50)
	}
	o.Index = append(o.Index, "uid,mail eq")
	return testbed.Slapd(t, o)
}

// openPool makes a pool that is closed at the test's end, and checks then that
// no slot has leaked.
func openPool(t testing.TB, s Settings) *Pool {
	t.Helper()
	p := NewPool(s, nil)
	t.Cleanup(func() {
		p.mu.Lock()
		for _, s := range p.servers {
			for _, c := range s.conns {
				if c.inFlight != 0 {
					t.Errorf("%s: %d slots are taken and nobody searches", s.at.uri, c.inFlight)
				}
			}
		}
		if n := len(p.waiters); n != 0 {
			t.Errorf("%d searches wait and nobody searches", n)
		}
		p.mu.Unlock()
		p.Close()
	})
	return p
}

// mailRequest is the search for an address.
func mailRequest(address string) *Request {
	return &Request{Base: "dc=example,dc=com", Filter: "(mail=" + address + ")", Attributes: []string{"uid", "mail"}}
}

// findIn searches and returns the entries as text.
func findIn(p *Pool, r *Request) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	a, err := p.Search(ctx, r)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, e := range a.Entries {
		b.WriteString(e.DN)
		for _, at := range e.Attributes {
			fmt.Fprintf(&b, " %s=%s", at.Name, strings.Join(valueTexts(at.Values), ","))
		}
		b.WriteString("\n")
	}
	return b.String(), nil
}

func valueTexts(values [][]byte) []string {
	var s []string
	for _, v := range values {
		s = append(s, string(v))
	}
	return s
}

const user7 = "uid=user7,ou=people,dc=example,dc=com uid=user7 mail=user7@example.com,alias7@example.com\n"

func TestSearch(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{Limits: []string{"* size=20"}})
	p := openPool(t, Settings{URIs: []string{s.URI()}})
	if got, err := findIn(p, mailRequest("alias7@example.com")); err != nil || got != user7 {
		t.Errorf("known address: %q, %v", got, err)
	}
	if got, err := findIn(p, mailRequest("nobody@example.com")); err != nil || got != "" {
		t.Errorf("unknown address: %q, %v", got, err)
	}
	var refused *ResultError
	if _, err := findIn(p, mailRequest("*")); !errors.As(err, &refused) || refused.Code != 4 || !errors.Is(err, ErrRefused) {
		t.Errorf("more entries than the server gives: %v", err)
	}
	r := mailRequest("*")
	r.SizeLimit = 3
	if _, err := findIn(p, r); !errors.As(err, &refused) || refused.Code != 4 {
		t.Errorf("more entries than were asked for: %v", err)
	}
	r = mailRequest("user7@example.com")
	r.Base = "ou=nothing,dc=example,dc=com"
	if _, err := findIn(p, r); !errors.Is(err, ErrNoBase) {
		t.Errorf("no base: %v", err)
	}
	r.BaseFromKey = true
	if got, err := findIn(p, r); err != nil || got != "" {
		t.Errorf("no base, from the key: %q, %v", got, err)
	}
	if _, err := findIn(p, &Request{Base: "no dn", Filter: "(mail=x)"}); !errors.As(err, &refused) || refused.Code != 34 {
		t.Errorf("wrong base: %v", err)
	}
	if _, err := findIn(p, &Request{Base: "dc=example,dc=com", Filter: "(mail=x"}); err == nil || errors.Is(err, ErrUnavailable) {
		t.Errorf("wrong filter: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Search(ctx, mailRequest("user7@example.com")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// TestReferrals: a server that refers to others has not answered; references
// beside entries are left alone, as libldap does when it may not chase them.
func TestReferrals(t *testing.T) {
	elsewhere := "dn: ou=elsewhere,dc=example,dc=com\nobjectClass: referral\nobjectClass: extensibleObject\nou: elsewhere\nref: ldap://192.0.2.1/ou=people,dc=example,dc=net\n\n"
	s := poolSlapd(t, testbed.SlapdOptions{Global: []string{"referral ldap://192.0.2.1"}, LDIF: append(peopleLDIF(10), elsewhere...)})
	p := openPool(t, Settings{URIs: []string{s.URI()}})
	if got, err := findIn(p, mailRequest("user7@example.com")); err != nil || got != user7 {
		t.Errorf("with a reference beside it: %q, %v", got, err)
	}
	if got, err := findIn(p, mailRequest("nobody@example.com")); err != nil || got != "" {
		t.Errorf("with nothing but a reference: %q, %v", got, err)
	}
	for _, base := range []string{"dc=example,dc=net", "ou=elsewhere,dc=example,dc=com", "cn=x,ou=elsewhere,dc=example,dc=com"} {
		r := mailRequest("user7@example.com")
		r.Base, r.BaseFromKey = base, true
		var refused *ResultError
		if got, err := findIn(p, r); !errors.As(err, &refused) || refused.Code != 10 {
			t.Errorf("%s: %q, %v", base, got, err)
		}
	}
}

// TestRawValues: values, their order and that of attributes are the server's.
func TestRawValues(t *testing.T) {
	ldif := "dn: cn=x,ou=people,dc=example,dc=com\nobjectClass: inetOrgPerson\nsn: x\ncn: x\nmail: z@x\nmail: A@x\nmail: m@x\njpegPhoto:: /9gA/wo=\ncn;lang-de: \xc3\xbc\n\n"
	s := poolSlapd(t, testbed.SlapdOptions{LDIF: append(peopleLDIF(1), ldif...)})
	p := openPool(t, Settings{URIs: []string{s.URI()}})
	got, err := findIn(p, &Request{Base: "ou=people,dc=example,dc=com", Scope: ScopeOne, Filter: "(cn=x)"})
	want := "cn=x,ou=people,dc=example,dc=com objectClass=inetOrgPerson sn=x cn=x mail=z@x,A@x,m@x jpegPhoto=\xff\xd8\x00\xff\n cn;lang-de=\xc3\xbc\n"
	if err != nil || got != want {
		t.Errorf("%q, %v", got, err)
	}
	if got, err := findIn(p, &Request{Base: "cn=x,ou=people,dc=example,dc=com", Scope: ScopeBase, Filter: "(objectClass=*)", Attributes: []string{"1.1"}}); err != nil || got != "cn=x,ou=people,dc=example,dc=com\n" {
		t.Errorf("the entry alone: %q, %v", got, err)
	}
}

func TestSearchesShareConnections(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	p := openPool(t, Settings{URIs: []string{s.URI()}})
	var all sync.WaitGroup
	for client := range 300 {
		all.Go(func() {
			for i := range 5 {
				n := (client + i) % 50
				got, err := findIn(p, mailRequest(fmt.Sprintf("user%d@example.com", n)))
				if err != nil || !strings.HasPrefix(got, fmt.Sprintf("uid=user%d,", n)) {
					t.Errorf("user%d: %q, %v", n, got, err)
				}
			}
		})
	}
	all.Wait()
	if st := p.Stats().Servers[0]; st.Connections > MaxConnections || st.InFlight != 0 || st.Searches < 1500 || st.Failures != 0 {
		t.Errorf("after 1500 searches: %+v", st)
	}
}
