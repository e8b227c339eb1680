package recipient

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"gatepost/internal/address"
	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
)

const (
	// maxDepth bounds forwards to forwards, as DBMail bounds its aliases.
	maxDepth = 20
	// maxTargets bounds what one address may lead to.
	maxTargets = 50_000
	// together is how many forwards one search asks for.
	together = 100
	// proofs is for how many accounts of a walk it is proven that they have no
	// service: what we may read of some we may of all.
	proofs = 3
)

var (
	// errTooFar: who knows where it would end.
	errTooFar = errors.New("forwards lead on too far")
	// errNowhere is an entry that says of itself that it takes mail, and not
	// where to. Schemas do not allow it, so it is more likely that we may not
	// read all of it (see access in slapd.access(5)).
	errNowhere = errors.New("shows neither a mailbox nor an address to forward to")
	// errNoNumber is an entry that lacks what the store knows users by.
	errNoNumber = errors.New("has a login and no user number (uid_number), without which there is no mailbox")
)

// walk follows an address to its ends, each once.
type walk struct {
	d    *Directory
	seen map[string]bool
	next []string        // forwards that may be addresses of ours
	into map[string]bool // DNs of groups whose members these are

	unserved   []unserved
	identities []*dbmail.Identity
	forwards   []string
	refused    []string
	failures   []Failure
	doubts     []Failure
	circle     bool
	list       bool
}

// unserved is an account that shows no service at all.
type unserved struct {
	account *directory.Account
	member  string
}

func newWalk(d *Directory) *walk {
	return &walk{d: d, seen: map[string]bool{}, into: map[string]bool{}}
}

// account takes what an account's entry says of its mail. member is what it
// was reached by.
func (w *walk) account(a *directory.Account, member string) {
	dn := "dn:" + strings.ToLower(a.DN)
	if w.seen[dn] {
		w.circle = true
		return
	}
	w.seen[dn] = true
	switch {
	case !a.Status.TakesMail():
		w.fail(member, fmt.Errorf("%w: %q is %s", dbmail.ErrInactive, a.DN, a.Status))
		return
	case a.Login != "" && w.d.service != "" && len(a.Services) == 0:
		w.unserved = append(w.unserved, unserved{a, member})
		return
	case a.Login != "" && w.d.service != "" && !a.HasService(w.d.service):
		w.fail(member, fmt.Errorf("%w: %q may not use %q", ErrNoService, a.DN, w.d.service))
		return
	}
	keep, leads := a.Keep, false
	for _, f := range a.Forward {
		f = strings.TrimSpace(f)
		switch {
		case f == "":
		case isProgram(f):
			w.refused = append(w.refused, f)
		case a.Login != "" && (a.HasAddress(f) || directory.SameAddress(f, a.Login)):
			keep = true // to oneself
		case a.HasAddress(f) && sameDomain(f, member):
			w.circle = true
		case a.HasAddress(f):
			w.elsewhere(f) // of a contact, Exchange keeps the address elsewhere with the others
			leads = true
		default:
			w.next = append(w.next, f)
			leads = true
		}
	}
	switch {
	case keep && a.UIDNumber == 0:
		w.fail(member, fmt.Errorf("%q %w", a.DN, errNoNumber))
	case keep:
		w.identities = append(w.identities, &dbmail.Identity{
			ID: uint64(a.UIDNumber), Login: a.Login, UUID: a.UUID, Quota: a.Quota, Addresses: a.Addresses(),
		})
	case len(a.Forward) == 0:
		w.fail(member, fmt.Errorf("%q %w", a.DN, errNowhere))
	case !leads:
		w.fail(member, fmt.Errorf("%w: %q forwards to no address", dbmail.ErrUndeliverable, a.DN))
	}
}

func sameDomain(a, b string) bool {
	_, a, _ = address.Split(a)
	_, b, _ = address.Split(b)
	return directory.SameAddress("@"+a, "@"+b)
}

