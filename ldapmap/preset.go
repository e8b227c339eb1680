package ldapmap

import (
	"context"
	"errors"
	"strings"

	"gatepost/internal/directory"
)

// A preset is a table that needs no file: it answers from what the directory
// holds of accounts, groups and domains (directory.toml says how it is kept).
//
//	virtual_alias    an alternate address → the primary one; where mail is
//	                 forwarded to; a group → the addresses of its members
//	relay_recipient  the addresses of accounts and groups that take mail
//	mailbox          the addresses of accounts with a mailbox → the login
//	sender_login     an address → the login that it belongs to, and those of
//	                 the accounts that may send for it
//	domain           mail domains
//
// Each is for the class of the same name.
type presetTable struct {
	preset Class
	nouns  *directory.Nouns
}

// presets lists the classes that a table can be without a file.
func presets() []string {
	return []string{string(VirtualAlias), string(RelayRecipient), string(Mailbox), string(SenderLogin), string(Domain)}
}

func newPresetTable(preset Class, nouns *directory.Nouns, authorises bool) *presetTable {
	if authorises {
		nouns = nouns.ForAuthorisation()
	}
	return &presetTable{preset, nouns}
}

// Lookup implements Lookuper. Several entries with one address, and an entry
// that cannot be understood, are errors: nobody can tell what is meant.
func (p *presetTable) Lookup(ctx context.Context, key string) (data string, found bool, err error) {
	at := strings.LastIndexByte(key, '@')
	if p.preset == Domain {
		if at >= 0 || strings.HasPrefix(key, ".") {
			return "", false, nil
		}
		found, err := p.nouns.Domains.Has(ctx, key)
		return key, found, err
	}
	if at <= 0 || at == len(key)-1 {
		return "", false, nil // no whole address: neither bare users nor catch-alls are kept
	}
	results, err := p.of(ctx, key)
	if errors.Is(err, directory.ErrNotFound) {
		return "", false, nil
	}
	return strings.Join(results, ","), len(results) > 0, err
}

// of gives the results for an address; none, or ErrNotFound, where there is
// nothing.
func (p *presetTable) of(ctx context.Context, address string) ([]string, error) {
	account, err := p.nouns.Accounts.ByAddress(ctx, address)
	if err == nil {
		return p.ofAccount(ctx, account, address)
	}
	if !errors.Is(err, directory.ErrNotFound) || p.preset == Mailbox || p.preset == SenderLogin {
		return nil, err
	}
	group, err := p.nouns.Groups.ByAddress(ctx, address)
	switch {
	case err != nil:
		return nil, err
	case p.preset == RelayRecipient:
		return []string{"OK"}, nil
	}
	members, err := p.nouns.Groups.Members(ctx, group)
	if err != nil {
		return nil, err
	}
	var results []string
	for _, m := range members.Members {
		if m.Err != nil && m.Address == "" {
			return nil, m.Err // with an address, its own look-up says so
		}
		if m.Address != "" {
			results = append(results, m.Address)
		}
	}
	return results, nil
}

func (p *presetTable) ofAccount(ctx context.Context, a *directory.Account, address string) ([]string, error) {
	takesMail := a.Status != directory.StatusDisabled && a.Status != directory.StatusDeleted
	switch {
	case p.preset == SenderLogin:
		return p.logins(ctx, a)
	case !takesMail:
		return nil, nil
	case p.preset == RelayRecipient:
		return []string{"OK"}, nil
	case p.preset == Mailbox:
		if a.Login == "" || len(a.Forward) > 0 && !a.Keep {
			return nil, nil
		}
		return []string{a.Login}, nil
	case len(a.Forward) > 0:
		if a.Keep && a.Address != "" {
			return append([]string{a.Address}, a.Forward...), nil
		}
		return a.Forward, nil
	case a.Address != "" && !strings.EqualFold(a.Address, address):
		return []string{a.Address}, nil
	}
	return nil, nil
}

// logins lists who may send as an account, also as one that is closed: what is
// nobody's, anybody could use.
func (p *presetTable) logins(ctx context.Context, a *directory.Account) ([]string, error) {
	var logins []string
	if a.Login != "" {
		logins = append(logins, a.Login)
	}
	for _, dn := range a.Delegates {
		delegate, err := p.nouns.Accounts.ByDN(ctx, dn)
		switch {
		case errors.Is(err, directory.ErrNotFound): // a group, or nobody any more
		case err != nil:
			return nil, err
		case delegate.Login != "":
			logins = append(logins, delegate.Login)
		}
	}
	return logins, nil
}
