package ldapmap

import (
	"context"
	"errors"

	"gatepost/internal/directory"
)

// The statuses of a socketmap reply (socketmap_table(5)).
const (
	statusOK       = "OK"
	statusNotFound = "NOTFOUND"
	statusTemp     = "TEMP"
	statusPerm     = "PERM"
)

// What can be wrong beside the directory.
var (
	errNoSpace   = errors.New("a request has no space after the table's name")
	errNoTable   = errors.New("there is no table of that name")
	errNUL       = errors.New("a key has a NUL byte, which Postfix cannot send")
	errReplySize = errors.New("the answer is longer than Postfix takes")
)

// reply is what goes back for one request.
type reply struct {
	status string
	data   string // what the peer reads; for errors it says nothing of the inside
	why    error  // for the log; nil for OK and NOTFOUND
}

// answer turns what a look-up gave into a reply. It is the only place that
// does. NOTFOUND needs a nil error: every error is TEMP, or PERM where only an
// administrator can mend it. Postfix makes a 4xx reply of both; neither
// bounces mail.
func answer(data string, found bool, err error) reply {
	switch {
	case err != nil:
		return failure(err)
	case !found || data == "":
		// "OK" with nothing is a configuration error to Postfix, and
		// ldap_table(5) has no empty results.
		return reply{status: statusNotFound}
	case len(statusOK)+1+len(data) > maxReply:
		return failure(errReplySize)
	}
	return reply{status: statusOK, data: data}
}

// failure gives the reply for an error, in words that are fixed.
func failure(err error) reply {
	temp := func(text string) reply { return reply{statusTemp, text, err} }
	switch {
	case errors.Is(err, errNoTable):
		return reply{statusPerm, "no such table", err}
	case errors.Is(err, errNoSpace):
		return reply{statusPerm, "no table in the request", err}
	case errors.Is(err, ErrNotText):
		return reply{statusPerm, "the answer is not UTF-8", err}
	case errors.Is(err, errNUL):
		return temp("impossible key")
	case errors.Is(err, errReplySize):
		return temp("the answer is too long")
	case errors.Is(err, context.DeadlineExceeded):
		return temp("the look-up took too long")
	case errors.Is(err, directory.ErrUnavailable):
		return temp("no directory server answers")
	case errors.Is(err, directory.ErrNoBase):
		return temp("the search base is missing")
	case errors.Is(err, directory.ErrRefused):
		return temp("the directory refused the search")
	case errors.Is(err, directory.ErrDoubt):
		return temp("the directory is in doubt")
	}
	return temp("the directory cannot tell")
}
