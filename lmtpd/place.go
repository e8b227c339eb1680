package lmtpd

import (
	"context"

	"gatepost/internal/dbmail"
)

// placement says where the users' copies of one message go: the one place that
// chooses mailboxes. What it needs is read once, for all users.
type placement struct {
	headers *dbmail.FilterHeaders
	filters dbmail.Filters
	err     error // they could not be read
}

// placement prepares to choose for all recipients that are not refused.
func (d *delivery) placement(ctx context.Context, refused []error) placement {
	var p placement
	if !d.s.set.Delivery.Filters {
		return p
	}
	var users []uint64
	for i, rc := range d.tx.rcpts {
		if refused[i] != nil || rc.is.Detail != "" {
			continue
		}
		for _, u := range rc.is.Users {
			users = append(users, u.ID)
		}
	}
	if len(users) == 0 {
		return p
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	p.headers = dbmail.NewFilterHeaders(d.m.Headers)
	p.filters, p.err = d.s.set.Store.Filters(ctx, users)
	return p
}

// doubt is an error when nobody can tell where the copies of a recipient go.
func (p *placement) doubt(rc accepted) error {
	if rc.is.Detail != "" || len(rc.is.Users) == 0 {
		return nil
	}
	return p.err
}

// of says where a user's copy goes. The detail of the address names a mailbox;
// else the user's filters may; else it is INBOX.
func (p *placement) of(u dbmail.User, detail string) dbmail.Target {
	t := dbmail.Target{UserID: u.ID, Mailbox: detail, Identity: u.Identity}
	if detail == "" && p.headers != nil {
		t.Mailbox = p.filters.Mailbox(u.ID, p.headers)
	}
	return t
}
