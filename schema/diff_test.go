package schema

import (
	"database/sql"
	"strings"
	"testing"
)

// damage is what a test does to a good store, and what Diff must then say:
// "severity object", each once and in any order; nothing if it is harmless.
type damage struct {
	name  string
	do    []string
	want  []string
	why   string // a part of the first Why
	tweak func(*Options)
}

func mysqlDamages() []damage {
	return []damage{
		{name: "nothing"},
		{name: "missing table", do: []string{"DROP TABLE dbmail_keywords"},
			want: []string{"breaks table dbmail_keywords"}},
		{name: "missing table that mail does not need", do: []string{"DROP TABLE dbmail_pbsp"},
			want: []string{"degrades table dbmail_pbsp"}},
		{name: "view in place of a table", do: []string{"DROP TABLE dbmail_keywords", "CREATE VIEW dbmail_keywords AS SELECT 1 AS a"},
			want: []string{"breaks table dbmail_keywords"}},
		{name: "missing column", do: []string{"ALTER TABLE dbmail_messages DROP COLUMN seq"},
			want: []string{"breaks dbmail_messages.seq", "degrades index dbmail_messages.dbmail_messages_seq_index"}},
		{name: "text instead of a number", do: []string{"ALTER TABLE dbmail_messages MODIFY seq varchar(20) NOT NULL DEFAULT '0'"},
			want: []string{"breaks dbmail_messages.seq"}},
		{name: "narrower number", do: []string{"ALTER TABLE dbmail_users MODIFY curmail_size int NOT NULL DEFAULT 0"},
			want: []string{"degrades dbmail_users.curmail_size"}},
		{name: "narrower text", do: []string{"ALTER TABLE dbmail_envelope MODIFY envelope text NOT NULL"},
			want: []string{"degrades dbmail_envelope.envelope"}, why: "refused or cut"},
		{name: "wider text", do: []string{"ALTER TABLE dbmail_envelope MODIFY envelope longtext NOT NULL",
			"ALTER TABLE dbmail_aliases MODIFY deliver_to varchar(500) NOT NULL DEFAULT ''"}},
		{name: "display width", do: []string{"ALTER TABLE dbmail_messages MODIFY seq bigint(10) NOT NULL DEFAULT 0",
			"ALTER TABLE dbmail_messages MODIFY seen_flag tinyint(4) NOT NULL DEFAULT 0"}},
		{name: "sign", do: []string{"ALTER TABLE dbmail_physmessage MODIFY messagesize bigint NOT NULL DEFAULT 0"},
			want: []string{"advice dbmail_physmessage.messagesize"}},
		{name: "text instead of blob", do: []string{"ALTER TABLE dbmail_mimeparts MODIFY data longtext"},
			want: []string{"breaks dbmail_mimeparts.data"}},
		{name: "blob instead of text", do: []string{"ALTER TABLE dbmail_envelope MODIFY envelope mediumblob NOT NULL"},
			want: []string{"degrades dbmail_envelope.envelope"}},
		{name: "timestamp", do: []string{"ALTER TABLE dbmail_headervalue MODIFY datefield timestamp NULL DEFAULT NULL"},
			want: []string{"degrades dbmail_headervalue.datefield"}},
		{name: "not null before upgrade 35002", do: []string{"ALTER TABLE dbmail_mimeparts MODIFY data longblob NOT NULL"},
			want: []string{"degrades dbmail_mimeparts.data"}},
		{name: "nullable", do: []string{"ALTER TABLE dbmail_envelope MODIFY envelope mediumtext"},
			want: []string{"advice dbmail_envelope.envelope"}},
		{name: "no default", do: []string{"ALTER TABLE dbmail_messages ALTER answered_flag DROP DEFAULT"},
			want: []string{"breaks dbmail_messages.answered_flag"}, why: "INSERT that leaves the column out"},
		{name: "other default", do: []string{"ALTER TABLE dbmail_messages ALTER status SET DEFAULT 2"},
			want: []string{"degrades dbmail_messages.status"}},
		{name: "default where none is needed", do: []string{"ALTER TABLE dbmail_filters ALTER mailbox SET DEFAULT 'INBOX'"}},
		{name: "other date as default", do: []string{"ALTER TABLE dbmail_physmessage ALTER internal_date SET DEFAULT '1970-01-01 00:00:00'"},
			want: []string{"advice dbmail_physmessage.internal_date"}},
		{name: "no auto_increment", do: []string{"ALTER TABLE dbmail_referencesfield MODIFY id bigint unsigned NOT NULL"},
			want: []string{"breaks dbmail_referencesfield.id"}},
		{name: "utf8mb3", do: []string{"ALTER TABLE dbmail_headervalue CONVERT TO CHARACTER SET utf8mb3 COLLATE utf8mb3_general_ci"},
			want: []string{"degrades dbmail_headervalue.headervalue", "degrades dbmail_headervalue.sortfield"}, why: "four bytes"},
		{name: "latin1", do: []string{"ALTER TABLE dbmail_envelope CONVERT TO CHARACTER SET latin1"},
			want: []string{"degrades dbmail_envelope.envelope"}, why: "latin1"},
		{name: "another collation", do: []string{"ALTER TABLE dbmail_aliases CONVERT TO CHARACTER SET utf8mb4 COLLATE utf8mb4_unicode_ci"}},
		{name: "a collation that tells cases apart", do: []string{
			"ALTER TABLE dbmail_aliases MODIFY alias varchar(255) COLLATE utf8mb4_bin NOT NULL DEFAULT ''"},
			want: []string{"degrades dbmail_aliases.alias"}, why: "upper from lower"},
		{name: "engine", do: []string{"ALTER TABLE dbmail_replycache ENGINE=MyISAM"},
			want: []string{"breaks table dbmail_replycache"}},
		{name: "COMPRESSED", do: []string{"ALTER TABLE dbmail_mimeparts ROW_FORMAT=COMPRESSED"},
			want: []string{"advice table dbmail_mimeparts"}, why: "139 instead of 559"},
		{name: "COMPRESSED, as asked for", do: []string{"ALTER TABLE dbmail_mimeparts ROW_FORMAT=COMPRESSED"},
			tweak: func(o *Options) { o.Compressed = true }},
		{name: "DYNAMIC, unlike asked for", tweak: func(o *Options) { o.Compressed = true },
			want: []string{"advice table dbmail_mimeparts"}},
		{name: "extra table, column, index", do: []string{
			"CREATE TABLE dbmail_mine (a int)", "ALTER TABLE dbmail_users ADD COLUMN note text",
			"ALTER TABLE dbmail_users ADD COLUMN level int NOT NULL DEFAULT 1", "CREATE INDEX extra ON dbmail_messages (recent_flag)"}},
		{name: "extra column that must be given", do: []string{"ALTER TABLE dbmail_users ADD COLUMN level int NOT NULL"},
			want: []string{"breaks dbmail_users.level"}},
		{name: "extra unique index", do: []string{"CREATE UNIQUE INDEX one_target ON dbmail_aliases (alias)"},
			want: []string{"degrades index dbmail_aliases.one_target"}},
		{name: "extra unique index that a recorded one implies", do: []string{
			"CREATE UNIQUE INDEX more ON dbmail_users (userid, client_idnr)"}},
		{name: "missing index", do: []string{"DROP INDEX mailbox_status ON dbmail_messages"},
			want: []string{"degrades index dbmail_messages.mailbox_status"}, why: "whole table"},
		{name: "missing index that another covers", do: []string{"DROP INDEX mailbox_idnr_index ON dbmail_messages"},
			want: []string{"advice index dbmail_messages.mailbox_idnr_index"}, why: "index mailbox_status serves"},
		{name: "index under another name", do: []string{
			"CREATE INDEX other ON dbmail_messages (mailbox_idnr, status)", "DROP INDEX mailbox_status ON dbmail_messages"}},
		{name: "index no longer unique", do: []string{
			"CREATE INDEX plain ON dbmail_users (userid)", "DROP INDEX userid_index ON dbmail_users"},
			want: []string{"degrades index dbmail_users.userid_index"}, why: "write a row twice"},
		{name: "missing primary key", do: []string{
			"CREATE INDEX plain ON dbmail_aliases (alias_idnr)", "ALTER TABLE dbmail_aliases DROP PRIMARY KEY"},
			want: []string{"breaks index dbmail_aliases.PRIMARY"}},
		{name: "missing foreign key", do: []string{"ALTER TABLE dbmail_header DROP FOREIGN KEY dbmail_header_ibfk_1"},
			want: []string{"degrades foreign key dbmail_header.physmessage_id"}},
		{name: "foreign key under another name", do: []string{"ALTER TABLE dbmail_keywords DROP FOREIGN KEY dbmail_keywords_ibfk_1",
			"ALTER TABLE dbmail_keywords ADD CONSTRAINT k FOREIGN KEY (message_idnr) REFERENCES dbmail_messages (message_idnr) ON DELETE CASCADE ON UPDATE CASCADE"}},
		{name: "foreign key with other rules", do: []string{"ALTER TABLE dbmail_keywords DROP FOREIGN KEY dbmail_keywords_ibfk_1",
			"ALTER TABLE dbmail_keywords ADD CONSTRAINT k FOREIGN KEY (message_idnr) REFERENCES dbmail_messages (message_idnr)"},
			want: []string{"breaks foreign key dbmail_keywords.message_idnr"}},
		{name: "missing view", do: []string{"DROP VIEW dbmail_tofield"}, want: []string{"breaks view dbmail_tofield"}},
		{name: "table in place of a view", do: []string{"DROP VIEW dbmail_tofield", "CREATE TABLE dbmail_tofield (physmessage_id int, tofield int)"},
			want: []string{"breaks view dbmail_tofield"}, why: "DBMail 2"},
		{name: "view without a column", do: []string{"CREATE OR REPLACE VIEW dbmail_datefield AS SELECT 1 AS physmessage_id, 2 AS datefield"},
			want: []string{"breaks view dbmail_datefield"}},
		{name: "missing rows", do: []string{"DELETE FROM dbmail_upgrade_steps WHERE to_version > 35000",
			"DELETE FROM dbmail_users WHERE userid = 'anyone'", "DELETE FROM dbmail_headername WHERE headername = 'cc'"},
			want: []string{"degrades row dbmail_upgrade_steps 35001", "degrades row dbmail_upgrade_steps 35002",
				"degrades row dbmail_users anyone", "degrades row dbmail_headername cc"}},
		{name: "missing delivery user", do: []string{"DELETE FROM dbmail_users WHERE user_idnr = 1"},
			want: []string{"breaks row dbmail_users __@!internal_delivery_user!@__"}},
		{name: "rows under other ids and in other case", do: []string{"UPDATE dbmail_users SET user_idnr = 4000 WHERE user_idnr = 1",
			"UPDATE dbmail_headername SET headername = 'Subject', id = 70 WHERE id = 7"}},
		{name: "own tables", tweak: func(o *Options) { o.Own = true }, want: []string{"degrades table gatepost_forwards", "degrades table gatepost_users"}, why: "twice"},
	}
}

