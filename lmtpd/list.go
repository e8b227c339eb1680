package lmtpd

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"

	"github.com/emersion/go-smtp"

	"gatepost/internal/dbmail"
	"gatepost/internal/message"
	"gatepost/lmtpd/recipient"
)

// failed is a member of a list that the message did not reach, for good.
type failed struct {
	member string
	reply  *smtp.SMTPError
}

// listOutcome is what became of a list. What one member cannot receive is no
// matter of the sender's: the list's owner is told, once all is settled. It
// returns of how many failures.
func (d *delivery) listOutcome(ctx context.Context, rc accepted) (told int, err error) {
	l := rc.is.List
	var failures []failed
	reached := 0
	settle := func(member string, e error) {
		switch v := d.s.set.verdict(e); {
		case e == nil:
			reached++
		case errors.Is(e, dbmail.ErrOverQuota):
			failures = append(failures, failed{member, replyFull})
		case v.Code >= 500:
			failures = append(failures, failed{member, v})
		case err == nil:
			err = e
		}
	}
	for _, u := range rc.is.Users {
		settle(userAddress(u), d.local[d.at[u.ID]].Err)
	}
	for _, f := range rc.is.Forwards {
		settle(f, d.remote[f])
	}
	for _, m := range l.Doubts {
		d.s.log.Error("member of a list in doubt", "list", l.Address, "member", m.Member, "why", m.Why)
		settle(m.Member, m.Why)
	}
	if err != nil {
		return 0, err
	}
	for _, m := range l.Failures {
		v := d.s.set.verdict(m.Why)
		if v == nil || v.Code < 500 {
			v = replyUnknown
		}
		failures = append(failures, failed{m.Member, v})
	}
	// Nothing is sent about what has the null sender (RFC 5321 6.1): where the
	// owner is a list, or forwards to one, reports would bring about reports
	// for ever.
	mute := l.Owner == "" || d.tx.from == ""
	switch {
	case len(failures) == 0:
		return 0, nil
	case mute && reached == 0:
		return 0, dbmail.ErrUndeliverable
	case mute:
		d.s.log.Warn("members of a list not reached, and there is nobody to tell", "list", l.Address, "owner", l.Owner, "sender", d.tx.from,
			"members", len(failures), "first", failures[0].member, "why", failures[0].reply.Message)
		return 0, nil
	}
	return len(failures), d.tellOwner(ctx, l, failures)
}

func userAddress(u dbmail.User) string {
	if u.Identity != nil && len(u.Identity.Addresses) > 0 {
		return u.Identity.Addresses[0]
	}
	return u.Name
}

// failuresMark is of the report of a message's failures to a list's owner.
func failuresMark(l *recipient.List, digest [sha256.Size]byte) dbmail.Mark {
	return dbmail.ForwardMark("failures for <"+l.Owner+">", l.Address, digest)
}

// tellOwner sends the report, unless an earlier attempt has: through the
// smarthost, or without one into the owner's mailbox here.
func (d *delivery) tellOwner(ctx context.Context, l *recipient.List, failures []failed) error {
	mark := failuresMark(l, d.digest)
	if told, err := d.s.set.Store.Forwarded(ctx, mark); err != nil || told {
		return err
	}
	text := d.failureReport(l, failures)
	var err error
	if h := d.s.set.Smarthost; h != nil {
		err = h.Send(ctx, Outgoing{Recipients: []string{l.Owner}, Body: text, UTF8: !ascii(l.Owner)})[0]
	} else {
		err = d.keepReport(ctx, l.Owner, text)
	}
	if v := d.s.set.verdict(err); v != nil && v.Code >= 500 {
		// Nobody is left to tell.
		d.s.log.Error("owner of a list cannot be told of failures", "list", l.Address, "owner", l.Owner, "members", len(failures), "why", err)
	} else if err != nil {
		return err
	}
	if err := d.record(ctx, mark); err != nil {
		d.s.log.Warn("report to a list's owner not recorded", "list", l.Address, "why", err)
	}
	return nil
}

// keepReport delivers a report here.
func (d *delivery) keepReport(ctx context.Context, owner string, text []byte) error {
	to, err := d.s.set.Recipients.Lookup(ctx, owner)
	if err != nil {
		return err
	}
	var targets []dbmail.Target
	if to.List == nil {
		for _, u := range to.Users {
			targets = append(targets, (&placement{}).of(u, ""))
		}
	}
	if len(targets) == 0 {
		return errNoSmarthost
	}
	var wire bytes.Buffer
	_ = writeCRLF(&wire, text) // to memory
	raw, err := message.ReadRaw(&wire, d.s.set.sizeLimit(), int64(wire.Len()))
	if err != nil {
		return err
	}
	out := d.s.set.Store.Deliver(&dbmail.Delivery{
		Message: message.Split(raw, message.Options{Received: d.start.UTC(), Cached: d.s.set.Store.CachedHeader, DefaultCharset: d.s.set.Charset}),
		Digest:  sha256.Sum256(text), Received: d.start.UTC(), Targets: targets,
	})
	for _, o := range out {
		if o.Err != nil {
			return o.Err
		}
	}
	return nil
}

// ofList is what the log tells of a list.
func (d *delivery) ofList(rc accepted, told int) []any {
	stored, repeats, sent := 0, 0, 0
	for _, u := range rc.is.Users {
		switch i, ok := d.at[u.ID]; {
		case !ok || i >= len(d.local) || d.local[i].Err != nil:
		case d.local[i].Repeat:
			repeats++
		default:
			stored++
		}
	}
	for _, f := range rc.is.Forwards {
		if err, ok := d.remote[f]; ok && err == nil {
			sent++
		}
	}
	return []any{"list", rc.is.List.Address, "members", len(rc.is.Users) + len(rc.is.Forwards), "stored", stored,
		"repeats", repeats, "forwarded", sent, "failures", told}
}
