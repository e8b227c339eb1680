package lmtpd

import (
	"errors"

	"github.com/emersion/go-smtp"

	"gatepost/internal/dbmail"
	"gatepost/internal/message"
	"gatepost/lmtpd/recipient"
)

// Replies that lmtpd gives; what the client reads says nothing of the inside.
// go-smtp compares by type and does not see through wrapping, so these are
// returned as they are.
var (
	replyDelivered   = reply(250, 2, 0, 0, "delivered")
	replyUnknown     = reply(550, 5, 1, 1, "no such user here")
	replyInactive    = reply(550, 5, 2, 1, "mailbox is disabled")
	replyFull        = reply(552, 5, 2, 2, "mailbox is full")
	replyFullLater   = reply(452, 4, 2, 2, "mailbox is full")
	replyNoService   = reply(550, 5, 7, 1, "recipient has no mailbox service")
	replyReadOnly    = reply(550, 5, 7, 1, "mailbox takes no mail")
	replyNoRoute     = reply(550, 5, 3, 3, "the address leads to nothing that can receive mail")
	replyTooLarge    = reply(552, 5, 3, 4, "message is too large")
	replyNUL         = reply(550, 5, 6, 0, "message contains a NUL octet (RFC 5321 4.1.1.4)")
	replyLoop        = reply(554, 5, 4, 6, "forwarding loop: the message was here already")
	replyHops        = reply(554, 5, 4, 6, "too many hops: the message loops")
	replyForward     = reply(550, 5, 1, 1, "an address that this one forwards to was refused")
	replyLater       = reply(451, 4, 3, 0, "temporary failure, try again later")
	replyNoRoom      = reply(452, 4, 3, 1, "too many messages at once, try again later")
	replyNested      = reply(503, 5, 5, 1, "sender was given already; RSET first")
	replyTLS         = reply(530, 5, 7, 0, "issue STARTTLS first")
	replyCertificate = reply(454, 4, 7, 0, "STARTTLS with a certificate that is accepted here is needed")
	replyStranger    = reply(450, 4, 7, 1, "mail is not accepted from this client")
	replyNoLists     = reply(450, 4, 7, 1, "mail for lists is not accepted from this client")
	replyIncomplete  = reply(451, 4, 4, 2, "message was not received completely")
	replyNoSmarthost = reply(451, 4, 3, 5, "forwarding is not configured")
)

func reply(code, class, subject, detail int, text string) *smtp.SMTPError {
	return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{class, subject, detail}, Message: text}
}

// Errors of this package that are definite.
var (
	errLoop           = errors.New("Delivered-To of this address is in the message")
	errHops           = errors.New("too many Received fields")
	errForwardRefused = errors.New("the smarthost refused an address")
	errNoSmarthost    = errors.New("no smarthost is configured")
)

// What is wrong with a client is the configuration's on either side: its mail
// waits until that is mended.
var (
	errStranger         = errors.New("no peer is expected from there")
	errNeedsTLS         = errors.New("the peer has not used STARTTLS")
	errNoCertificate    = errors.New("the peer has shown no certificate")
	errOtherCertificate = errors.New("the peer's certificate has none of the names that are expected from there")
	errNoLists          = errors.New("the peer may not send to lists; see lists in [[peer]]")
)

// verdict turns an error into the reply for one recipient: the only place
// that does. Definite answers are named one by one; whatever else there may
// be is doubt, and the client keeps the message.
func (s *Settings) verdict(err error) *smtp.SMTPError {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, dbmail.ErrUnknown):
		return replyUnknown
	case errors.Is(err, dbmail.ErrInactive):
		return replyInactive
	case errors.Is(err, dbmail.ErrOverQuota):
		if s.QuotaTemporary {
			return replyFullLater
		}
		return replyFull
	case errors.Is(err, recipient.ErrNoService):
		return replyNoService
	case errors.Is(err, dbmail.ErrNoPermission):
		return replyReadOnly
	case errors.Is(err, dbmail.ErrUndeliverable):
		return replyNoRoute
	case errors.Is(err, dbmail.ErrTooLarge), errors.Is(err, message.ErrTooLarge), errors.Is(err, smtp.ErrDataTooLarge):
		return replyTooLarge
	case errors.Is(err, message.ErrNUL):
		return replyNUL
	case errors.Is(err, errLoop):
		return replyLoop
	case errors.Is(err, errHops):
		return replyHops
	case errors.Is(err, errForwardRefused):
		return replyForward
	case errors.Is(err, errNoSmarthost):
		return replyNoSmarthost
	case errors.Is(err, errNoRoom):
		return replyNoRoom
	case errors.Is(err, errStranger):
		return replyStranger
	case errors.Is(err, errNeedsTLS), errors.Is(err, errNoCertificate), errors.Is(err, errOtherCertificate):
		return replyCertificate
	case errors.Is(err, errNoLists):
		return replyNoLists
	}
	return replyLater
}

// rank orders the replies for a recipient that stands for several, the
// highest counts: doubt (the client tries again, and what was stored is
// recognised), then refusal, then success.
func rank(r *smtp.SMTPError) int {
	switch {
	case r == nil:
		return 0
	case r.Code >= 500:
		return 1
	}
	return 2
}
