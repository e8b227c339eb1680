package ldapmap

import (
	"context"
	"errors"
	"slices"
	"strings"
)

// Lookuper answers one key of a table: data and true, or a proven "no". An
// error means that it cannot tell.
type Lookuper interface {
	Lookup(ctx context.Context, key string) (data string, found bool, err error)
}

// Class says for which feature of Postfix a table is used. Postfix sends a
// socketmap one key only, the full one, as it was written; of an ldap: table
// it would have asked for several, folded. The class knows which, and in which
// order.
type Class string

// The map classes. Each names the parameters of Postfix that it is for.
const (
	Exact          Class = "exact"           // the key and no other, as within a unionmap that begins with inline:
	VirtualAlias   Class = "virtual_alias"   // virtual_alias_maps
	Canonical      Class = "canonical"       // canonical_maps, sender_canonical_maps, recipient_canonical_maps
	RelayRecipient Class = "relay_recipient" // relay_recipient_maps, local_recipient_maps, relocated_maps, *_bcc_maps, sender_dependent_*_maps
	Mailbox        Class = "mailbox"         // virtual_mailbox_maps, for smtpd(8)
	SenderLogin    Class = "sender_login"    // smtpd_sender_login_maps
	Access         Class = "access"          // check_*_access but for those of certificates and SASL logins
	Transport      Class = "transport"       // transport_maps
	Domain         Class = "domain"          // relay_domains, and the lists of domains that Postfix asks for one name
)

// Classes lists all classes.
func Classes() []Class {
	return []Class{Exact, VirtualAlias, Canonical, RelayRecipient, Mailbox, SenderLogin, Access, Transport, Domain}
}

// needsLocal says whether the class looks up bare users of domains that are
// this machine's, and has to know these.
func (c Class) needsLocal() bool {
	switch c {
	case VirtualAlias, Canonical, RelayRecipient, Mailbox, SenderLogin:
		return true
	}
	return false
}

// Keys is a class with what it has to know of Postfix.
type Keys struct {
	class     Class
	postfix   Postfix
	local     map[string]bool // folded domains whose users are known without them
	propagate bool            // the extension that was not matched goes into the result
	parents   parentStyle
}

// NewKeys makes the Keys of a class.
func NewKeys(class Class, p Postfix) *Keys {
	k := &Keys{class: class, postfix: p, local: p.localDomains()}
	styleOf := func(name string) parentStyle {
		if slices.Contains(p.ParentDomainMatchesSubdomains, name) {
			return plainParents
		}
		return dottedParents
	}
	switch class {
	case VirtualAlias:
		k.propagate = slices.Contains(p.PropagateUnmatchedExtensions, "virtual")
	case Canonical:
		k.propagate = slices.Contains(p.PropagateUnmatchedExtensions, "canonical")
	case Access:
		k.parents = styleOf("smtpd_access_maps")
	case Transport:
		k.parents = styleOf("transport_maps")
	case Domain:
		k.parents = styleOf("relay_domains")
		if p.List != "" && p.List != "relay_domains" {
			k.parents = noParents
		}
	}
	return k
}

// Lookup asks the table for the keys that a key of Postfix stands for, until
// one is found. The first error ends it: a later key must not be found where
// an earlier one might have been.
func (k *Keys) Lookup(ctx context.Context, table Lookuper, key string) (data string, found bool, err error) {
	if key == "" {
		return "", false, nil // Postfix would not have asked
	}
	a := asker{ctx: ctx, table: table}
	switch {
	case k.class == Exact:
		a.ask(key)
	case k.class == Domain:
		a.domain(key, k.parents)
	case k.class == Access && strings.IndexByte(key, '@') < 0:
		a.host(key, k.parents)
	default:
		k.address(&a, key)
	}
	return a.data, a.found, a.err
}

// asker asks a table key by key until it is done: found, or failed.
type asker struct {
	ctx   context.Context
	table Lookuper
	data  string
	found bool
	err   error

	unquoted bool // the key came in the unquoted form, and needs quotes
}

// ask looks a key up, folded, unless the walk is done. It says whether it is.
func (a *asker) ask(key string) (done bool) {
	if !a.done() && key != "" {
		if folded, ok := Fold(key); ok { // else no table can have it
			a.data, a.found, a.err = a.table.Lookup(a.ctx, folded)
		}
	}
	return a.done()
}

func (a *asker) done() bool { return a.found || a.err != nil }

// fail ends the walk with an error.
func (a *asker) fail(err error) { a.data, a.found, a.err = "", false, err }

// errLabels is for names that no domain can have, but whose parents a table
// might.
var errLabels = errors.New("a key has more labels than a domain name can have")
