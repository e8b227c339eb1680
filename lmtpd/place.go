package lmtpd

import "gatepost/internal/dbmail"

// place says where a user's copy goes: the one place that chooses mailboxes.
// The detail of the address names one; else it is INBOX.
func (d *delivery) place(u dbmail.User, detail string) dbmail.Target {
	return dbmail.Target{UserID: u.ID, Mailbox: detail, Identity: u.Identity}
}