// isProgram says whether a forward is no address: programs, files and lists
// in files, as sendmail's aliases have them, and what cannot be written in a
// command of SMTP.
func isProgram(target string) bool {
	target = strings.TrimLeft(target, `"`)
	return strings.HasPrefix(target, "|") || strings.HasPrefix(target, "!") || strings.HasPrefix(target, "/") ||
		strings.HasPrefix(strings.ToLower(target), ":include:") ||
		strings.ContainsFunc(target, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// fail notes that something is not reached. What nobody can tell of a list's
// member is no failure of it.
func (w *walk) fail(member string, why error) {
	if w.list && !definite(why) {
		w.doubts = append(w.doubts, Failure{Member: member, Why: why})
		return
	}
	w.failures = append(w.failures, Failure{Member: member, Why: why})
}

// elsewhere notes an address that is nobody's here.
func (w *walk) elsewhere(to string) {
	if key := "to:" + directory.AddressKey(to); !w.seen[key] {
		w.seen[key] = true
		w.forwards = append(w.forwards, to)
	}
}

// follow goes after forwards, level by level: accounts of ours are taken for
// what they are, lists and unknown addresses are left to the smarthost.
func (w *walk) follow(ctx context.Context) error {
	for depth := 0; len(w.next) > 0; depth++ {
		if depth == maxDepth || len(w.seen)+len(w.next) > maxTargets {
			return fmt.Errorf("%w: from %q", errTooFar, w.next[0])
		}
		level := w.next
		w.next = nil
		for some := range slices.Chunk(level, together) {
			if err := w.lead(ctx, some); err != nil {
				return err
			}
		}
	}
	return nil
}

// lead finds out where some forwards lead.
func (w *walk) lead(ctx context.Context, forwards []string) error {
	var targets []string
	var names []directory.Name
	for _, f := range forwards {
		key := "via:" + directory.AddressKey(f)
		if w.seen[key] {
			continue
		}
		w.seen[key] = true
		n := directory.Name{Login: f}
		if strings.Contains(f, "@") {
			n.Address = f
		}
		targets, names = append(targets, f), append(names, n)
	}
	if len(names) == 0 {
		return nil
	}
	found, err := w.d.nouns.FindOrNobody(ctx, names)
	if err != nil {
		return err
	}
	for i, f := range found {
		switch {
		case f.Err != nil:
			w.fail(targets[i], f.Err)
		case f.Account != nil && f.Account.Login == "" && len(f.Account.Forward) == 0:
			w.elsewhere(targets[i]) // a contact, or one of which we may not read more
		case f.Account != nil:
			w.account(f.Account, targets[i])
		case f.Group != nil && w.into[strings.ToLower(f.Group.DN)]:
			w.circle = true // it is this list
		default:
			w.elsewhere(targets[i])
		}
	}
	return nil
}

// finish follows what is left and turns identities into users.
func (w *walk) finish(ctx context.Context) (r Recipient, err error) {
	if err := w.follow(ctx); err != nil {
		return r, err
	}
	w.withoutService(ctx)
	users, err := w.users(ctx)
	if err != nil {
		return r, err
	}
	r.Users, r.Forwards, r.Refused = users, w.forwards, w.refused
	if !w.list {
		for _, f := range w.failures {
			if !definite(f.Why) {
				return Recipient{}, f.Why
			}
		}
	}
	if len(users)+len(w.forwards)+len(w.doubts) > 0 {
		return r, nil
	}
	return Recipient{}, w.nothing()
}

// withoutService sees whether accounts that show no service have none.
func (w *walk) withoutService(ctx context.Context) {
	var doubt error
	for i, u := range w.unserved {
		if i < proofs && doubt == nil {
			doubt = w.d.nouns.NoService(ctx, u.account)
		}
		if doubt != nil {
			w.fail(u.member, doubt)
		} else {
			w.fail(u.member, fmt.Errorf("%w: %q may not use %q", ErrNoService, u.account.DN, w.d.service))
		}
	}
}

// nothing says why nothing is left that could receive.
func (w *walk) nothing() error {
	if !w.list {
		for _, want := range []error{dbmail.ErrInactive, ErrNoService} {
			for _, f := range w.failures {
				if errors.Is(f.Why, want) {
					return f.Why
				}
			}
		}
	}
	switch {
	case w.list:
		return fmt.Errorf("%w: no member of the list can receive (%d failures)", dbmail.ErrUndeliverable, len(w.failures))
	case len(w.refused) > 0:
		return fmt.Errorf("%w: %q is a program, which never runs", dbmail.ErrUndeliverable, w.refused[0])
	case w.circle:
		return fmt.Errorf("%w: forwards go in a circle", dbmail.ErrUndeliverable)
	case len(w.failures) > 0:
		return w.failures[0].Why
	}
	return dbmail.ErrUndeliverable
}

// users asks the store for all identities at once. Of a list, members that it
// cannot pair with a row are doubts.
func (w *walk) users(ctx context.Context) ([]dbmail.User, error) {
	if len(w.identities) == 0 {
		return nil, nil
	}
	found, errs := w.d.store.Identify(ctx, w.identities)
	w.d.renamed(ctx, found, errs)
	if twins := w.twins(); len(twins) > 0 {
		for i, why := range twins {
			errs[i] = why
		}
	}
	var users []dbmail.User
	for i, err := range errs {
		switch {
		case err == nil:
			users = append(users, found[i])
		case w.list && errors.Is(err, dbmail.ErrPairing):
			w.doubts = append(w.doubts, Failure{Member: nameOf(w.identities[i]), Why: err})
		default:
			return nil, fmt.Errorf("user %q: %w", w.identities[i].Login, err)
		}
	}
	return users, nil
}

// twins finds identities of different entries with one number or login.
func (w *walk) twins() map[int]error {
	first := make(map[any]int, 2*len(w.identities))
	var twins map[int]error
	for i, one := range w.identities {
		for _, key := range []any{one.ID, strings.ToLower(one.Login)} {
			j, taken := first[key]
			if !taken {
				first[key] = i
				continue
			}
			if twins == nil {
				twins = map[int]error{}
			}
			twins[i] = fmt.Errorf("%w: two entries have %v", dbmail.ErrPairing, key)
			twins[j] = twins[i]
		}
	}
	return twins
}

func nameOf(i *dbmail.Identity) string {
	if len(i.Addresses) > 0 {
		return i.Addresses[0]
	}
	return i.Login
}
