package directory

import (
	"context"
	"fmt"
	"slices"
)

// matchInChain is Active Directory's LDAP_MATCHING_RULE_IN_CHAIN.
const matchInChain = "1.2.840.113556.1.4.1941"

// batch is how many groups one search for the groups above them names.
const batch = 50

// IsMember says whether an account is in a group, in a group within it, or
// found by a search that it names. An account without DN stands for its
// addresses alone, which may be those of somebody elsewhere. The answer goes
// up from the account, so that the size of the group does not matter. It
// grants something, so that it is never much out of date.
func (g *Groups) IsMember(ctx context.Context, group *Group, account *Account) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, g.bounds.Time)
	defer cancel()
	up := &climb{groups: *g, target: dnKey(group.DN), seen: map[string]bool{}}
	up.groups.authorises = true
	is, err := up.start(ctx, group, account)
	if err != nil {
		return false, fmt.Errorf("is %q in %q: %w", account.Address, group.DN, err)
	}
	return is, nil
}

// climb goes from a member to the groups that it is in, and to those that
// these are in.
type climb struct {
	groups  Groups
	target  string // by dnKey
	seen    map[string]bool
	dynamic []*Entry // all groups with searches, once needed
	listed  bool
}

// above is a group on the way, with the addresses by which others name it.
type above struct {
	dn        string
	addresses []string
}

func (c *climb) start(ctx context.Context, group *Group, account *Account) (bool, error) {
	p := &c.groups.preset
	if p.InChain && account.DN != "" && len(p.Attributes.MemberOf) > 0 {
		filter := fmt.Sprintf("(%s:%s:=%s)", p.Attributes.MemberOf[0], matchInChain, EscapeFilter(group.DN))
		e, err := c.groups.read(ctx, "member", account.DN, filter, []string{"objectClass"})
		return e != nil, err
	}
	if account.DN != "" && dnKey(account.DN) == c.target {
		return false, nil
	}
	level, err := c.directly(ctx, account.DN, account.Login, account.Addresses())
	if err != nil {
		return false, err
	}
	for _, dn := range account.Groups {
		level = append(level, above{dn: dn})
	}
	for depth := 1; ; depth++ {
		level = slices.DeleteFunc(level, func(a above) bool {
			known := c.seen[dnKey(a.dn)]
			c.seen[dnKey(a.dn)] = true
			return known
		})
		switch {
		case c.seen[c.target]:
			return true, nil
		case len(level) == 0:
			return false, nil
		case depth > c.groups.bounds.Depth:
			return false, fmt.Errorf("%w: more than %d groups within each other", ErrTooLarge, c.groups.bounds.Depth)
		case len(c.seen) > c.groups.bounds.Entries:
			return false, fmt.Errorf("%w: more than %d groups", ErrTooLarge, c.groups.bounds.Entries)
		}
		if level, err = c.higher(ctx, level); err != nil {
			return false, err
		}
	}
}

// directly finds the groups that name a member.
func (c *climb) directly(ctx context.Context, dn, login string, addresses []string) ([]above, error) {
	at := &c.groups.preset.Attributes
	var terms, forms []string
	for _, a := range addresses {
		forms = append(forms, addressForms(a)...)
	}
	if dn != "" {
		terms = append(terms, equals(at.Member, dn))
	}
	if login != "" {
		terms = append(terms, equals(at.MemberLogin, login))
	}
	level, err := c.naming(ctx, anyOf(append(terms, equals(at.MemberAddress, forms...))...))
	if err != nil || dn == "" {
		return level, err
	}
	found, err := c.finding(ctx, dn)
	return append(level, found...), err
}

// higher finds the groups that name those of a level.
func (c *climb) higher(ctx context.Context, level []above) ([]above, error) {
	at := &c.groups.preset.Attributes
	var next []above
	for some := range slices.Chunk(level, batch) {
		var dns, forms []string
		for _, a := range some {
			dns = append(dns, a.dn)
			for _, address := range a.addresses {
				forms = append(forms, addressForms(address)...)
			}
		}
		naming, err := c.naming(ctx, anyOf(equals(at.Member, dns...), equals(at.MemberAddress, forms...)))
		if err != nil {
			return nil, err
		}
		next = append(next, naming...)
		for _, a := range some {
			finding, err := c.finding(ctx, a.dn)
			if err != nil {
				return nil, err
			}
			next = append(next, finding...)
		}
	}
	return next, nil
}

// naming finds the groups that match a filter over their members.
func (c *climb) naming(ctx context.Context, filter string) ([]above, error) {
	if filter == "" {
		return nil, nil
	}
	at := &c.groups.preset.Attributes
	entries, err := c.groups.find(ctx, "member", allOf(isClass(at.GroupClass), filter), slices.Concat([]string{"objectClass"}, at.Mail, at.Alternate))
	if err != nil {
		return nil, err
	}
	var level []above
	for _, e := range entries {
		level = append(level, c.above(e))
	}
	return level, nil
}

// finding finds the groups whose searches find an entry.
func (c *climb) finding(ctx context.Context, dn string) ([]above, error) {
	if err := c.list(ctx); err != nil {
		return nil, err
	}
	var level []above
	for _, e := range c.dynamic {
		if c.seen[dnKey(e.DN)] {
			continue
		}
		queries, err := c.groups.queries(e)
		if err != nil {
			return nil, err
		}
		for _, query := range queries {
			matches, err := c.groups.Matches(ctx, query, dn)
			if err != nil {
				return nil, err
			}
			if matches {
				level = append(level, c.above(e))
				break
			}
		}
	}
	return level, nil
}

// list gets the groups with searches. The search for them is the same for
// every member, so that the cache has it.
func (c *climb) list(ctx context.Context) error {
	at := &c.groups.preset.Attributes
	var terms []string
	for _, name := range slices.Concat(at.MemberURL, at.MemberFilter) {
		terms = append(terms, "("+name+"=*)")
	}
	if c.listed || len(terms) == 0 {
		return nil
	}
	entries, err := c.groups.find(ctx, "member", allOf(isClass(at.GroupClass), anyOf(terms...)),
		slices.Concat([]string{"objectClass"}, at.Mail, at.Alternate, at.MemberURL, at.MemberFilter))
	c.dynamic, c.listed = entries, true
	return err
}

func (c *climb) above(e *Entry) above {
	primary, others := c.groups.preset.Attributes.addresses(e)
	if primary != "" {
		others = append(others, primary)
	}
	return above{dn: e.DN, addresses: others}
}
