package directory

import (
	"context"
	"errors"

	"github.com/go-ldap/ldap/v3"
)

// cannotTell tells whether err leaves open what the answer is, so that an
// older one is better than none: no server answers in time, it refuses to work
// (busy, unwilling, its credentials changed), or it has lost what it held. A
// result code that speaks of this very search's answer is none of these.
func cannotTell(err error) bool {
	var result *ResultError
	if errors.As(err, &result) {
		switch result.Code {
		case ldap.LDAPResultSizeLimitExceeded, ldap.LDAPResultAdminLimitExceeded, // it is longer than it may be
			ldap.LDAPResultReferral,        // it is elsewhere
			ldap.LDAPResultInvalidDNSyntax: // it never was
			return false
		}
	}
	return errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) ||
		errors.Is(err, ErrDoubt) || errors.Is(err, ErrNoBase) ||
		errors.Is(err, context.DeadlineExceeded)
}
