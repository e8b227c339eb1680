package directory

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/go-ldap/ldap/v3"
)

// Account is somebody, or an address that only forwards.
type Account struct {
	DN        string
	UUID      string // stays when the entry is renamed; "" if the server shows none
	Login     string // "" for an address that only forwards
	UIDNumber int64  // 0: none
	Address   string // primary; "" if there is none, or it may not be read
	// Alternates are the further addresses, each once.
	Alternates []string
	Status     Status
	// Quota of the mailbox in bytes; 0 is without limit.
	Quota int64
	// Forward lists where mail goes, and Keep says that it goes into the
	// mailbox (too).
	Forward []string
	Keep    bool
	// Services that the account may use, by name; "*" is every one.
	Services []string
	// Groups that the account is in directly, by DN, as far as the server
	// keeps that with the account.
	Groups []string
	// Delegates may send as this account: DNs of accounts and groups.
	Delegates []string
	Limits    []Limit
}

// Addresses lists the primary address and the alternates.
func (a *Account) Addresses() []string {
	if a.Address == "" {
		return a.Alternates
	}
	return append([]string{a.Address}, a.Alternates...)
}

// HasAddress says whether the address is the account's, as the directory
// shows it: without case, A- and U-labels alike, no extension taken off.
func (a *Account) HasAddress(address string) bool { return hasAddress(a.Addresses(), address) }

// HasService says whether the account may use a service, such as "smtp".
func (a *Account) HasService(name string) bool {
	return slices.ContainsFunc(a.Services, func(s string) bool { return s == "*" || strings.EqualFold(s, name) })
}

// Accounts finds them. All methods give ErrNotFound only after a complete
// answer, ErrAmbiguous when several entries match, ErrMalformed when the entry
// cannot be understood, and any other error when the directory cannot tell.
type Accounts struct{ asker }

// ByAddress finds the account with a primary or alternate address.
func (a *Accounts) ByAddress(ctx context.Context, address string) (*Account, error) {
	if address == "" {
		return nil, fmt.Errorf("account with the null address: %w", ErrNotFound)
	}
	at := &a.preset.Attributes
	entries, err := a.find(ctx, "account", allOf(isClass(at.AccountClass), at.hasAddress(address)), at.ofAccount())
	if err != nil {
		return nil, fmt.Errorf("find account with address %q: %w", address, err)
	}
	return a.only(at.shown(entries, address), fmt.Sprintf("account with address %q", address))
}

// ByLogin finds the account with a login name.
func (a *Accounts) ByLogin(ctx context.Context, login string) (*Account, error) {
	if login == "" {
		return nil, fmt.Errorf("account without login: %w", ErrNotFound)
	}
	at := &a.preset.Attributes
	entries, err := a.find(ctx, "account", allOf(isClass(at.AccountClass), equals(at.Login, login)), at.ofAccount())
	if err != nil {
		return nil, fmt.Errorf("find account %q: %w", login, err)
	}
	return a.only(entries, fmt.Sprintf("account %q", login))
}

// ByDN reads the account with a distinguished name.
func (a *Accounts) ByDN(ctx context.Context, dn string) (*Account, error) {
	at := &a.preset.Attributes
	e, err := a.read(ctx, "account", dn, isClass(at.AccountClass), at.ofAccount())
	if err != nil {
		return nil, fmt.Errorf("read account %q: %w", dn, err)
	}
	if e == nil {
		return nil, fmt.Errorf("account %q: %w", dn, ErrNotFound)
	}
	return at.account(e)
}

func (a *Accounts) only(entries []*Entry, what string) (*Account, error) {
	e, err := one(entries, what)
	if err != nil {
		return nil, err
	}
	return a.preset.Attributes.account(e)
}

// ofAccount lists what an account is made of.
func (at *Attributes) ofAccount() []string {
	return slices.Concat([]string{"objectClass"}, at.UUID, at.Login, at.UIDNumber, at.Mail, at.Alternate, at.Status,
		at.Quota, at.Forward, at.Delivery, at.Service, at.MemberOf, at.Delegate, at.Limit)
}

// account makes an account of an entry.
func (at *Attributes) account(e *Entry) (*Account, error) {
	a := &Account{DN: e.DN, UUID: at.uuid(e), Login: at.login(e), Services: valuesOf(e, at.Service),
		Groups: valuesOf(e, at.MemberOf), Delegates: valuesOf(e, at.Delegate)}
	a.Address, a.Alternates = at.addresses(e)
	if text := firstOf(e, at.UIDNumber); text != "" {
		n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
		if err != nil || n < 0 {
			return nil, malformed(e, "the user number", text)
		}
		a.UIDNumber = n
	}
	var err error
	if a.Status, err = at.status(e); err != nil {
		return nil, err
	}
	if text := firstOf(e, at.Quota); text != "" {
		if a.Quota, err = parseQuota(text); err != nil {
			return nil, malformed(e, "the quota", text)
		}
	}
	if err := at.delivery(e, a); err != nil {
		return nil, err
	}
	for _, text := range valuesOf(e, at.Limit) {
		limit, err := ParseLimit(text)
		if err != nil {
			return nil, malformed(e, "the limit", text)
		}
		a.Limits = append(a.Limits, limit)
	}
	return a, nil
}

// login gives an entry's login. Of several values it is the one that the entry
// is named by: the order of values is no property of an entry, and another
// server may have another.
func (at *Attributes) login(e *Entry) string {
	values := valuesOf(e, at.Login)
	if len(values) == 0 {
		return ""
	}
	if len(values) > 1 {
		if named := at.loginInDN(e.DN); slices.ContainsFunc(values, func(v string) bool { return strings.EqualFold(v, named) }) {
			return named
		}
	}
	return values[0]
}

// loginInDN gives the login in the first part of a DN, or "".
func (at *Attributes) loginInDN(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 {
		return ""
	}
	for _, part := range parsed.RDNs[0].Attributes {
		if slices.ContainsFunc(at.Login, func(name string) bool { return strings.EqualFold(name, part.Type) }) {
			return part.Value
		}
	}
	return ""
}
