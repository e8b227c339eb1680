//go:build !dmz

package main

import "strings"

// delivery makes of [DELIVERY] what has a counterpart.
func (p *lmtpdImport) delivery() {
	get := func(key string) (text string, set func(table, ours string, value any), differs func(format string, args ...any)) {
		v := p.conf.Get("DELIVERY", key)
		return v.Text, func(table, ours string, value any) { p.lmtpd.set(table, ours, value, v) },
			func(format string, args ...any) { p.differs("DELIVERY", key, v, format, args...) }
	}
	yes := func(text string) bool { return strings.EqualFold(text, "yes") }

	if text, _, differs := get("SIEVE"); yes(text) {
		differs("lmtpd runs no Sieve scripts: that mail goes to INBOX, nothing is discarded or redirected; gatepost-lmtpd --check counts the active ones")
	}
	for _, key := range []string{"SIEVE_VACATION", "SIEVE_NOTIFY", "SIEVE_DEBUG"} {
		p.conf.Get("DELIVERY", key) // as SIEVE
	}
	if text, _, differs := get("SUBADDRESS"); !yes(text) {
		differs("lmtpd looks at +detail always: such mail goes to the mailbox of that name if the user has it, else to INBOX")
	}
	if text, _, differs := get("suppress_duplicates"); yes(text) {
		differs("lmtpd stores a message once for a user when sender and bytes are the same within repeat_window (132h); messages that share only their Message-ID are different ones")
	}
	switch text, set, differs := get("quota_failure"); strings.ToLower(text) {
	case "soft":
		set("", "quota_failure", "soft")
	case "", "hard":
	default:
		differs("is neither hard nor soft; lmtpd answers 552, as hard does")
	}

	// DBMail applies filters always; with LDAP it finds no user "anyone", and
	// then none of them.
	if p.directory == nil {
		p.lmtpd.set("delivery", "filters", true, p.conf.Own("DBMAIL", "filters"))
	}
	if text, set, differs := get("AUTO_REPLY"); yes(text) {
		set("delivery", "auto_replies", true)
		differs("replies go through [smarthost] with the null sender and Auto-Submitted, never to lists or to other replies")
	}
	if text, set, differs := get("AUTO_NOTIFY"); yes(text) {
		set("delivery", "auto_notifications", true)
		differs("notifications go through [smarthost] with the null sender")
	}
	notify, _, _ := get("AUTO_NOTIFY")
	if text, set, _ := get("AUTO_NOTIFY_SUBJECT"); text != "" && yes(notify) {
		set("delivery", "notification_subject", text)
	}
	from := p.conf.Get("DELIVERY", "AUTO_NOTIFY_SENDER")
	postmaster := p.conf.Own("DBMAIL", "postmaster")
	if from.Text == "" {
		from = postmaster
	}
	if from.Text != "" && yes(notify) {
		p.lmtpd.set("delivery", "notification_from", from.Text, from)
	}
	if postmaster.Set() {
		p.differs("", "", postmaster, "DBMail forwards messages without a sender in its name; lmtpd keeps the null sender, so that a bounce cannot make another")
	}

	encoding := p.conf.Own("DBMAIL", "default_msg_encoding")
	switch name := strings.ToLower(encoding.Text); {
	case name == "" || name == "utf8" || name == "utf-8":
		p.differs("DBMAIL", "default_msg_encoding", encoding, "8-bit text in headers that is not UTF-8: DBMail shows a question mark for each byte, lmtpd takes the charset that the message declares, else default_charset (windows-1252)")
	default:
		if rest, ok := strings.CutPrefix(name, "iso8859"); ok {
			name = "iso-8859" + rest
		}
		p.lmtpd.set("", "default_charset", name, encoding)
	}
	if v := p.conf.Own("DBMAIL", "allow_invalid_messages"); v.Set() {
		p.differs("", "", v, "lmtpd takes every message, also one without any header, and keeps its bytes")
	}
	if v := p.conf.Own("IMAP", "mailbox_update_seq_strategy"); v.Text == "2" {
		p.differs("", "", v, "lmtpd raises a mailbox's seq once for all that a transaction brings, as 1 does")
	}
}
