package directory

import (
	"context"
	"strings"
	"sync"
	"time"
)

// fakeDirectory is a Searcher that is data: what each filter finds, and what
// is wrong with it at the moment.
type fakeDirectory struct {
	mu    sync.Mutex
	found map[string][]*Entry // by filter
	err   error               // every search gives it
	hold  chan struct{}       // searches wait for it to close, or for their context
	took  time.Duration       // each search takes it
	asked []Request           // in order
}

func (f *fakeDirectory) Search(ctx context.Context, r *Request) (*Answer, error) {
	f.mu.Lock()
	f.asked = append(f.asked, *r)
	hold, took := f.hold, f.took
	f.mu.Unlock()
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return nil, ErrUnavailable
		}
	}
	if took > 0 {
		select {
		case <-time.After(took):
		case <-ctx.Done():
			return nil, ErrUnavailable
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err != nil {
		return nil, f.err
	}
	return &Answer{Entries: f.found[r.Filter], Server: "ldap://one"}, nil
}

func (f *fakeDirectory) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

func (f *fakeDirectory) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.asked)
}

func person(uid, mail string) *Entry {
	return &Entry{DN: "uid=" + uid + ",ou=people,dc=example,dc=com", Attributes: []Attribute{
		{Name: "mail", Values: [][]byte{[]byte(mail)}},
	}}
}

func byMail(mail string) *Request {
	return &Request{Base: "dc=example,dc=com", Filter: "(mail=" + mail + ")",
		Attributes: []string{"mail"}, Table: "mail"}
}

// fakePeople knows each name as name@example.com.
func fakePeople(names ...string) *fakeDirectory {
	f := &fakeDirectory{found: make(map[string][]*Entry)}
	for _, name := range names {
		f.found[byMail(name+"@example.com").Filter] = []*Entry{person(name, name+"@example.com")}
	}
	return f
}

// summary of an answer for comparisons: DNs, and where it comes from.
func summary(a *Answer, err error) string {
	if err != nil {
		return "error"
	}
	var parts []string
	for _, e := range a.Entries {
		uid, _, _ := strings.Cut(strings.TrimPrefix(e.DN, "uid="), ",")
		parts = append(parts, uid)
	}
	if len(parts) == 0 {
		parts = append(parts, "nothing")
	}
	if a.Cached {
		parts = append(parts, "cached")
	}
	if a.Stale {
		parts = append(parts, "stale")
	}
	return strings.Join(parts, " ")
}

// generated answers everything with an entry of that many values; 0: nothing.
type generated struct{ values int }

func (g *generated) Search(_ context.Context, r *Request) (*Answer, error) {
	a := &Answer{Server: "ldap://one"}
	if g.values > 0 {
		e := &Entry{DN: "cn=" + r.Filter[6:20] + ",ou=people,dc=example,dc=com"}
		for n := range g.values {
			if n%3 == 0 {
				e.Attributes = append(e.Attributes, Attribute{Name: "mailAlternateAddress"})
			}
			last := &e.Attributes[len(e.Attributes)-1]
			last.Values = append(last.Values, []byte(r.Filter))
		}
		a.Entries = append(a.Entries, e)
	}
	return a, nil
}
