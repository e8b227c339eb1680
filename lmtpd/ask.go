package lmtpd

import (
	"context"

	"github.com/emersion/go-smtp"

	"gatepost/internal/dbmail"
	"gatepost/lmtpd/recipient"
)

// Ask says what an address stands for, and what a client is answered that
// names it in RCPT: nil if it is accepted. why is what the log has of a refusal.
// Whether the client may send to a list is not looked at.
func (s *Settings) Ask(ctx context.Context, to string) (r recipient.Recipient, reply *smtp.SMTPError, why error) {
	r, why = s.resolve(ctx, to)
	return r, s.verdict(why), why
}

// resolve looks an address up, and adds to the reasons not to accept it those
// that the sources of recipients do not know.
func (s *Settings) resolve(ctx context.Context, to string) (recipient.Recipient, error) {
	r, err := s.Recipients.Lookup(ctx, to)
	switch {
	case err != nil || r.List != nil:
	case len(r.Forwards) == 0 && allFull(r.Users):
		err = dbmail.ErrOverQuota
	case len(r.Users) == 0 && s.Smarthost == nil:
		err = errNoSmarthost
	}
	return r, err
}

func allFull(users []dbmail.User) bool {
	for _, u := range users {
		if !u.Full() {
			return false
		}
	}
	return len(users) > 0
}
