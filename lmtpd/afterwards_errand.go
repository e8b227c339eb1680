package lmtpd

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"time"

	"gatepost/internal/dbmail"
)

const (
	kindReply        = "reply"
	kindNotification = "notification"
)

// errand is a mail that is to be sent once, whoever else tries to.
type errand struct {
	kind  string
	log   *slog.Logger
	to    string
	body  []byte
	reply dbmail.ReplyKey
	mark  dbmail.Mark // of a notification
	ours  bool        // the claim is still ours from the attempt before
}

// errands makes the mails that a user's copy brings about.
func (e *event) errands(ctx context.Context, set *Settings, u reached, what dbmail.Automatic) ([]*errand, error) {
	log := e.log.With("user", u.Name)
	var out []*errand
	if what.Reply != "" && e.letter != nil {
		from, why := "", "member of a list"
		if u.by != "" {
			own, err := set.Store.OwnAddresses(ctx, u.User)
			if err != nil {
				return nil, err
			}
			from, why = e.letter.writtenTo(own, u.by)
		}
		if from == "" {
			log.Debug("automatic mail withheld", "kind", kindReply, "why", why)
		} else {
			out = append(out, &errand{kind: kindReply, log: log.With("from", from), to: e.letter.sender,
				body:  autoReply(e.letter, from, what.Reply, set.Hostname, e.digest, time.Now()),
				reply: dbmail.NewReplyKey(e.letter.sender, from, what.Reply)})
		}
	}
	if !e.notify || u.repeat && !set.Store.Limits().OwnTables { // who cannot remember whether it did does it once at most
		return out, nil
	}
	for _, to := range what.Notify {
		if !plainAddress(to) {
			log.Warn("automatic mail not sent", "kind", kindNotification, "to", to, "why", "no address")
			continue
		}
		mark := dbmail.NoticeMark(u.ID, u.uid, to)
		out = append(out, &errand{kind: kindNotification, log: log, to: to, mark: mark,
			body: notification(set.Delivery.notificationFrom(set.Hostname), to, set.Delivery.NotificationSubject, set.Hostname, string(mark), time.Now())})
	}
	return out, nil
}

// send sends a mail if nobody has. An error means that it was not sent, and
// may be tried again.
func (m *errand) send(ctx context.Context, set *Settings) error {
	if set.Smarthost == nil {
		m.end(set, "unsent", errNoSmarthost)
		return nil
	}
	if !m.ours {
		claimed, err := m.claim(ctx, set.Store)
		if err != nil {
			return err
		}
		if !claimed {
			set.Metrics.automatic(m.kind, "before")
			m.log.Debug("automatic mail withheld", "kind", m.kind, "to", m.to, "why", "was sent before")
			return nil
		}
		m.ours = true
	}
	header, _, _ := bytes.Cut(m.body, []byte("\n\n"))
	err := set.Smarthost.Send(ctx, Outgoing{Recipients: []string{m.to}, Body: m.body, UTF8: !ascii(string(header))})[0]
	switch {
	case err == nil, errors.Is(err, errUnclear):
		// Unclear: it may have gone out, and must not go out twice.
		m.end(set, "sent", err)
		return nil
	}
	// The claim is given back at once, so that a server which ends now keeps
	// nobody from an answer. One that cannot be given back is kept for the
	// next attempt.
	if e := m.release(ctx, set.Store); e != nil {
		m.log.Warn("claim of automatic mail stays", "kind", m.kind, "to", m.to, "why", e)
	} else {
		m.ours = false
	}
	if errors.Is(err, errForwardRefused) {
		m.end(set, "refused", err)
		return nil
	}
	return err
}

// end writes the log line of a mail that is not tried again.
func (m *errand) end(set *Settings, outcome string, why error) {
	set.Metrics.automatic(m.kind, outcome)
	if why == nil {
		m.log.Info("automatic mail sent", "kind", m.kind, "to", m.to)
		return
	}
	m.log.Warn("automatic mail not sent", "kind", m.kind, "to", m.to, "why", why)
}

func (m *errand) claim(ctx context.Context, s *dbmail.Store) (bool, error) {
	if m.kind == kindReply {
		return s.ClaimReply(ctx, m.reply, time.Now())
	}
	return s.ClaimNotice(ctx, m.mark)
}

func (m *errand) release(ctx context.Context, s *dbmail.Store) error {
	// Also when the server stops.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if m.kind == kindReply {
		return s.ReleaseReply(ctx, m.reply)
	}
	return s.ReleaseNotice(ctx, m.mark)
}
