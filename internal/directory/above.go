package directory

import (
	"context"
	"fmt"
	"slices"
)

// Above is a group that somebody is in.
type Above struct {
	DN      string
	Address string // primary; "" for a group that takes no mail
	// Path lists the DNs of the groups between, from the one that names the
	// member to the one that is in this group; none if this names the member.
	Path []string
}

// Above lists the groups that an account is in, and those that these are in,
// each once, by a shortest way, however they contain each other. An account
// with a DN and addresses alone may stand for a group. It makes several
// searches for each group, which is for people who ask; programs ask IsMember.
func (g *Groups) Above(ctx context.Context, account *Account) ([]Above, error) {
	ctx, cancel := context.WithTimeout(ctx, g.bounds.Time)
	defer cancel()
	c := &climb{groups: *g, seen: map[string]bool{dnKey(account.DN): true}}
	fail := func(err error) ([]Above, error) {
		return nil, fmt.Errorf("groups of %q: %w", account.DN, err)
	}
	next, err := c.directly(ctx, account.DN, account.Login, account.Addresses())
	if err != nil {
		return fail(err)
	}
	for _, dn := range account.Groups {
		next = append(next, above{dn: dn})
	}
	var level []above // parallel to found
	var found []Above
	note := func(some []above, path []string) {
		for _, a := range some {
			if c.seen[dnKey(a.dn)] {
				continue
			}
			c.seen[dnKey(a.dn)] = true
			one := Above{DN: a.dn, Path: path}
			if n := len(a.addresses); n > 0 {
				one.Address = a.addresses[n-1]
			}
			level, found = append(level, a), append(found, one)
		}
	}
	note(next, nil)
	for i := 0; i < len(level); i++ {
		switch path := found[i].Path; {
		case len(path) >= g.bounds.Depth:
			return fail(fmt.Errorf("%w: more than %d groups within each other", ErrTooLarge, g.bounds.Depth))
		case len(level) > g.bounds.Entries:
			return fail(fmt.Errorf("%w: more than %d groups", ErrTooLarge, g.bounds.Entries))
		}
		if next, err = c.higher(ctx, level[i:i+1]); err != nil {
			return fail(err)
		}
		note(next, append(slices.Clip(found[i].Path), found[i].DN))
	}
	return found, nil
}
