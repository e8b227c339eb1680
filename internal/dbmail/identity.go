package dbmail

import "errors"

// Identity is who the directory says that a user is. It is held against the
// user's row before anything is stored: see Store.Identify.
type Identity struct {
	ID        uint64   // uidNumber, which is dbmail_users.user_idnr
	Login     string   // dbmail_users.userid
	UUID      string   // entryUUID, kept in gatepost_users; "" if the server shows none
	Quota     int64    // bytes, in place of maxmail_size; 0 is without limit
	Addresses []string // the account's own, the primary one first
}

// ErrPairing says that a row belongs to somebody else than the identity, or
// that nobody can tell. It is no definite answer: mail is deferred until an
// operator has settled it.
var ErrPairing = errors.New("user number, login and entry do not belong together")