func sqliteDamages() []damage {
	return []damage{
		{name: "nothing"},
		{name: "missing table", do: []string{"DROP TABLE dbmail_keywords"},
			want: []string{"breaks table dbmail_keywords"}},
		{name: "missing table of DBMail 2", do: []string{"DROP TABLE dbmail_messageblks"},
			want: []string{"degrades table dbmail_messageblks"}},
		{name: "missing column", do: []string{"ALTER TABLE dbmail_users DROP COLUMN spasswd"},
			want: []string{"breaks dbmail_users.spasswd"}},
		{name: "ids that are not given", do: []string{"DROP TABLE dbmail_pbsp",
			"CREATE TABLE dbmail_pbsp (idnr BIGINT PRIMARY KEY, since DATETIME NOT NULL DEFAULT '0', ipnumber TEXT NOT NULL UNIQUE)",
			"CREATE INDEX x ON dbmail_pbsp (since)"},
			want: []string{"breaks dbmail_pbsp.idnr"}, why: "only INTEGER PRIMARY KEY"},
		{name: "same affinity, quotes, NOT NULL id, autoincrement", do: []string{"DROP TABLE dbmail_pbsp",
			"CREATE TABLE Dbmail_PBSP (idnr INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT, since TIMESTAMP NOT NULL DEFAULT 0, ipnumber VARCHAR(40) NOT NULL UNIQUE)",
			"CREATE INDEX x ON dbmail_pbsp (since)"}},
		{name: "other affinity and default", do: []string{"DROP TABLE dbmail_pbsp",
			"CREATE TABLE dbmail_pbsp (idnr INTEGER PRIMARY KEY, since TEXT NOT NULL DEFAULT '0', ipnumber BLOB NOT NULL UNIQUE)",
			"CREATE INDEX x ON dbmail_pbsp (since)"},
			want: []string{"degrades dbmail_pbsp.since", "advice dbmail_pbsp.ipnumber"}},
		{name: "no default", do: []string{"DROP TABLE dbmail_pbsp",
			"CREATE TABLE dbmail_pbsp (idnr INTEGER PRIMARY KEY, since DATETIME NOT NULL, ipnumber TEXT NOT NULL UNIQUE)",
			"CREATE INDEX x ON dbmail_pbsp (since)"},
			want: []string{"breaks dbmail_pbsp.since"}},
		{name: "missing index", do: []string{"DROP INDEX dbmail_mimeparts_1"},
			want: []string{"degrades index dbmail_mimeparts.dbmail_mimeparts_1"}},
		{name: "missing index that another covers", do: []string{"DROP INDEX dbmail_messages_6"},
			want: []string{"advice index dbmail_messages.dbmail_messages_6"}},
		{name: "missing unique index", do: []string{"DROP INDEX dbmail_mailboxes_3"},
			want: []string{"degrades index dbmail_mailboxes.dbmail_mailboxes_3"}, why: "write a row twice"},
		{name: "index of a part of the rows", do: []string{"DROP INDEX dbmail_mimeparts_1",
			"CREATE INDEX dbmail_mimeparts_1 ON dbmail_mimeparts (hash) WHERE size > 0"},
			want: []string{"degrades index dbmail_mimeparts.dbmail_mimeparts_1"}},
		{name: "extra unique index", do: []string{"CREATE UNIQUE INDEX u ON dbmail_mimeparts (hash)"},
			want: []string{"degrades index dbmail_mimeparts.u"}},
		{name: "missing triggers", do: []string{"DROP TRIGGER fk_insert_header_physmessage_id", "DROP TRIGGER fk_delete_header_physmessage_id"},
			want: []string{"degrades trigger fk_insert_header_physmessage_id", "degrades trigger fk_delete_header_physmessage_id"}},
		{name: "missing view", do: []string{"DROP VIEW dbmail_ccfield"}, want: []string{"breaks view dbmail_ccfield"}},
		{name: "missing rows", do: []string{"DELETE FROM dbmail_upgrade_steps WHERE to_version = 35002",
			"DELETE FROM dbmail_users WHERE userid LIKE '%delivery%'"},
			want: []string{"degrades row dbmail_upgrade_steps 35002", "breaks row dbmail_users __@!internal_delivery_user!@__"}},
		{name: "extra objects", do: []string{"CREATE TABLE mine (a)", "CREATE VIEW broken AS SELECT * FROM nowhere",
			"ALTER TABLE dbmail_users ADD COLUMN note", "CREATE INDEX extra ON dbmail_messages (recent_flag)"}},
		{name: "own tables", tweak: func(o *Options) { o.Own = true }, want: []string{"degrades table gatepost_forwards", "degrades table gatepost_users"}},
	}
}

