package recipient

import (
	"context"
	"fmt"
	"strings"

	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
)

// maxOwners bounds how many owners are looked at for one with an address.
const maxOwners = 10

// list is what a list's address stands for: every member once. Those that
// cannot receive are failures for its owner. While the directory cannot tell
// of all of them, it cannot tell of the list; members whose entries cannot be
// understood, or whom the store cannot pair with a mailbox, are doubts.
func (d *Directory) list(ctx context.Context, addr string, g *directory.Group) (Recipient, error) {
	members, err := d.nouns.Groups.Members(ctx, g)
	if err != nil {
		return Recipient{}, err
	}
	w := newWalk(d)
	w.list = true
	for _, dn := range members.Groups {
		w.into[strings.ToLower(dn)] = true
	}
	for _, m := range members.Members {
		w.member(m)
	}
	for _, name := range members.Missing {
		w.fail(name, fmt.Errorf("%w: there is no such entry", dbmail.ErrUnknown))
	}
	r, err := w.finish(ctx)
	if err != nil {
		return Recipient{}, err
	}
	r.List = &List{Address: g.Address, Failures: w.failures, Doubts: w.doubts}
	if r.List.Address == "" {
		r.List.Address = addr
	}
	if r.List.Owner, err = d.owner(ctx, g); err != nil {
		return Recipient{}, err
	}
	return r, nil
}

// member takes a member for what it is.
func (w *walk) member(m directory.Member) {
	name := m.Address
	for _, other := range []string{m.Login, m.DN} {
		if name == "" {
			name = other
		}
	}
	switch {
	case m.Err != nil:
		w.fail(name, m.Err)
	case m.Account != nil && (m.Account.Login != "" || len(m.Account.Forward) > 0 || m.Address == ""):
		w.account(m.Account, name)
	case m.Address == "":
		w.fail(name, fmt.Errorf("%w: it has neither a mailbox nor an address", dbmail.ErrUndeliverable))
	case isProgram(m.Address):
		w.refused = append(w.refused, m.Address)
	case m.DN == "" || m.Account != nil:
		w.elsewhere(m.Address) // nobody's here, or an account that is only an address
	default:
		w.next = append(w.next, m.Address) // an entry of another kind
	}
}

// owner is the address of the first owner that has one.
func (d *Directory) owner(ctx context.Context, g *directory.Group) (string, error) {
	for _, dn := range g.Owner[:min(len(g.Owner), maxOwners)] {
		address, err := d.nouns.AddressOf(ctx, dn)
		if err != nil {
			return "", fmt.Errorf("owner of %q: %w", g.DN, err)
		}
		if address != "" && !directory.SameAddress(address, g.Address) {
			return address, nil
		}
	}
	return "", nil
}
