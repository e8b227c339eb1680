package lmtpd

import (
	"context"
	"crypto/sha256"
	"strings"
	"time"

	"github.com/emersion/go-smtp"

	"gatepost/internal/dbmail"
	"gatepost/internal/message"
)

// delivery is one message on its way: from DATA to the replies.
type delivery struct {
	s      *session
	tx     transaction
	m      *message.Message
	raw    *message.Raw
	digest [sha256.Size]byte
	start  time.Time
	// arrived tells the store that the message is no longer on its way.
	arrived func()

	targets []dbmail.Target
	at      map[uint64]int // target of a user
	local   []dbmail.Outcome
	remote  map[string]error // by address to forward to
}

// deliverTimeout bounds the work after the final dot; Postfix waits 600 s
// (lmtp_data_done_timeout).
const deliverTimeout = 5 * time.Minute

// run delivers to all recipients and gives the reply for each, nil for 2xx,
// and what to do when the client has read them.
//
// What is stored here comes first, what goes elsewhere second, and the replies
// last: until then the client's queue is where the message is safe. A copy in
// the store is recognised when the message comes again, so a smarthost that is
// away costs no duplicate.
func (d *delivery) run() (replies []*smtp.SMTPError, proven func()) {
	ctx, cancel := context.WithTimeout(context.Background(), deliverTimeout)
	defer cancel()

	refused := make([]error, len(d.tx.rcpts))
	hops := len(d.m.HeaderValues("Received")) > maxHops
	for i, rc := range d.tx.rcpts {
		switch {
		case hops:
			refused[i] = errHops
		case len(rc.is.Forwards) > 0 && d.wasHere(rc.address), rc.is.List != nil && d.wasHere(rc.is.List.Address):
			refused[i] = errLoop
		}
	}
	d.choose(ctx, refused)
	d.store(ctx)
	d.forward(ctx, refused)
	d.afterwards()

	replies = make([]*smtp.SMTPError, len(d.tx.rcpts))
	for i, rc := range d.tx.rcpts {
		err := refused[i]
		var told int
		switch {
		case err != nil:
		case rc.is.List != nil:
			told, err = d.listOutcome(ctx, rc)
		default:
			err = d.outcome(rc)
		}
		replies[i] = d.s.set.verdict(err)
		d.report(rc, replies[i], err, told)
	}
	return replies, d.proof(refused, replies)
}

// outcome is what became of a recipient: nil, or the error that counts most
// among those of the users and addresses that it stands for.
func (d *delivery) outcome(rc accepted) (worst error) {
	consider := func(err error) {
		if rank(d.s.set.verdict(err)) > rank(d.s.set.verdict(worst)) {
			worst = err
		}
	}
	for _, u := range rc.is.Users {
		consider(d.local[d.at[u.ID]].Err)
	}
	for _, f := range rc.is.Forwards {
		consider(d.remote[f])
	}
	return worst
}

// wasHere says that the message was forwarded from this address before.
func (d *delivery) wasHere(address string) bool {
	for _, v := range d.m.HeaderValues("Delivered-To") {
		if strings.EqualFold(strings.Trim(strings.TrimSpace(v), "<>"), address) {
			return true
		}
	}
	return false
}

// proof is what to note when the client proves that it has read the replies:
// of users and addresses all of whose recipients were told 2xx. The others
// come again and must be recognised.
func (d *delivery) proof(refused []error, replies []*smtp.SMTPError) func() {
	unread := map[dbmail.Mark]bool{}
	var all []dbmail.Mark
	for i, rc := range d.tx.rcpts {
		if refused[i] != nil {
			continue
		}
		note := func(m dbmail.Mark) {
			if replies[i] != nil {
				unread[m] = true
			}
			all = append(all, m)
		}
		for _, u := range rc.is.Users {
			note(dbmail.NewMark(d.tx.from, u.ID, d.digest))
		}
		for _, f := range rc.is.Forwards {
			note(dbmail.ForwardMark(d.tx.from, f, d.digest))
		}
		if l := rc.is.List; l != nil {
			note(failuresMark(l, d.digest))
		}
	}
	var read []dbmail.Mark
	for _, m := range all {
		if !unread[m] {
			read = append(read, m)
		}
	}
	if len(read) == 0 {
		return nil
	}
	store := d.s.set.Store
	return func() { store.Answered(read) }
}

// report writes the one log line of a recipient. told is how many failures
// the owner of a list was told.
func (d *delivery) report(rc accepted, v *smtp.SMTPError, why error, told int) {
	d.s.set.Metrics.recipient(stageData, v)
	args := []any{
		"stage", "data", "queue_id", queueID(d.m.HeaderValues("Received")), "message_id", first(d.m.HeaderValues("Message-ID")),
		"sender", d.tx.from, "rcpt", rc.address, "size", d.m.Size, "ms", time.Since(d.start).Milliseconds(),
	}
	if d.m.Unsplit {
		args = append(args, "unsplit", true)
	}
	switch {
	case rc.is.List != nil:
		args = append(args, d.ofList(rc, told)...)
	case v == nil:
		args = append(args, d.copies(rc)...)
	}
	if v == nil {
		d.s.log.Info("delivered", args...)
		return
	}
	d.s.log.Info(decision(v), append(args, "code", v.Code, "why", why)...)
}

// copies is what the log tells of a recipient's copies: each key once, as a
// list where there are several.
func (d *delivery) copies(rc accepted) (args []any) {
	var users, mailboxes []string
	var uids []uint64
	repeat := false
	for _, u := range rc.is.Users {
		o := d.local[d.at[u.ID]]
		users, mailboxes, uids = append(users, u.Name), append(mailboxes, o.Mailbox), append(uids, o.UID)
		repeat = repeat || o.Repeat
	}
	switch len(users) {
	case 0:
	case 1:
		args = append(args, "user", users[0], "mailbox", mailboxes[0], "uid", uids[0])
	default:
		args = append(args, "users", users, "mailboxes", mailboxes, "uids", uids)
	}
	if repeat {
		args = append(args, "repeat", true)
	}
	switch f := rc.is.Forwards; len(f) {
	case 0:
	case 1:
		args = append(args, "forward", f[0])
	default:
		args = append(args, "forwards", f)
	}
	return args
}

// decision is the word of the log's vocabulary for a reply.
func decision(v *smtp.SMTPError) string {
	switch rank(v) {
	case 0:
		return "delivered"
	case 1:
		return "rejected"
	}
	return "deferred"
}

// queueID finds the queue id that Postfix wrote into the topmost Received
// field ("by host (Postfix) with ESMTP id 4Xyz for <…>").
func queueID(received []string) string {
	if len(received) == 0 {
		return ""
	}
	_, rest, ok := strings.Cut(strings.Join(strings.Fields(received[0]), " "), " id ")
	if !ok {
		return ""
	}
	id, _, _ := strings.Cut(rest, " ")
	return strings.TrimRight(id, ";")
}

func first(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return strings.TrimSpace(values[0])
}