func TestDiff(t *testing.T) {
	open := map[Dialect]func(*testing.T) *sql.DB{
		MySQL:  func(t *testing.T) *sql.DB { return openMySQL(t) },
		SQLite: openSQLite,
	}
	for d, damages := range map[Dialect][]damage{MySQL: mysqlDamages(), SQLite: sqliteDamages()} {
		for _, damage := range damages {
			t.Run(string(d)+"/"+damage.name, func(t *testing.T) {
				db := open[d](t)
				applied(t, db, d, Options{})
				if d == MySQL {
					db.SetMaxOpenConns(1)
					exec(t, db, "SET foreign_key_checks = 0")
				}
				exec(t, db, damage.do...)
				var o Options
				if damage.tweak != nil {
					damage.tweak(&o)
				}
				checkDiff(t, db, d, o, damage)
			})
		}
	}
}

func checkDiff(t *testing.T, db *sql.DB, d Dialect, o Options, damage damage) {
	t.Helper()
	differences, err := Diff(t.Context(), db, d, o)
	if err != nil {
		t.Fatal(err)
	}
	var have []string
	for i, diff := range differences {
		have = append(have, diff.Severity.String()+" "+diff.Object)
		if diff.Want == "" || diff.Have == "" || diff.Why == "" || strings.HasSuffix(diff.Why, ".") {
			t.Errorf("incomplete: %+v", diff)
		}
		if i > 0 && diff.Severity > differences[i-1].Severity {
			t.Errorf("%v stands after %v", diff, differences[i-1])
		}
	}
	sameLines(t, "difference", damage.want, have)
	if damage.why != "" && (len(differences) == 0 || !strings.Contains(differences[0].Why, damage.why)) {
		t.Errorf("no %q in %v", damage.why, differences)
	}
}
