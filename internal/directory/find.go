package directory

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Name is what somebody may have: an address, a login, a user number, or
// several of them, which then finds whoever has one of these.
type Name struct {
	Address string // with "@", or "@domain", "local@": as an entry's own address
	Login   string
	Number  int64 // uidNumber; 0: none
}

// Found is who has a name. Without Account, Group and Err it is nobody, proven
// as ErrNotFound is.
type Found struct {
	Account *Account // without Groups, Delegates and Limits
	Group   *Group
	// Err is ErrAmbiguous when several entries have the name, which it names,
	// and ErrMalformed when the one that has it cannot be understood.
	Err error
}

// Nobody says that no entry has the name.
func (f Found) Nobody() bool { return f.Account == nil && f.Group == nil && f.Err == nil }

// Find says for each name who has it, accounts and groups alike, of one search
// for all of them; of two where accounts and groups have bases apart. An error
// says that of none of them can be told.
func (n *Nouns) Find(ctx context.Context, names []Name) ([]Found, error) {
	return n.find(ctx, &n.finder, names)
}

// FindOrNobody is Find for what is no less right when nobody has a name, as an
// address to forward to, which goes out then and perhaps comes back: while no
// server can tell, "nobody" is also what was so a while ago.
func (n *Nouns) FindOrNobody(ctx context.Context, names []Name) ([]Found, error) {
	finder := n.finder
	finder.staleNo = true
	return n.find(ctx, &finder, names)
}

// FindNow is Find of a server, whatever is remembered.
func (n *Nouns) FindNow(ctx context.Context, names []Name) ([]Found, error) {
	finder := n.finder
	finder.noCache = true
	return n.find(ctx, &finder, names)
}

func (n *Nouns) find(ctx context.Context, finder *finder, names []Name) ([]Found, error) {
	entries, err := finder.holders(ctx, "recipient", names, finder.attributes)
	if err != nil {
		return nil, fmt.Errorf("find who has %s: %w", describe(names), err)
	}
	found := make([]Found, len(names))
	known := make(map[*Entry]Found, 1)
	for i, some := range entries {
		switch len(some) {
		case 0:
		case 1:
			f, ok := known[some[0]]
			if !ok {
				if f, err = n.decode(ctx, some[0]); err != nil {
					return nil, err
				}
				known[some[0]] = f
			}
			found[i] = f
		default:
			found[i].Err = fmt.Errorf("%s: %w: %q and %q", describe(names[i:i+1]), ErrAmbiguous, some[0].DN, some[1].DN)
		}
	}
	return found, nil
}

// decode takes an entry for what it is.
func (n *Nouns) decode(ctx context.Context, e *Entry) (f Found, err error) {
	k, err := n.finder.kind(ctx, e)
	switch {
	case err != nil:
		return f, fmt.Errorf("what %q is: %w", e.DN, err)
	case k == groupEntry:
		f.Group, f.Err = n.Groups.group(e)
	default:
		at := &n.Accounts.preset.Attributes
		if hasClass(e, at.GroupClass) {
			whole, err := n.finder.read(ctx, "recipient", e.DN, isClass(at.GroupClass), n.Groups.ofMember)
			if err != nil || whole == nil {
				return f, fmt.Errorf("members of %q: %w", e.DN, cmp.Or(err, ErrMalformed))
			}
			if f.Err = at.isPersonal(whole); f.Err != nil {
				return f, nil
			}
		}
		f.Account, f.Err = at.account(e)
	}
	if f.Err != nil {
		f = Found{Err: f.Err}
	}
	return f, nil
}

// AddressOf reads the primary address of any entry; "" when it has none, or
// there is no such entry.
func (n *Nouns) AddressOf(ctx context.Context, dn string) (string, error) {
	at := &n.Accounts.preset.Attributes
	e, err := n.Accounts.read(ctx, "recipient", dn, anyEntry, slices.Concat(at.Mail, at.Alternate))
	if err != nil || e == nil {
		return "", err
	}
	primary, _ := at.addresses(e)
	return primary, nil
}

