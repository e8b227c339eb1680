package schema

import (
	"database/sql"
	"slices"
	"strings"
	"testing"
)

// sample is one row in every table that refers to another.
func sample() []string {
	return []string{
		"INSERT INTO dbmail_users (user_idnr, userid, passwd) VALUES (10, 'alice', '')",
		"INSERT INTO dbmail_mailboxes (mailbox_idnr, owner_idnr, name) VALUES (20, 10, 'INBOX')",
		"INSERT INTO dbmail_subscription (user_id, mailbox_id) VALUES (10, 20)",
		"INSERT INTO dbmail_acl (user_id, mailbox_id) VALUES (2, 20)",
		"INSERT INTO dbmail_filters (user_id, headername, headervalue, mailbox) VALUES (10, 'subject', 'x', 'INBOX')",
		"INSERT INTO dbmail_sievescripts (owner_idnr, name) VALUES (10, 'main')",
		"INSERT INTO dbmail_auto_notifications (user_idnr, notify_address) VALUES (10, 'a@example.org')",
		"INSERT INTO dbmail_auto_replies (user_idnr, start_date, stop_date) VALUES (10, '2026-01-01', '2026-02-01')",
		"INSERT INTO dbmail_physmessage (id, internal_date) VALUES (30, '2026-11-23 00:00:00')",
		"INSERT INTO dbmail_messages (message_idnr, mailbox_idnr, physmessage_id, unique_id) VALUES (40, 20, 30, 'u')",
		"INSERT INTO dbmail_keywords (message_idnr, keyword) VALUES (40, '$Junk')",
		"INSERT INTO dbmail_mimeparts (id, hash, data, size) VALUES (50, 'h', 'text', 4)",
		"INSERT INTO dbmail_partlists (physmessage_id, part_id) VALUES (30, 50)",
		"INSERT INTO dbmail_headervalue (id, hash, headervalue, sortfield) VALUES (60, 'h', 'Re: hello', 'hello')",
		"INSERT INTO dbmail_header (physmessage_id, headername_id, headervalue_id) VALUES (30, 7, 60)",
		"INSERT INTO dbmail_envelope (physmessage_id, envelope) VALUES (30, '(NIL)')",
		"INSERT INTO dbmail_referencesfield (physmessage_id, referencesfield) VALUES (30, 'id@host')",
	}
}

// referring are the queries that find the sample's rows by what they refer to.
func referring(user, mailbox, phys, message, part, name, value string) []string {
	q := strings.NewReplacer("USER", user, "BOX", mailbox, "PHYS", phys, "MESSAGE", message,
		"PART", part, "NAME", name, "VALUE", value)
	var all []string
	for _, s := range []string{
		"mailboxes WHERE owner_idnr = USER", "subscription WHERE user_id = USER AND mailbox_id = BOX",
		"acl WHERE mailbox_id = BOX", "filters WHERE user_id = USER", "sievescripts WHERE owner_idnr = USER",
		"auto_notifications WHERE user_idnr = USER", "auto_replies WHERE user_idnr = USER",
		"messages WHERE mailbox_idnr = BOX AND physmessage_id = PHYS", "keywords WHERE message_idnr = MESSAGE",
		"partlists WHERE physmessage_id = PHYS AND part_id = PART",
		"header WHERE physmessage_id = PHYS AND headername_id = NAME AND headervalue_id = VALUE",
		"envelope WHERE physmessage_id = PHYS", "referencesfield WHERE physmessage_id = PHYS",
	} {
		all = append(all, "SELECT count(*) FROM dbmail_"+q.Replace(s))
	}
	return all
}

// References are kept by foreign keys on MySQL and by triggers on SQLite, to
// the same end.
func TestReferences(t *testing.T) {
	for d, open := range map[Dialect]func(*testing.T) *sql.DB{
		MySQL:  func(t *testing.T) *sql.DB { return openMySQL(t) },
		SQLite: openSQLite,
	} {
		store := func(t *testing.T) *sql.DB {
			db := open(t)
			applied(t, db, d, Options{})
			exec(t, db, sample()...)
			return db
		}
		t.Run(string(d)+"/refused", func(t *testing.T) { checkRefused(t, store(t)) })
		t.Run(string(d)+"/changed", func(t *testing.T) { checkChanged(t, store(t)) })
		t.Run(string(d)+"/deleted", func(t *testing.T) { checkDeleted(t, store) })
		t.Run(string(d)+"/views", func(t *testing.T) {
			db := store(t)
			got := lines(t, db, "SELECT physmessage_id, subjectfield, sortfield FROM dbmail_subjectfield")
			if !slices.Equal(got, []string{"30 Re: hello hello"}) {
				t.Errorf("dbmail_subjectfield: %q", got)
			}
			if got := lines(t, db, "SELECT * FROM dbmail_fromfield"); len(got) > 0 {
				t.Errorf("dbmail_fromfield: %q", got)
			}
		})
	}
}

