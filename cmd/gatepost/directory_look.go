package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatepost/internal/address"
	"gatepost/internal/directory"
)

// maxShownDomains bounds the domains that are asked for, one by one.
const maxShownDomains = 50

// directoryLook looks one address up.
type directoryLook struct {
	nouns   *directory.Nouns
	members int
	domains bool // the directory has them
}

// note sorts an error: what is wrong with the entry, or what cannot be told.
func (v *directoryView) note(err error) {
	switch {
	case err == nil:
	case errors.Is(err, directory.ErrAmbiguous), errors.Is(err, directory.ErrMalformed), errors.Is(err, directory.ErrTooLarge),
		errors.Is(err, directory.ErrNotFound):
		v.Wrong = append(v.Wrong, err.Error())
	default:
		v.CannotTell = append(v.CannotTell, err.Error())
	}
}

func (v *directoryView) wrong(format string, args ...any) {
	v.Wrong = append(v.Wrong, fmt.Sprintf(format, args...))
}

// look finds who has the address or login, and all that goes with it.
func (l *directoryLook) look(ctx context.Context, asked string) *directoryView {
	v := &directoryView{Asked: asked}
	names, direct := directory.NamesOf(asked)
	if len(names) == 0 {
		v.wrong("%q is neither an address nor a login", asked)
		return v
	}
	found, err := l.nouns.Find(ctx, names)
	if err != nil {
		v.note(err)
		return v
	}
	at := slices.IndexFunc(found, func(f directory.Found) bool { return !f.Nobody() })
	if at < 0 {
		v.wrong("nobody has it")
		if _, domain, ok := address.Split(asked); ok {
			v.Addresses = []addressView{{Address: asked, Hosted: l.hosted(ctx, v, domain)}}
		}
		return v
	}
	if v.FoundBy = names[at].Address; v.FoundBy == "" {
		v.FoundBy = names[at].Login
	}
	if _, detail, has := address.CutDetail(asked); has && at > 0 && at < direct {
		v.Detail = detail
	}
	switch f := found[at]; {
	case f.Err != nil:
		v.note(f.Err)
	case f.Group != nil:
		l.list(ctx, v, f.Group)
	default:
		l.account(ctx, v, f.Account.DN)
	}
	return v
}

// account reads all of an account, of which Find gives what delivery needs.
func (l *directoryLook) account(ctx context.Context, v *directoryView, dn string) {
	a, err := l.nouns.Accounts.ByDN(ctx, dn)
	if err != nil {
		v.note(err)
		return
	}
	v.Account = viewAccount(a)
	switch {
	case !a.Status.TakesMail():
		v.wrong("mail for it is refused: the account is %s", a.Status)
	case v.Account.Delivery == "nowhere":
		v.wrong("it has neither a mailbox nor an address that its mail is forwarded to")
	}
	l.addresses(ctx, v, a.Addresses(), a.Login)
	v.Lists = l.above(ctx, v, a)
}

// addresses says of each whether its domain is hosted, and whether others
// have it, too.
func (l *directoryLook) addresses(ctx context.Context, v *directoryView, all []string, login string) {
	hosted := map[string]*bool{}
	var names []directory.Name
	for _, a := range all {
		_, domain, ok := address.Split(a)
		if domain = strings.TrimPrefix(domain, "."); ok && domain != "" {
			names = append(names, directory.Name{Address: a})
			if _, asked := hosted[domain]; !asked && len(hosted) < maxShownDomains {
				hosted[domain] = l.hosted(ctx, v, domain)
			}
		}
		v.Addresses = append(v.Addresses, addressView{a, hosted[domain]})
	}
	if login != "" {
		names = append(names, directory.Name{Login: login})
	}
	found, err := l.nouns.Find(ctx, names)
	v.note(err)
	for _, f := range found {
		v.note(f.Err)
	}
}

// hosted says whether the directory has a domain; nil where that cannot be
// told.
func (l *directoryLook) hosted(ctx context.Context, v *directoryView, domain string) *bool {
	if !l.domains {
		return nil
	}
	has, err := l.nouns.Domains.Has(ctx, domain)
	if err != nil {
		v.note(err)
		return nil
	}
	if !has {
		v.wrong("the directory has no mail domain %s", domain)
	}
	return &has
}

// above lists the lists that an entry is in.
func (l *directoryLook) above(ctx context.Context, v *directoryView, a *directory.Account) (in []inListView) {
	groups, err := l.nouns.Groups.Above(ctx, a)
	v.note(err)
	for _, g := range groups {
		in = append(in, inListView{g.DN, g.Address, g.Path})
	}
	return in
}

func (l *directoryLook) list(ctx context.Context, v *directoryView, g *directory.Group) {
	w := &listView{DN: g.DN, UUID: g.UUID, Senders: g.Senders.String(), Delegates: g.Delegates, Members: []memberView{},
		Moderators: slices.Concat(g.Moderators, g.ModeratorAddresses)}
	v.List = w
	for _, dn := range g.Owner {
		owner, err := l.nouns.AddressOf(ctx, dn)
		v.note(err)
		if owner == "" && err == nil {
			owner = dn
			v.wrong("the owner %q has no address", dn)
		}
		w.Owners = append(w.Owners, owner)
	}
	all := g.Alternates
	if g.Address != "" {
		all = append([]string{g.Address}, g.Alternates...)
	}
	l.addresses(ctx, v, all, "")
	v.Lists = l.above(ctx, v, &directory.Account{DN: g.DN, Address: g.Address, Alternates: g.Alternates})

	m, err := l.nouns.Groups.Members(ctx, g)
	if err != nil {
		v.note(err)
		return
	}
	w.Count = len(m.Members)
	if len(m.Groups) > 0 {
		w.Nested = m.Groups[1:] // the first is the list
	}
	for _, one := range m.Members {
		if len(w.Members) < l.members {
			w.Members = append(w.Members, memberView{one.DN, one.Login, one.Address})
		}
		if why := cannotReceive(&one); why != "" {
			w.Failures = append(w.Failures, failureView{nameOfMember(&one), why})
		}
	}
	for _, name := range m.Missing {
		w.Failures = append(w.Failures, failureView{name, "there is no such entry"})
	}
	switch {
	case w.Count == 0:
		v.wrong("the list has no members")
	case len(w.Failures) > 0:
		v.wrong("%s cannot receive", pluralOf(len(w.Failures), "member", "members"))
	}
}

func nameOfMember(m *directory.Member) string {
	for _, name := range []string{m.Address, m.Login} {
		if name != "" {
			return name
		}
	}
	return m.DN
}

// cannotReceive says why the directory has nowhere to send a member's copy.
func cannotReceive(m *directory.Member) string {
	switch a := m.Account; {
	case m.Err != nil:
		return m.Err.Error()
	case a != nil && !a.Status.TakesMail():
		return "the account is " + a.Status.String()
	case a != nil && a.Login != "" && !a.Keep && len(a.Forward) == 0, a == nil && m.Address == "":
		return "it has neither a mailbox nor an address"
	}
	return ""
}
