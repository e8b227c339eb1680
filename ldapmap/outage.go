package ldapmap

import (
	"context"
	"errors"
)

// While the directory cannot tell, what was found before is still given (see
// directory.Cache), but that nothing was found before proves nothing. A walk
// over several keys needs more than that: the mailbox of user+extension@domain
// is found by its second key, after a first that never existed; and an address
// that is no alias must get past the table of aliases. So the walk is done once
// more, taking an old "no" for each single key, and its outcome counts where
// it cannot make mail bounce:
//
//   - something is found in the end;
//   - the table only rewrites (canonical), or the key is transport(5)'s "*";
//   - the table is one of aliases or transports, and a table of recipients
//     knows the address: then the alias table is not the one to say that
//     there is no such user.
func (m *Map) lookup(ctx context.Context, table Lookuper, key string) (data string, found bool, err error) {
	data, found, err = m.keys.Lookup(ctx, table, key)
	if err == nil || errors.Is(err, ErrNotText) || m.keys.class == Exact {
		return data, found, err
	}
	oldData, oldFound, oldErr := m.keys.Lookup(context.WithValue(ctx, staleNo{}, true), table, key)
	if oldErr == nil && (oldFound || m.cannotBounce(ctx, key)) {
		return oldData, oldFound, nil
	}
	return data, found, err
}

// staleNo is the context's key for: an old "no" will do.
type staleNo struct{}

func takesStaleNo(ctx context.Context) bool { return ctx.Value(staleNo{}) != nil }

// cannotBounce says whether it does no harm to say that the table has nothing
// for the key although it may have, since a while ago.
func (m *Map) cannotBounce(ctx context.Context, key string) bool {
	switch {
	case m.keys.class == Canonical, m.keys.class == Transport && key == "*":
		return true
	case m.keys.class != VirtualAlias && m.keys.class != Transport:
		return false
	}
	for _, other := range m.known {
		if _, found, err := other.Lookup(ctx, key); err == nil && found {
			return true
		}
	}
	return false
}

// introduce tells each table which ones know the recipients.
func (l *Live) introduce() {
	var known []*Map
	for _, m := range l.Maps {
		if m.keys.class == RelayRecipient || m.keys.class == Mailbox {
			known = append(known, m)
		}
	}
	for _, m := range l.Maps {
		if m.keys.class == VirtualAlias || m.keys.class == Transport {
			m.known = known
		}
	}
}
