package directory

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// nounsLDIF begins the directories of these tests; each adds its own.
const nounsLDIF = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: Example

`

// nounsOn starts a slapd with the schemas of a preset, and asks it without a
// cache. For what is not there it needs proof.
func nounsOn(t *testing.T, p Preset, o testbed.SlapdOptions) (*Nouns, *testbed.SlapdServer) {
	t.Helper()
	var schemas []string
	switch p.Name {
	case "dbmail":
		schemas = []string{"ldapns", "mailmember", "dbmail", "gatepost"}
		o.Schema = append(o.Schema, "/etc/ldap/schema/dyngroup.schema")
	case "qmail":
		schemas = []string{"qmail"}
	}
	for _, name := range schemas {
		o.Schema = append(o.Schema, "../../schema/ldap/"+name+".schema")
	}
	o.LDIF = append([]byte(nounsLDIF), o.LDIF...)
	s := testbed.Slapd(t, o)
	c := Config{Base: s.BaseDN}
	doubt := NewDoubt(openPool(t, Settings{URIs: []string{s.URI()}}), DefaultDoubtOptions(), nil)
	return NewNouns(doubt, p, c.Bases()), s
}

// brief bounds what a test waits for.
func brief(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// definite says whether an error is one that a message may be refused for.
func definite(err error) bool { return errors.Is(err, ErrNotFound) }

// TestNounsCannotTell: whatever goes wrong, nothing is "not found".
func TestNounsCannotTell(t *testing.T) {
	p := presetDBMail()
	n, s := nounsOn(t, p, testbed.SlapdOptions{LDIF: []byte(dbmailLDIF)})
	ctx := brief(t)
	lena, err := n.Accounts.ByLogin(ctx, "lena")
	if err != nil {
		t.Fatal(err)
	}
	team := &Group{DN: "cn=team,dc=example,dc=com"}
	ask := map[string]func(n *Nouns) error{
		"account by address": func(n *Nouns) error { _, err := n.Accounts.ByAddress(ctx, "lena@example.com"); return err },
		"account by login":   func(n *Nouns) error { _, err := n.Accounts.ByLogin(ctx, "lena"); return err },
		"account by DN":      func(n *Nouns) error { _, err := n.Accounts.ByDN(ctx, lena.DN); return err },
		"group by address":   func(n *Nouns) error { _, err := n.Groups.ByAddress(ctx, "team@example.com"); return err },
		"group by DN":        func(n *Nouns) error { _, err := n.Groups.ByDN(ctx, team.DN); return err },
		"members":            func(n *Nouns) error { _, err := n.Groups.Members(ctx, team); return err },
		"membership":         func(n *Nouns) error { _, err := n.Groups.IsMember(ctx, team, lena); return err },
		"domain":             func(n *Nouns) error { _, err := n.Domains.Has(ctx, "example.com"); return err },
	}
	check := func(how string, n *Nouns) {
		t.Helper()
		for name, one := range ask {
			if err := one(n); err == nil || definite(err) {
				t.Errorf("%s, %s: %v", how, name, err)
			}
		}
	}
	for name, one := range ask {
		if err := one(n); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	nowhere := NewNouns(n.Accounts.searcher, p, Bases{"dc=example,dc=org", "dc=example,dc=org", "dc=example,dc=org"})
	for _, name := range []string{"account by address", "account by login", "group by address", "membership", "domain"} {
		if err := ask[name](nowhere); !errors.Is(err, ErrNoBase) {
			t.Errorf("wrong base, %s: %v", name, err)
		}
	}
	s.Stop()
	check("stopped", n)
	if err := s.Restart(); err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	ctx = gone
	check("cancelled", n)
}

// asked is a Searcher that keeps what passes through it.
type asked struct {
	next     Searcher
	requests []*Request
}

func (a *asked) Search(ctx context.Context, r *Request) (*Answer, error) {
	a.requests = append(a.requests, r)
	return a.next.Search(ctx, r)
}

// TestForAuthorisation: what grants something says so to the cache.
func TestForAuthorisation(t *testing.T) {
	through := &asked{next: &adFake{}}
	n := NewNouns(through, presetAD(), Bases{"dc=example", "dc=example", "dc=example"})
	ctx := t.Context()
	all := func(n *Nouns) {
		through.requests = nil
		n.Accounts.ByAddress(ctx, "x@example.com")
		n.Accounts.ByDN(ctx, "cn=x,dc=example")
		n.Groups.ByAddress(ctx, "x@example.com")
		n.Groups.Members(ctx, &Group{DN: "cn=x,dc=example"})
		n.Domains.Has(ctx, "example.com")
	}
	all(n)
	for _, r := range through.requests {
		if r.Authorises {
			t.Errorf("%s of %s authorises", r.Filter, r.Table)
		}
	}
	all(n.ForAuthorisation())
	n.Groups.IsMember(ctx, &Group{DN: "cn=x,dc=example"}, &Account{DN: "cn=y,dc=example"})
	if len(through.requests) != 6 {
		t.Errorf("%d requests", len(through.requests))
	}
	for _, r := range through.requests {
		if !r.Authorises {
			t.Errorf("%s of %s does not authorise", r.Filter, r.Table)
		}
	}
}

func TestEqualsEscapes(t *testing.T) {
	for _, value := range []string{"*", "a)(uid=*", `a\b`, "a\x00b", "müller", strings.Repeat("(", 10_000)} {
		filter := allOf(isClass([]string{"dbmailUser", "x"}), equals([]string{"mail", "uid"}, value, "y"))
		if got, want := shapeOf(t, filter), shapeOf(t, allOf(isClass([]string{"dbmailUser", "x"}), equals([]string{"mail", "uid"}, "plain", "y"))); got != want {
			t.Errorf("%.20q: %s, want %s", value, got, want)
		}
	}
	if got := equals(nil, "x") + equals([]string{"mail"}) + allOf("", anyOf()); got != "" {
		t.Errorf("%q", got)
	}
}

// TestOpen: a configuration file is enough to ask, and what the server's schema
// lacks is not said to be no.
func TestOpen(t *testing.T) {
	_, s := nounsOn(t, presetInetOrgPerson(), testbed.SlapdOptions{LDIF: []byte("dn: uid=lena,dc=example,dc=com\n" +
		"objectClass: inetOrgPerson\nuid: lena\ncn: Lena\nsn: Lena\nmail: lena@example.com\n\n" +
		"dn: cn=team,dc=example,dc=com\nobjectClass: groupOfNames\ncn: team\nmember: uid=none,dc=example,dc=com\n")})
	dir := t.TempDir()
	open := func(more string) *Nouns {
		t.Helper()
		path := filepath.Join(dir, "directory.toml")
		text := fmt.Sprintf("uris = [%q]\nbase = %q\npreset = \"inetorgperson\"\nsentinel = \"(uid=lena)\"\n", s.URI(), s.BaseDN) + more
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, problems := LoadConfig(path)
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		d := c.Open(nil)
		t.Cleanup(d.Close)
		return NewNouns(d, c.Kind(), c.Bases())
	}
	for more, want := range map[string]error{"": nil, "[attributes]\nmember_address = \"rfc822MailMember\"\n": ErrDoubt} {
		n := open(more)
		lena, err := n.Accounts.ByAddress(brief(t), "lena@example.com")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := n.Accounts.ByAddress(brief(t), "none@example.com"); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", more, err)
		}
		in, err := n.Groups.IsMember(brief(t), &Group{DN: "cn=team,dc=example,dc=com"}, lena)
		if in || !errors.Is(err, want) {
			t.Errorf("%q: %v, %v", more, in, err)
		}
	}
}
