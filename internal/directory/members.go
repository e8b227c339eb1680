package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Member is one that a group has, in a group within it perhaps.
type Member struct {
	DN      string // "" for an address that no entry has
	Login   string // "" if it is no account
	Address string // primary; "" if there is none
	// Account is what Find gives; nil if it is no account.
	Account *Account
	// Err is ErrMalformed when the entry cannot be understood, also of a group
	// within (which must have members, and shows none), and ErrAmbiguous when several entries have the address or login.
	Err error
}

// Membership is a whole group.
type Membership struct {
	// Members are each there once, however often they are named.
	Members []Member
	// Missing are DNs and logins that are named and lead nowhere.
	Missing []string
	// Groups are the DNs of the group and of those within it.
	Groups []string
}

// Members lists who is in a group: by DN, login, address and search, through
// groups within it, each once, however they contain each other. Beyond the
// bounds it is ErrTooLarge, never a part of the list. A group that shows no
// member is ErrMalformed, unless it is proven that it has none.
func (g *Groups) Members(ctx context.Context, group *Group) (*Membership, error) {
	ctx, cancel := context.WithTimeout(ctx, g.bounds.Time)
	defer cancel()
	at := &g.preset.Attributes
	e, err := g.read(ctx, "member", group.DN, isClass(at.GroupClass), g.ofMember)
	if err == nil && e == nil {
		err = ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("read group %q: %w", group.DN, err)
	}
	w := &walk{groups: g, seen: map[string]bool{"dn:" + dnKey(e.DN): true}}
	w.found.Groups = []string{e.DN}
	names, bad, err := w.named(ctx, e)
	switch {
	case err != nil:
	case bad != nil:
		err = bad
	case len(names) == 0:
		err = g.isEmpty(ctx, e)
	}
	for depth := 1; err == nil && len(names) > 0; depth++ {
		if depth > g.bounds.Depth {
			err = fmt.Errorf("%w: more than %d groups within each other", ErrTooLarge, g.bounds.Depth)
			break
		}
		names, err = w.level(ctx, names)
	}
	if err != nil {
		return nil, fmt.Errorf("members of %q: %w", group.DN, err)
	}
	return &w.found, nil
}

// named is how a group names a member; one field is set, and id with dn.
type named struct {
	dn, login, address string
	id                 string // dnKey of dn
	query              *URL
}

func (n named) key() string {
	switch {
	case n.dn != "":
		return "dn:" + n.id
	case n.login != "":
		return "login:" + n.login // memberUid heeds case (RFC 2307)
	case n.address != "":
		return "address:" + AddressKey(n.address)
	}
	return fmt.Sprintf("query:%d:%s:%s", n.query.Scope, n.query.Filter, n.query.Base)
}

// ofMember lists what is read of a member, which may be a group.
func ofMember(p Preset) []string {
	at := &p.Attributes
	names := slices.Concat(at.ofDelivery(), at.Member, at.MemberLogin, at.MemberAddress, at.MemberURL, at.MemberFilter)
	if p.InChain {
		names = append(names, revision)
	}
	return distinctNames(names)
}

// walk goes down through groups, level by level.
type walk struct {
	groups *Groups
	seen   map[string]bool
	count  int
	found  Membership
}

// named lists what a group's entry names; bad says what of it cannot be
// understood.
func (w *walk) named(ctx context.Context, e *Entry) (all []named, bad, err error) {
	at := &w.groups.preset.Attributes
	for _, attribute := range at.Member {
		values, err := w.groups.allValues(ctx, e, attribute)
		if err != nil {
			return nil, nil, err
		}
		for _, dn := range values {
			// uniqueMember may end in a bit string (RFC 4517 3.3.21).
			if i := strings.LastIndex(dn, "#'"); i > 0 && strings.HasSuffix(dn, "'B") {
				dn = dn[:i]
			}
			all = append(all, named{dn: dn, id: dnKey(dn)})
		}
	}
	for _, login := range valuesOf(e, at.MemberLogin) {
		all = append(all, named{login: login})
	}
	for _, address := range valuesOf(e, at.MemberAddress) {
		all = append(all, named{address: address})
	}
	queries, bad := w.groups.queries(e)
	for _, query := range queries {
		all = append(all, named{query: query})
	}
	if len(all) == 0 && bad == nil && hasClass(e, neverEmpty) {
		bad = hidden(e)
	}
	return all, bad, nil
}