// NoService is nil when it is proven that an account has no service at all. One
// that shows none may have some that we may not read, which is ErrMalformed.
func (n *Nouns) NoService(ctx context.Context, a *Account) error {
	proven, err := n.Accounts.lacks(ctx, a.DN, n.Accounts.preset.Attributes.Service)
	switch {
	case err != nil:
		return fmt.Errorf("services of %q: %w", a.DN, err)
	case !proven:
		return fmt.Errorf("%w: %q shows no service, and perhaps has some; see access in slapd.access(5)", ErrMalformed, a.DN)
	}
	return nil
}

// finder searches by several addresses and logins at once.
type finder struct {
	asker
	accounts   string   // base
	groups     string   // base
	bases      []string // to search
	attributes []string // of accounts and groups, for delivery
	classes    string   // filter for both
	apart      bool     // accounts and groups do not have the same base
}

func newFinder(s Searcher, p Preset, b Bases) finder {
	f := finder{apart: dnKey(b.Accounts) != dnKey(b.Groups), asker: asker{searcher: s, preset: p, base: b.Accounts}, accounts: b.Accounts, groups: b.Groups, bases: []string{b.Accounts}}
	switch {
	case below(b.Groups, b.Accounts, ScopeSub):
	case below(b.Accounts, b.Groups, ScopeSub):
		f.bases = []string{b.Groups}
	default:
		f.bases = append(f.bases, b.Groups)
	}
	at := &f.preset.Attributes
	f.classes = isClass(slices.Concat(at.AccountClass, at.GroupClass))
	f.attributes = distinctNames(slices.Concat(at.ofDelivery(), at.ofGroup()))
	return f
}

// ofDelivery lists what delivery needs of an account. What servers work out
// for themselves, as memberOf, is not in it: nobody would tell that it changed.
func (at *Attributes) ofDelivery() []string {
	return slices.Concat([]string{"objectClass"}, at.UUID, at.Login, at.UIDNumber, at.Mail, at.Alternate, at.Status,
		at.Quota, at.Forward, at.Delivery, at.Service)
}

// distinctNames leaves out names that came before.
func distinctNames(names []string) []string {
	var out []string
	for _, name := range names {
		if !slices.ContainsFunc(out, func(o string) bool { return strings.EqualFold(o, name) }) {
			out = append(out, name)
		}
	}
	return out
}

