package directory

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// SenderRule says who may send to a group. Moderators always may.
type SenderRule int

// Rules.
const (
	SendersEveryone     SenderRule = iota
	SendersOrganisation            // accounts of this directory
	SendersMembers                 // members, in nested groups too
	SendersModerators              // nobody but moderators
	SendersListed                  // who is listed in Allowed…
)

// String gives the word of gatepostListSenders.
func (r SenderRule) String() string {
	switch r {
	case SendersEveryone:
		return "everyone"
	case SendersOrganisation:
		return "organisation"
	case SendersMembers:
		return "members"
	case SendersModerators:
		return "moderators"
	case SendersListed:
		return "listed"
	}
	return "unknown"
}

// Group is a list or group; its members are asked for separately.
type Group struct {
	DN         string
	UUID       string // stays when the entry is renamed; "" if the server shows none
	Address    string // primary; "" for a group that takes no mail
	Alternates []string
	Senders    SenderRule
	// Who may send whatever the rule: DNs of accounts and of groups whose
	// members may, addresses, and accounts that a search finds.
	Allowed          []string
	AllowedAddresses []string
	AllowedQueries   []*URL
	// Moderators by DN (of accounts and groups) and by address.
	Moderators         []string
	ModeratorAddresses []string
	// Delegates may send as the group: DNs of accounts and groups.
	Delegates []string
	// Owner lists who answers for the group: DNs of accounts and groups.
	Owner []string
}

// Groups finds them.
type Groups struct {
	asker
	accounts *Accounts
	finder   *finder
	bounds   Bounds
	ofMember []string // attributes
}

// ByAddress finds the group with a primary or alternate address. Errors are
// those of Accounts.
func (g *Groups) ByAddress(ctx context.Context, address string) (*Group, error) {
	at := &g.preset.Attributes
	what := fmt.Sprintf("group with address %q", address)
	if address == "" {
		return nil, fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	entries, err := g.find(ctx, "group", allOf(isClass(at.GroupClass), at.hasAddress(address)), at.ofGroup())
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", what, err)
	}
	e, err := one(at.shown(entries, address), what)
	if err != nil {
		return nil, err
	}
	return g.group(e)
}

// ByDN reads the group with a distinguished name.
func (g *Groups) ByDN(ctx context.Context, dn string) (*Group, error) {
	at := &g.preset.Attributes
	e, err := g.read(ctx, "group", dn, isClass(at.GroupClass), at.ofGroup())
	if err != nil {
		return nil, fmt.Errorf("read group %q: %w", dn, err)
	}
	if e == nil {
		return nil, fmt.Errorf("group %q: %w", dn, ErrNotFound)
	}
	return g.group(e)
}

// ofGroup lists what a group is made of, but for its members.
func (at *Attributes) ofGroup() []string {
	return slices.Concat([]string{"objectClass"}, at.UUID, at.Mail, at.Alternate, at.Senders, at.MembersOnly,
		at.OrganisationOnly, at.Sender, at.SenderAddress, at.SenderFilter, at.Moderator, at.ModeratorAddress, at.Delegate, at.Owner)
}

func (g *Groups) group(e *Entry) (*Group, error) {
	at := &g.preset.Attributes
	group := &Group{DN: e.DN, UUID: at.uuid(e), Allowed: valuesOf(e, at.Sender), AllowedAddresses: valuesOf(e, at.SenderAddress),
		Moderators: valuesOf(e, at.Moderator), ModeratorAddresses: valuesOf(e, at.ModeratorAddress), Delegates: valuesOf(e, at.Delegate),
		Owner: valuesOf(e, at.Owner)}
	group.Address, group.Alternates = at.addresses(e)
	for _, filter := range valuesOf(e, at.SenderFilter) {
		group.AllowedQueries = append(group.AllowedQueries, g.accounts.query(filter))
	}
	var err error
	group.Senders, err = at.senders(e, len(group.Allowed)+len(group.AllowedAddresses)+len(group.AllowedQueries) > 0)
	return group, err
}

// senders reads the rule: our own word, or the flags of qmail and Exchange.
// There, a list of senders excludes all others.
func (at *Attributes) senders(e *Entry, listed bool) (SenderRule, error) {
	if word := firstOf(e, at.Senders); word != "" {
		for rule := SendersEveryone; rule <= SendersListed; rule++ {
			if strings.EqualFold(strings.TrimSpace(word), rule.String()) {
				return rule, nil
			}
		}
		return 0, malformed(e, "the rule for senders", word)
	}
	members, err := isTrue(e, at.MembersOnly)
	if err != nil || members {
		return SendersMembers, err
	}
	if listed {
		return SendersListed, nil
	}
	organisation, err := isTrue(e, at.OrganisationOnly)
	if err != nil || organisation {
		return SendersOrganisation, err
	}
	return SendersEveryone, nil
}

// isTrue reads a boolean (RFC 4517 3.3.3).
func isTrue(e *Entry, names []string) (bool, error) {
	switch text := firstOf(e, names); strings.ToUpper(text) {
	case "TRUE":
		return true, nil
	case "FALSE", "":
		return false, nil
	default:
		return false, malformed(e, names[0], text)
	}
}

// query makes a search for accounts of a filter that an entry holds.
func (a *Accounts) query(filter string) *URL {
	if !strings.HasPrefix(filter, "(") {
		filter = "(" + filter + ")"
	}
	return &URL{Base: a.base, Scope: ScopeSub, Filter: filter}
}

// Matches says whether an entry, by its DN, is among those that a search
// finds.
func (g *Groups) Matches(ctx context.Context, query *URL, dn string) (bool, error) {
	if !below(dn, query.Base, query.Scope) {
		return false, nil
	}
	e, err := g.read(ctx, "member", dn, query.Filter, []string{"objectClass"})
	return e != nil, err
}
