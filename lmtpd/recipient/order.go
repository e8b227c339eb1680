package recipient

import (
	"context"
	"errors"

	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
)

// Order asks sources one after the other.
type Order struct {
	sources   []Source
	directory *Directory // nil: it is none of them
}

// InOrder makes a source of several. Where the directory is one of them, users
// that DBMail's tables have because of the directory are what it says of them
// now; one that is gone there is not here either.
func InOrder(sources ...Source) *Order {
	o := &Order{sources: sources}
	for _, s := range sources {
		if d, ok := s.(*Directory); ok {
			o.directory = d
		}
	}
	return o
}

// Lookup implements Source. After dbmail.ErrUnknown the next source is asked,
// and after a catch-all too, as an address of somebody comes before it. A
// source that cannot tell decides that nobody can.
func (o *Order) Lookup(ctx context.Context, address string) (Recipient, error) {
	var r Recipient
	err := unknown(address)
	for _, s := range o.sources {
		next, caught, nextErr := o.ask(ctx, s, address)
		switch {
		case errors.Is(nextErr, dbmail.ErrUnknown):
		case !caught || nextErr != nil && !definite(nextErr):
			return next, nextErr
		case errors.Is(err, dbmail.ErrUnknown):
			r, err = next, nextErr
		}
	}
	return r, err
}

// ask asks one source, and says whether a catch-all has answered.
func (o *Order) ask(ctx context.Context, s Source, address string) (Recipient, bool, error) {
	switch s := s.(type) {
	case *Directory:
		return s.lookup(ctx, address)
	case SQL:
		r, err := s.Lookup(ctx, address)
		caught := r.CatchAll
		if err == nil && o.directory != nil {
			r, err = o.directory.unshadow(ctx, address, r)
		}
		return r, caught, err
	}
	r, err := s.Lookup(ctx, address)
	return r, r.CatchAll, err
}

// unshadow puts what the directory says of its users in place of their rows.
// One that was renamed there since is known by its number.
func (d *Directory) unshadow(ctx context.Context, address string, r Recipient) (Recipient, error) {
	var names []directory.Name
	var own []dbmail.User
	for _, u := range r.Users {
		if u.Shadow {
			names = append(names, directory.Name{Login: u.Name, Number: int64(u.ID)})
		} else {
			own = append(own, u)
		}
	}
	if len(names) == 0 {
		return r, nil
	}
	w := newWalk(d)
	found, err := d.nouns.Find(ctx, names)
	if err != nil {
		return Recipient{}, err
	}
	for i, f := range found {
		switch {
		case f.Err != nil:
			return Recipient{}, f.Err
		case f.Account != nil:
			w.account(f.Account, names[i].Login)
		}
	}
	for _, f := range r.Forwards {
		w.elsewhere(f)
	}
	theirs, err := w.finish(ctx)
	switch {
	case err == nil:
	case !definite(err):
		return Recipient{}, err
	case len(own)+len(r.Forwards) > 0:
		theirs = Recipient{}
	case len(w.seen) == 0: // none of them is in the directory
		return Recipient{}, unknown(address)
	default:
		return Recipient{}, err
	}
	r.Users, r.Forwards, r.Refused = append(own, theirs.Users...), w.forwards, append(r.Refused, theirs.Refused...)
	return r, nil
}
