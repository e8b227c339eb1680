package lmtpd

import (
	"context"
	"slices"
	"time"

	"gatepost/internal/dbmail"
)

// handOver is how many addresses go to the smarthost in one transaction: what
// a crash between its reply and our note of it sends twice.
const handOver = 50

// forward sends the message on, once to each address.
func (d *delivery) forward(ctx context.Context, refused []error) {
	d.remote = map[string]error{}
	for i, rc := range d.tx.rcpts {
		if refused[i] != nil {
			continue
		}
		var fresh []string
		for _, f := range rc.is.Forwards {
			if _, ok := d.remote[f]; !ok {
				d.remote[f] = errNoSmarthost
				fresh = append(fresh, f)
			}
		}
		var doubt error
		for part := range slices.Chunk(fresh, handOver) {
			if doubt == nil {
				doubt = d.send(ctx, rc, part)
				continue
			}
			for _, f := range part {
				d.remote[f] = doubt
			}
		}
	}
}

// send hands the message over for some addresses of a recipient. It returns
// an error when none of them is settled, so that the next ones need not be
// tried.
func (d *delivery) send(ctx context.Context, rc accepted, to []string) error {
	marks := make([]dbmail.Mark, len(to))
	for k, f := range to {
		marks[k] = dbmail.ForwardMark(d.tx.from, f, d.digest)
	}
	done, err := d.s.set.Store.ForwardedOf(ctx, marks)
	if err != nil {
		for _, f := range to {
			d.remote[f] = err
		}
		return err
	}
	var left []string
	for k, f := range to {
		if done[marks[k]] {
			d.remote[f] = nil
		} else {
			left = append(left, f)
		}
	}
	if len(left) == 0 || d.s.set.Smarthost == nil {
		return nil
	}
	o := Outgoing{Sender: d.tx.from, Recipients: left, For: rc.address, Body: d.raw.Data, UTF8: d.tx.opts.UTF8}
	if l := rc.is.List; l != nil {
		o.For = l.Address
		// Bounces of members are the owner's (RFC 5321 3.9.2). What has the
		// null sender is a bounce itself and gets none.
		if l.Owner != "" && o.Sender != "" {
			o.Sender = l.Owner
		}
	}
	results := d.s.set.Smarthost.Send(ctx, o)
	var accepted []dbmail.Mark
	settled := len(left) < len(to)
	for k, f := range left {
		d.remote[f] = results[k]
		if results[k] == nil {
			accepted = append(accepted, dbmail.ForwardMark(d.tx.from, f, d.digest))
		}
		settled = settled || rank(d.s.set.verdict(results[k])) < rank(replyLater)
	}
	if err := d.record(ctx, accepted...); err != nil {
		// The smarthost has it. Only a repeat would now send it twice.
		d.s.log.Warn("forwards not recorded", "rcpt", rc.address, "to", len(accepted), "why", err)
	}
	if settled {
		return nil
	}
	return results[0]
}

// recordTimeout is for the note of what was sent.
const recordTimeout = 10 * time.Second

// record notes what was sent, also when the time for sending is over: without
// it a repeat would send it once more.
func (d *delivery) record(ctx context.Context, sent ...dbmail.Mark) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordTimeout)
	defer cancel()
	return d.s.set.Store.RecordForward(ctx, sent...)
}
