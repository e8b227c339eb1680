package recipient

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"gatepost/internal/address"
	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
)

// Options of a Directory.
type Options struct {
	// Service that an account with a login must have to receive mail, as
	// "imap". "": none.
	Service string
	Log     *slog.Logger
}

// Directory answers from the directory: accounts, addresses that only
// forward, and lists.
type Directory struct {
	nouns   *directory.Nouns
	store   *dbmail.Store
	service string
	log     *slog.Logger
}

// NewDirectory makes a source of nouns, which should be cached; store is where
// the users have their mailboxes.
func NewDirectory(n *directory.Nouns, store *dbmail.Store, o Options) *Directory {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Directory{nouns: n, store: store, service: o.Service, log: o.Log}
}

// Lookup finds what an address stands for, in DBMail's order; the first that
// anybody has decides, whether it can receive or not:
//
//  1. the whole address, as an address or login
//  2. the address without +detail, likewise
//  3. a catch-all of the domain: @domain, then @.parent.domain, @.domain …
//  4. a catch-all of the local part: local@
//
// A word without "@" is a login.
//
// dbmail.ErrUnknown, ErrInactive and ErrUndeliverable and ErrNoService are
// proven. With any other error the directory or the store cannot tell; also
// when several entries have the address, and when the one that has it cannot
// be understood.
func (d *Directory) Lookup(ctx context.Context, addr string) (Recipient, error) {
	r, _, err := d.lookup(ctx, addr)
	return r, err
}

// lookup also says whether it is a catch-all that has answered.
func (d *Directory) lookup(ctx context.Context, addr string) (r Recipient, caught bool, err error) {
	names, direct := directory.NamesOf(addr)
	found, err := d.nouns.Find(ctx, names)
	if err != nil {
		return r, false, err
	}
	at := slices.IndexFunc(found, func(f directory.Found) bool { return !f.Nobody() })
	if at < 0 {
		return r, false, unknown(addr)
	}
	switch f := found[at]; {
	case f.Err != nil:
		err = f.Err
	case f.Group != nil:
		r, err = d.list(ctx, addr, f.Group)
	default:
		r, err = d.one(ctx, addr, f.Account)
	}
	if err != nil {
		return Recipient{}, at >= direct, fmt.Errorf("%q: %w", addr, err)
	}
	if _, detail, has := address.CutDetail(addr); has {
		r.Detail = detail
	}
	return r, at >= direct, nil
}

func unknown(addr string) error { return fmt.Errorf("%q: %w", addr, dbmail.ErrUnknown) }

// one is what an account stands for.
func (d *Directory) one(ctx context.Context, addr string, a *directory.Account) (Recipient, error) {
	w := newWalk(d)
	w.account(a, addr)
	r, err := w.finish(ctx)
	if err != nil {
		return Recipient{}, err
	}
	for _, f := range w.failures {
		d.log.Warn("an address does not reach all that it forwards to", "rcpt", addr, "target", f.Member, "why", f.Why)
	}
	return r, nil
}

// definite says whether an error is an answer, rather than doubt.
func definite(err error) bool {
	return errors.Is(err, dbmail.ErrUnknown) || errors.Is(err, dbmail.ErrInactive) ||
		errors.Is(err, dbmail.ErrUndeliverable) || errors.Is(err, ErrNoService)
}
