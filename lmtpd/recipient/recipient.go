// Package recipient says who an address stands for: users of the store,
// addresses elsewhere, or a list of both. The directory knows, or DBMail's own
// tables, or one after the other.
package recipient

import (
	"context"
	"errors"

	"gatepost/internal/dbmail"
)

// Recipient is what an address stands for.
type Recipient struct {
	dbmail.Recipient
	// List is set when the address is a list's: Users and Forwards are its
	// members then, each once.
	List *List
}

// List is what delivery needs to know of a list.
type List struct {
	Address string // primary
	// Owner is the address that answers for the list: failures are told to
	// it, and it is the envelope sender of what goes elsewhere. "" if the
	// list has none.
	Owner string
	// Failures are members that cannot receive, for good.
	Failures []Failure
	// Doubts are members of which we cannot tell (a row that belongs to
	// somebody else, perhaps): the others get the message at once, and the
	// client comes again for these.
	Doubts []Failure
}

// Failure is a member that cannot receive.
type Failure struct {
	Member string // address, or what the list names
	Why    error
}

// Definite answers that the store does not know; all others are those of
// package dbmail.
var (
	// ErrNoService: the account may not use this service.
	ErrNoService = errors.New("account has not the service")
)

// Source is one of the sources in InOrder.
type Source interface {
	Lookup(ctx context.Context, address string) (Recipient, error)
}

// SQL answers from DBMail's own tables.
type SQL struct{ Store *dbmail.Store }

// Lookup implements Source. Errors are those of dbmail.Store.Lookup.
func (s SQL) Lookup(ctx context.Context, address string) (Recipient, error) {
	r, err := s.Store.Lookup(ctx, address)
	return Recipient{Recipient: r}, err
}