// checkRefused writes each reference so that it leads nowhere.
func checkRefused(t *testing.T, db *sql.DB) {
	for _, s := range []string{
		"INSERT INTO dbmail_mailboxes (owner_idnr, name) VALUES (999, 'INBOX')",
		"INSERT INTO dbmail_subscription (user_id, mailbox_id) VALUES (999, 20)",
		"INSERT INTO dbmail_subscription (user_id, mailbox_id) VALUES (2, 999)",
		"INSERT INTO dbmail_acl (user_id, mailbox_id) VALUES (999, 20)",
		"INSERT INTO dbmail_acl (user_id, mailbox_id) VALUES (3, 999)",
		"INSERT INTO dbmail_filters (user_id, headername, headervalue, mailbox) VALUES (999, 'subject', 'x', 'INBOX')",
		"INSERT INTO dbmail_sievescripts (owner_idnr, name) VALUES (999, 'main')",
		"INSERT INTO dbmail_auto_notifications (user_idnr, notify_address) VALUES (999, 'a@example.org')",
		"INSERT INTO dbmail_auto_replies (user_idnr, start_date, stop_date) VALUES (999, '2026-01-01', '2026-02-01')",
		"INSERT INTO dbmail_messages (mailbox_idnr, physmessage_id, unique_id) VALUES (999, 30, 'u')",
		"INSERT INTO dbmail_messages (mailbox_idnr, physmessage_id, unique_id) VALUES (20, 999, 'u')",
		"INSERT INTO dbmail_keywords (message_idnr, keyword) VALUES (999, '$Junk')",
		"INSERT INTO dbmail_partlists (physmessage_id, part_key, part_id) VALUES (999, 1, 50)",
		"INSERT INTO dbmail_partlists (physmessage_id, part_key, part_id) VALUES (30, 1, 999)",
		"INSERT INTO dbmail_header (physmessage_id, headername_id, headervalue_id) VALUES (999, 7, 60)",
		"INSERT INTO dbmail_header (physmessage_id, headername_id, headervalue_id) VALUES (30, 999, 60)",
		"INSERT INTO dbmail_header (physmessage_id, headername_id, headervalue_id) VALUES (30, 7, 999)",
		"INSERT INTO dbmail_envelope (physmessage_id, envelope) VALUES (999, '(NIL)')",
		"INSERT INTO dbmail_referencesfield (physmessage_id, referencesfield) VALUES (999, 'id@host')",
		"UPDATE dbmail_mailboxes SET owner_idnr = 999",
		"UPDATE dbmail_subscription SET user_id = 999",
		"UPDATE dbmail_subscription SET mailbox_id = 999",
		"UPDATE dbmail_acl SET user_id = 999",
		"UPDATE dbmail_acl SET mailbox_id = 999",
		"UPDATE dbmail_filters SET user_id = 999",
		"UPDATE dbmail_sievescripts SET owner_idnr = 999",
		"UPDATE dbmail_auto_notifications SET user_idnr = 999",
		"UPDATE dbmail_auto_replies SET user_idnr = 999",
		"UPDATE dbmail_messages SET mailbox_idnr = 999",
		"UPDATE dbmail_messages SET physmessage_id = 999",
		"UPDATE dbmail_keywords SET message_idnr = 999",
		"UPDATE dbmail_partlists SET physmessage_id = 999",
		"UPDATE dbmail_partlists SET part_id = 999",
		"UPDATE dbmail_header SET physmessage_id = 999",
		"UPDATE dbmail_header SET headername_id = 999",
		"UPDATE dbmail_header SET headervalue_id = 999",
		"UPDATE dbmail_envelope SET physmessage_id = 999",
		"UPDATE dbmail_referencesfield SET physmessage_id = 999",
	} {
		_, err := db.ExecContext(t.Context(), s)
		if err == nil || !strings.Contains(err.Error(), "foreign key") && !strings.Contains(err.Error(), "no such row") {
			t.Errorf("%s: %v, want it refused for its reference", s, err)
		}
	}
}

// checkChanged gives every parent another id.
func checkChanged(t *testing.T, db *sql.DB) {
	exec(t, db,
		"UPDATE dbmail_users SET user_idnr = 11 WHERE user_idnr = 10",
		"UPDATE dbmail_mailboxes SET mailbox_idnr = 21 WHERE mailbox_idnr = 20",
		"UPDATE dbmail_physmessage SET id = 31 WHERE id = 30",
		"UPDATE dbmail_messages SET message_idnr = 41 WHERE message_idnr = 40",
		"UPDATE dbmail_mimeparts SET id = 51 WHERE id = 50",
		"UPDATE dbmail_headername SET id = 77 WHERE id = 7",
		"UPDATE dbmail_headervalue SET id = 61 WHERE id = 60",
	)
	for _, q := range referring("11", "21", "31", "41", "51", "77", "61") {
		if got := lines(t, db, q); got[0] != "1" {
			t.Errorf("%s: %s", q, got[0])
		}
	}
}

// checkDeleted deletes each parent and counts, per query of referring, which
// rows went with it.
func checkDeleted(t *testing.T, store func(*testing.T) *sql.DB) {
	tables := []string{"mailboxes", "subscription", "acl", "filters", "sievescripts", "auto_notifications", "auto_replies",
		"messages", "keywords", "partlists", "header", "envelope", "referencesfield"}
	for statement, gone := range map[string]string{
		"DELETE FROM dbmail_users WHERE user_idnr = 10": "mailboxes subscription acl filters sievescripts " +
			"auto_notifications auto_replies messages keywords",
		"DELETE FROM dbmail_mailboxes WHERE mailbox_idnr = 20": "mailboxes subscription acl messages keywords",
		"DELETE FROM dbmail_physmessage WHERE id = 30":         "messages keywords partlists header envelope referencesfield",
		"DELETE FROM dbmail_messages WHERE message_idnr = 40":  "messages keywords",
		"DELETE FROM dbmail_mimeparts WHERE id = 50":           "partlists",
		"DELETE FROM dbmail_headername WHERE id = 7":           "header",
		"DELETE FROM dbmail_headervalue WHERE id = 60":         "header",
	} {
		db := store(t)
		exec(t, db, statement)
		for i, q := range referring("10", "20", "30", "40", "50", "7", "60") {
			want := "1"
			if slices.Contains(strings.Fields(gone), tables[i]) {
				want = "0"
			}
			if got := lines(t, db, q); got[0] != want {
				t.Errorf("after %s: %s: %s, want %s", statement, q, got[0], want)
			}
		}
	}
}
