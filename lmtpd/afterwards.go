package lmtpd

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"time"

	"gatepost/internal/dbmail"
)

// aftermath is what deliveries bring about besides, once their copies are on
// disk: auto-replies and notifications. No session waits for it.
type aftermath struct {
	settings func() *Settings // those of now
	events   backlog[*event]  // deliveries of which nobody has looked yet what they bring about
	mails    backlog[*errand] // what is to be sent
}

// Bounds of what waits. A mail is some kilobytes, 100 at most.
const (
	maxEvents = 20000 // users of deliveries
	maxMails  = 500
	maxLogged = 200 // characters of an id in the log
)

func newAftermath(settings func() *Settings) *aftermath {
	a := &aftermath{settings: settings}
	a.events = backlog[*event]{
		limit: maxEvents, workers: 1, together: 64, size: func(e *event) int { return len(e.users) },
		pauses: []time.Duration{time.Second, 10 * time.Second, time.Minute, 5 * time.Minute},
		work:   a.look,
		lost: func(e *event, why error) {
			settings().Metrics.automatic("any", "lost")
			e.log.Warn("automatic mail not looked for", "users", len(e.users), "why", why)
		},
	}
	a.mails = backlog[*errand]{
		limit: maxMails, workers: 4, together: 1, size: func(*errand) int { return 1 },
		pauses: []time.Duration{10 * time.Second, time.Minute, 3 * time.Minute, 10 * time.Minute, 15 * time.Minute},
		work:   func(ctx context.Context, m []*errand) error { return m[0].send(ctx, settings()) },
		lost: func(m *errand, why error) {
			settings().Metrics.automatic(m.kind, "lost")
			m.log.Warn("automatic mail not sent", "kind", m.kind, "to", m.to, "why", why)
		},
	}
	return a
}

// drain finishes what is under way, or tells what is left when ctx ends.
func (a *aftermath) drain(ctx context.Context) {
	a.events.drain(ctx)
	a.mails.drain(ctx)
}

// event is a delivery, and what must be known of it later.
type event struct {
	log    *slog.Logger
	digest [sha256.Size]byte
	letter *letter // nil: nobody's auto-reply answers it
	notify bool
	users  []reached
}

// reached is a user who has a copy.
type reached struct {
	dbmail.User
	by     string // the address; "" for members of a list
	uid    uint64
	repeat bool
}

// afterwards notes what the delivery may bring about besides. Copies that an
// earlier attempt has stored count too: the server may have ended before it
// came to the rest.
func (d *delivery) afterwards() {
	c := d.s.set.Delivery
	if !c.AutoReplies && !c.AutoNotifications {
		return
	}
	e := &event{digest: d.digest, notify: c.AutoNotifications && !isNotification(d.m, d.tx.from),
		log: d.s.log.With("queue_id", cutText(queueID(d.m.HeaderValues("Received")), maxLogged), "message_id", cutText(first(d.m.HeaderValues("Message-ID")), maxLogged))}
	if c.AutoReplies {
		var why string
		if e.letter, why = answerable(d.m, d.tx.from); e.letter == nil {
			e.log.Debug("automatic mail withheld", "kind", kindReply, "why", why)
		}
	}
	if e.letter == nil && !e.notify {
		return
	}
	at := map[uint64]int{}
	for _, rc := range d.tx.rcpts {
		by := rc.address
		if rc.is.List != nil {
			if !e.notify {
				continue // who is a member answers nobody
			}
			by = ""
		}
		for _, u := range rc.is.Users {
			i, ok := d.at[u.ID]
			if !ok || i >= len(d.local) || d.local[i].Err != nil {
				continue
			}
			k, ok := at[u.ID]
			switch {
			case !ok:
				at[u.ID] = len(e.users)
				e.users = append(e.users, reached{u, by, d.local[i].UID, d.local[i].Repeat})
			case e.users[k].by == "":
				e.users[k].by = by
			}
		}
	}
	if len(e.users) > 0 {
		d.s.after.events.add(e)
	}
}

// look reads what the tables say of the users of some deliveries, and makes
// the mails. After an error none was made.
func (a *aftermath) look(ctx context.Context, events []*event) error {
	set := a.settings()
	if set.Store == nil {
		return errors.New("there is no store")
	}
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	var users []uint64
	for _, e := range events {
		for _, u := range e.users {
			users = append(users, u.ID)
		}
	}
	c := set.Delivery
	found, err := set.Store.Automatic(ctx, users, time.Now(), c.AutoReplies, c.AutoNotifications)
	if err != nil {
		return err
	}
	var mails []*errand
	for _, e := range events {
		for _, u := range e.users {
			what, ok := found[u.ID]
			if !ok {
				continue
			}
			m, err := e.errands(ctx, set, u, what)
			if err != nil {
				return err
			}
			mails = append(mails, m...)
		}
	}
	for _, m := range mails {
		a.mails.add(m)
	}
	return nil
}