// holders gives for each name the entries that have it, each once.
func (f *finder) holders(ctx context.Context, table string, names []Name, attributes []string) ([][]*Entry, error) {
	out := make([][]*Entry, len(names))
	filter := f.filter(names)
	if filter == "" {
		return out, nil
	}
	wanted := newWanted(names)
	var seen []string // DNs, when there are two searches
	for i, base := range f.bases {
		within := *f
		within.base = base
		entries, err := within.find(ctx, table, filter, attributes)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if len(f.bases) > 1 {
				dn := dnKey(e.DN)
				if i > 0 && slices.Contains(seen, dn) {
					continue
				}
				seen = append(seen, dn)
			}
			if f.apart && !f.inPlace(e) {
				continue
			}
			if err := f.attribute(e, wanted, out); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// filter is for everything that has any of the names; "" for no name.
func (f *finder) filter(names []Name) string {
	at := &f.preset.Attributes
	var b strings.Builder
	b.Grow(1024)
	b.WriteString("(&")
	b.WriteString(f.classes)
	b.WriteString("(|")
	empty := b.Len()
	for _, n := range names {
		if n.Address != "" {
			for _, form := range addressForms(n.Address) {
				addEquals(&b, at.Mail, form)
				addEquals(&b, at.Alternate, form)
			}
		}
		if n.Login != "" {
			for _, form := range addressForms(n.Login) {
				addEquals(&b, at.Login, form)
			}
		}
		if n.Number > 0 {
			addEquals(&b, at.UIDNumber, strconv.FormatInt(n.Number, 10))
		}
	}
	if b.Len() == empty {
		return ""
	}
	b.WriteString("))")
	return b.String()
}

// attribute notes an entry under the names that it has. A server may find more
// than we asked for (without regard to accents, Active Directory): what shows
// other addresses does not have this one. What does not show all that was
// searched by may have it, or not.
func (f *finder) attribute(e *Entry, w wanted, out [][]*Entry) error {
	at := &f.preset.Attributes
	has := false
	note := func(at []int) {
		for _, i := range at {
			has = true
			if !slices.Contains(out[i], e) {
				out[i] = append(out[i], e)
			}
		}
	}
	primary, others := at.addresses(e)
	if primary != "" && len(w.addresses) > 0 {
		note(w.addresses[nameKey(primary)])
		for _, address := range others {
			note(w.addresses[nameKey(address)])
		}
	}
	logins := valuesOf(e, at.Login)
	if len(w.logins) > 0 && (len(logins) > 0 && !at.isGroup(e)) {
		for _, login := range logins {
			note(w.logins[nameKey(login)])
		}
	}
	if len(w.numbers) > 0 && !at.isGroup(e) {
		if n, err := strconv.ParseInt(firstOf(e, at.UIDNumber), 10, 64); err == nil {
			note(w.numbers[strconv.FormatInt(n, 10)])
		}
	}
	if has {
		return nil
	}
	hidden := ""
	if len(w.addresses) > 0 {
		hidden = at.hides(e, primary)
	}
	if hidden == "" && len(w.logins) > 0 && len(logins) == 0 {
		hidden = strings.Join(at.Login, ", ")
	}
	if hidden == "" && len(w.numbers) > 0 && firstOf(e, at.UIDNumber) == "" {
		hidden = strings.Join(at.UIDNumber, ", ")
	}
	if hidden != "" {
		return fmt.Errorf("%w: %q was found, but does not show by what (%s)", ErrMalformed, e.DN, hidden)
	}
	return nil
}

// hides names an attribute by which an entry may have been found, and which it
// does not show; "" if it shows all of them.
func (at *Attributes) hides(e *Entry, primary string) string {
	for _, name := range slices.Concat(at.Mail, at.Alternate) {
		if strings.EqualFold(name, "proxyAddresses") {
			if primary != "" {
				return "" // it has all of them; mail is a copy
			}
			return name
		}
		if firstOf(e, []string{name}) == "" {
			return name
		}
	}
	return ""
}

// inPlace says whether an account is below the base of accounts, and a group
// below that of groups.
func (f *finder) inPlace(e *Entry) bool {
	at := &f.preset.Attributes
	switch {
	case at.isGroup(e):
		return below(e.DN, f.groups, ScopeSub)
	case hasClass(e, at.AccountClass):
		return below(e.DN, f.accounts, ScopeSub)
	}
	return true // see kind
}

// isGroup: what is a group and has an account's login is a group of that
// person's own, as some sites have one with each account.
func (at *Attributes) isGroup(e *Entry) bool {
	return hasClass(e, at.GroupClass) && (!hasClass(e, at.AccountClass) || at.login(e) == "")
}

// isPersonal refuses an account that is a group of others, too: who would get
// its mail?
func (at *Attributes) isPersonal(e *Entry) error {
	others := valuesOf(e, slices.Concat(at.Member, at.MemberAddress, at.MemberURL, at.MemberFilter))
	for _, login := range valuesOf(e, at.MemberLogin) {
		if !SameAddress(login, at.login(e)) {
			others = append(others, login)
		}
	}
	if len(others) > 0 {
		return fmt.Errorf("%w: %q is an account and a group with members", ErrMalformed, e.DN)
	}
	return nil
}

// kind of an entry.
type kind int

const (
	accountEntry kind = iota
	groupEntry
)

// kind says what an entry is that was searched for as account or group. One
// that does not show the classes, but others that are derived of them, is
// asked for again. Where accounts and groups have a base each, both count.
func (f *finder) kind(ctx context.Context, e *Entry) (kind, error) {
	at := &f.preset.Attributes
	switch {
	case at.isGroup(e):
		return groupEntry, nil
	case hasClass(e, at.AccountClass):
		return accountEntry, nil
	}
	account, err := f.read(ctx, "recipient", e.DN, isClass(at.AccountClass), []string{"objectClass"})
	if err != nil || account != nil {
		return accountEntry, err
	}
	return groupEntry, nil
}
