//go:build !dmz

package main

import (
	"slices"
	"strings"
)

// rest tells of all other keys that dbmail-lmtpd reads.
func (p *lmtpdImport) rest() {
	for _, r := range []struct {
		section string
		keys    []string
		why     string
	}{
		{"DBMAIL", []string{"max_db_connections"}, "lmtpd has as many connections as it needs: what waits at a moment is written in one transaction"},
		{"DBMAIL", []string{"query_timeout", "query_time_info", "query_time_notice", "query_time_warning", "connection_pool_timeout"}, "has no counterpart: a delivery that the store does not answer in time is deferred"},
		{"LMTP", []string{"LOGIN_TIMEOUT"}, "idle_timeout holds from the first moment"},
		{"LMTP", []string{"BACKLOG", "reuseport", "resolve_ip"}, "has no counterpart; the socket unit has Backlog="},
		{"LMTP", []string{"EFFECTIVE_USER", "EFFECTIVE_GROUP", "PID_DIRECTORY", "library_directory"}, "belongs to gatepost-lmtpd.service"},
		{"LMTP", []string{"logfile", "errorlog", "file_logging_levels", "syslog_logging_levels", "trace_level", "trace_stderr", "trace_syslog"}, "lmtpd logs to standard error, which systemd keeps; [log] has format and level"},
		{"LMTP", []string{"authlog"}, "is about log-ins"},
		{"LMTP", []string{"tls_ciphers"}, "lmtpd takes what Go holds for safe, TLS 1.2 and 1.3"},
		{"DBMAIL", []string{"serverid", "sortdriver"}, "has no counterpart"},
	} {
		for _, key := range r.keys {
			v := p.conf.Get(r.section, key)
			if v.Set() && v.Section != "LDAP" && !slices.ContainsFunc(p.Keys, func(d importedDifference) bool { return d.Line == v.Line }) {
				p.differs("", "", v, "%s", r.why)
			}
		}
	}
	if p.conf.Own("LMTP", "tls_port").Text == "" {
		for _, key := range []string{"tls_cafile", "tls_cert", "tls_key"} {
			if v := p.conf.Get("LMTP", key); v.Text != "" {
				p.differs("", "", v, "dbmail-lmtpd has no TLS without tls_port; [tls] certificate and key would offer STARTTLS")
			}
		}
	}
	// Keys that were not asked for.
	for _, section := range p.conf.Sections() {
		switch section {
		case "DBMAIL", "LMTP", "DELIVERY":
		case "LDAP":
			if p.directory == nil {
				continue // not used
			}
		case "IMAP", "POP", "HTTP", "SIEVE":
			continue // of other daemons, which go on with dbmail.conf
		default:
			p.Keys = append(p.Keys, importedDifference{Key: "[" + section + "]", Why: "is no section that DBMail reads; names of sections are in upper case"})
			continue
		}
		for _, v := range p.conf.Unused(section) {
			if v.Text != "" {
				p.differs("", "", v, "is not read by dbmail-lmtpd (a key is found as it is documented, in upper or in lower case)")
			}
		}
	}
	slices.SortStableFunc(p.Keys, func(a, b importedDifference) int { return a.Line - b.Line })
}

// always tells what lmtpd does otherwise whatever stands in dbmail.conf.
func (p *lmtpdImport) always() {
	add := func(why ...string) {
		for _, w := range why {
			p.Lmtpd = append(p.Lmtpd, importedDifference{Why: strings.Join(strings.Fields(w), " ")})
		}
	}
	add(`Replies are those of RFC 5321 (250, 452, 550, 552 …) in place of 215, 422, 511 and 522. What cannot be told now is
		451, and Postfix tries again.`,
		`A user whom one message reaches twice gets one copy; a message that comes again because our answer was lost is
		stored once (gatepost schema apply --add-own makes the table for it).`,
		`Messages of more than max_message_size (100M), or of more than the database takes (max_allowed_packet), are refused
		with 552; DBMail says 215 to the latter and keeps no body.`,
		`Programs as targets ("|program", "!program") are never run. What leads to nothing else is refused with 550.`,
		`The users __@!internal_delivery_user!@__, anyone and __public__ get no mail.`,
		`Mailbox names after the + are compared whole: no % or _ in an address is a wildcard.`)
	if p.directory == nil {
		add(`An alias that only leads elsewhere works; dbmail-lmtpd 3.5 answers 550 to it.`,
			`users.active = 0 keeps mail out (550 5.2.1) also where the address is the user's name.`)
		return
	}
	add(`An entry that only forwards works; dbmail-lmtpd answers 550 to it. A forward to the address of another account
		here is delivered at once, where DBMail hands it to sendmail.`,
		`Addresses are escaped in filters: RCPT TO:<*> finds nobody, parentheses find what they are part of.`,
		`Where two entries have one address, mail for it is deferred until that is mended; DBMail delivers to both.`,
		`accountStatus, deliveryMode and authorizedService (with service = "…") decide, where an entry has them; so do groups
		and lists. users.active is not looked at, as before.`,
		`An account keeps its mailbox by entryUUID. A uidNumber or login that is used again, or is one of the store's own
		users, is 451 until gatepost store user rename or adopt settles it.`,
		`dbmail_filters do nothing at DBMail with LDAP, unless the directory has an entry "anyone"; [delivery] filters = true
		applies them.`,
		`dbmail_aliases and users that are only in the store are not looked at, as before; recipients = ["directory", "sql"]
		would.`,
		`While no server answers, known accounts are answered from the cache for 12 h, others with 451; nothing bounces.`)
}
