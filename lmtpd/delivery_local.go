package lmtpd

import (
	"context"

	"gatepost/internal/dbmail"
)

// storeTogether is how many users one transaction serves: as many as Postfix
// sends at once, so that a list of thousands locks nobody's mailbox for long
// and other deliveries go on between its parts.
const storeTogether = 100

// choose makes the list of users, each once, in the mailbox of the first
// recipient that reaches it. Members of lists come last: who was written to
// does not wait for them.
func (d *delivery) choose(ctx context.Context, refused []error) {
	d.at = map[uint64]int{}
	where := d.placement(ctx, refused)
	for i, rc := range d.tx.rcpts {
		if refused[i] == nil {
			refused[i] = where.doubt(rc)
		}
	}
	for _, lists := range []bool{false, true} {
		for i, rc := range d.tx.rcpts {
			if refused[i] != nil || (rc.is.List != nil) != lists {
				continue
			}
			for _, u := range rc.is.Users {
				if k, ok := d.at[u.ID]; ok {
					d.targets[k].Reached(u.Identity)
					continue
				}
				d.at[u.ID] = len(d.targets)
				d.targets = append(d.targets, where.of(u, rc.is.Detail))
			}
		}
	}
}

// store writes the copies, some at a time. When all of one part are in doubt
// the rest is not tried: the client comes again, and what was stored is
// recognised then.
func (d *delivery) store(ctx context.Context) {
	arrived := d.arrived
	for len(d.local) < len(d.targets) {
		part := d.targets[len(d.local):]
		part = part[:min(len(part), storeTogether)]
		out := d.s.set.Store.Deliver(&dbmail.Delivery{
			Message: d.m, Digest: d.digest, Sender: d.tx.from, Received: d.start.UTC(), Targets: part, Arrived: arrived,
		})
		arrived = nil
		d.local = append(d.local, out...)
		doubt := ctx.Err()
		if doubt == nil {
			doubt = d.allInDoubt(out)
		}
		for doubt != nil && len(d.local) < len(d.targets) {
			d.local = append(d.local, dbmail.Outcome{Err: doubt})
		}
	}
}

// allInDoubt gives an error when there is no other outcome.
func (d *delivery) allInDoubt(out []dbmail.Outcome) error {
	for _, o := range out {
		if rank(d.s.set.verdict(o.Err)) < rank(replyLater) {
			return nil
		}
	}
	return out[0].Err
}
