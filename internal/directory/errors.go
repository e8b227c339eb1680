package directory

import (
	"fmt"

	"github.com/go-ldap/ldap/v3"
)

// ResultError is a server's result other than success (RFC 4511 4.1.9 and
// appendix A). It is an ErrRefused.
type ResultError struct {
	Code   int    // as 4, sizeLimitExceeded
	Text   string // the server's diagnostic message
	Server string // URI
}

func (e *ResultError) Error() string {
	name := "unknown"
	if e.Code >= 0 && e.Code <= 1<<16-1 {
		if known, ok := ldap.LDAPResultCodeMap[uint16(e.Code)]; ok {
			name = known
		}
	}
	text := fmt.Sprintf("%s answers %d (%s)", e.Server, e.Code, name)
	if e.Text != "" {
		text += fmt.Sprintf(": %q", e.Text)
	}
	return text
}

// Unwrap returns ErrRefused.
func (e *ResultError) Unwrap() error { return ErrRefused }

func refusal(r result, server string) error {
	return &ResultError{Code: r.code, Text: r.text, Server: server}
}
