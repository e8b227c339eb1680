package directory

import (
	"context"
	"strings"
	"sync"
	"time"
)

// csnState is what is known of one server's contextCSN (RFC 4533 has it as the
// cookie; OpenLDAP keeps it at the suffix). A replica that is being filled
// gets it with the last entry, so a server that had one and has it not is not
// complete.
type csnState struct {
	mu       sync.Mutex
	suffixes []string // folded; nil: not known
	next     time.Time
	had      bool
	missing  time.Time
}

const csnEvery = 5 * time.Second // looks for what was not there

func (d *Doubt) csnOf(server string) *csnState {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.csn[server]
	if s == nil {
		s = new(csnState)
		d.csn[server] = s
	}
	return s
}

// csnDue tells whether to look: always where there was one, else now and then.
func (d *Doubt) csnDue(server string) bool {
	s := d.csnOf(server)
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.had || !time.Now().Before(s.next)
}

// complete returns ErrDoubt when the server shows that it is being loaded.
func (d *Doubt) complete(ctx context.Context, server, base string) error {
	s := d.csnOf(server)
	now := time.Now()
	s.mu.Lock()
	suffixes := s.suffixes
	s.next = now.Add(csnEvery)
	s.mu.Unlock()
	if suffixes == nil {
		if suffixes = d.suffixes(ctx, server); suffixes == nil {
			return nil // it need not show them
		}
	}
	suffix := ""
	base = foldDN(base)
	for _, one := range suffixes {
		if one != "" && belowDN(base, one) && len(one) > len(suffix) {
			suffix = one
		}
	}
	if suffix == "" {
		return nil
	}
	a, err := d.next.SearchOn(ctx, server, &Request{
		Base: suffix, Scope: ScopeBase, Filter: anyEntry, Attributes: []string{"contextCSN"},
	})
	if err != nil && !isNoBase(err) {
		return err
	}
	there := err == nil && len(values(a, "contextCSN")) > 0
	s.mu.Lock()
	defer s.mu.Unlock()
	s.suffixes = suffixes
	switch {
	case there:
		s.had, s.missing = true, time.Time{}
		return nil
	case !s.had:
		return nil
	case s.missing.IsZero():
		s.missing = now
	case now.Sub(s.missing) > d.options.Settle:
		s.had = false
		return nil
	}
	return inDoubt("contextCSN of %s is gone: it is being loaded", suffix)
}

// suffixes returns the naming contexts (RFC 4512 5.1) that the server shows,
// folded.
func (d *Doubt) suffixes(ctx context.Context, server string) []string {
	a, err := d.next.SearchOn(ctx, server, &Request{
		Scope: ScopeBase, Filter: anyEntry, Attributes: []string{"namingContexts"},
	})
	if err != nil {
		return nil
	}
	suffixes := []string{}
	for _, v := range values(a, "namingContexts") {
		suffixes = append(suffixes, foldDN(string(v)))
	}
	return suffixes
}

// values of one attribute, of all entries.
func values(a *Answer, name string) [][]byte {
	var all [][]byte
	for _, e := range a.Entries {
		for _, attribute := range e.Attributes {
			if strings.EqualFold(attribute.Name, name) {
				all = append(all, attribute.Values...)
			}
		}
	}
	return all
}