// neverEmpty are classes whose schema wants a member (RFC 4519 3.5, 3.6).
var neverEmpty = []string{"groupOfNames", "groupOfUniqueNames"}

// isEmpty is nil when it is proven that a group has no member.
func (g *Groups) isEmpty(ctx context.Context, e *Entry) error {
	at := &g.preset.Attributes
	proven, err := g.lacks(ctx, e.DN, slices.Concat(at.Member, at.MemberLogin, at.MemberAddress, at.MemberURL, at.MemberFilter))
	if err == nil && !proven {
		err = hidden(e)
	}
	return err
}

// hidden is a group that shows no member: perhaps it has none, perhaps we may
// not read who is in it. What leads nowhere would be proven by nothing.
func hidden(e *Entry) error {
	return fmt.Errorf("%w: %q shows no member; see access in slapd.access(5)", ErrMalformed, e.DN)
}

// queries are the searches whose results are members.
func (g *Groups) queries(e *Entry) ([]*URL, error) {
	at := &g.preset.Attributes
	var queries []*URL
	for _, text := range valuesOf(e, at.MemberURL) {
		query, err := ParseURL(text)
		if err != nil {
			return nil, malformed(e, "the member URL", text)
		}
		queries = append(queries, query)
	}
	for _, filter := range valuesOf(e, at.MemberFilter) {
		queries = append(queries, g.accounts.query(filter))
	}
	return queries, nil
}

// level resolves all that groups of one level name, and gives what the groups
// among it name.
func (w *walk) level(ctx context.Context, names []named) ([]named, error) {
	names = slices.DeleteFunc(names, func(n named) bool {
		key := n.key()
		known := w.seen[key]
		w.seen[key] = true
		return known
	})
	if err := w.add(len(names)); err != nil {
		return nil, err
	}
	results, err := w.readLevel(ctx, names)
	if err != nil {
		return nil, err
	}
	var next []named
	for i, r := range results {
		n := names[i]
		switch {
		case r.err != nil:
			w.found.Members = append(w.found.Members, Member{Address: n.address, Login: n.login, Err: r.err})
		case len(r.entries) > 0:
		case n.address != "":
			w.found.Members = append(w.found.Members, Member{Address: n.address})
		case n.dn != "" || n.login != "":
			w.found.Missing = append(w.found.Missing, n.dn+n.login)
		}
		for _, e := range r.entries {
			below, err := w.enter(ctx, e, n)
			if err != nil {
				return nil, err
			}
			next = append(next, below...)
		}
	}
	return next, nil
}

func (w *walk) add(n int) error {
	if w.count += n; w.count > w.groups.bounds.Entries {
		return fmt.Errorf("%w: more than %d members", ErrTooLarge, w.groups.bounds.Entries)
	}
	return nil
}

// enter takes an entry for what it is.
func (w *walk) enter(ctx context.Context, e *Entry, n named) ([]named, error) {
	at := &w.groups.preset.Attributes
	key := "dn:" + dnKey(e.DN)
	if n.dn == "" { // a DN has been noted as a name already
		if w.seen[key] {
			return nil, nil
		}
		w.seen[key] = true
	} else if n.key() != key && w.seen[key] {
		return nil, nil
	}
	if len(valuesOf(e, []string{"objectClass"})) == 0 {
		return nil, fmt.Errorf("%w: %q does not show what it is (objectClass)", ErrMalformed, e.DN)
	}
	m := Member{DN: e.DN}
	m.Address, _ = at.addresses(e)
	if at.isGroup(e) {
		w.found.Groups = append(w.found.Groups, e.DN)
		below, bad, err := w.named(ctx, e)
		if bad != nil {
			m.Err = bad
			w.found.Members = append(w.found.Members, m)
		}
		return below, err
	}
	if hasClass(e, at.AccountClass) {
		m.Login = at.login(e)
		if hasClass(e, at.GroupClass) {
			m.Err = at.isPersonal(e)
		}
		if m.Err == nil {
			m.Account, m.Err = at.account(e)
		}
	}
	w.found.Members = append(w.found.Members, m)
	return nil, nil
}
