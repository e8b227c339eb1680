//go:build !dmz

package main

import (
	"fmt"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// users makes those of the tests.
func users(t *testing.T, dsn string) {
	t.Helper()
	good(t, "store", "user", "add", "alice", "--alias", "alice@example.com", "--alias", "a@example.com", "--store", dsn)
	good(t, "store", "user", "add", "bob", "--alias", "bob@example.com", "--quota", "10M", "--store", dsn)
	good(t, "store", "alias", "add", "team@example.com", "alice", "--store", dsn)
	good(t, "store", "alias", "add", "team@example.com", "bob", "--store", dsn)
	good(t, "store", "alias", "add", "out@example.com", "someone@example.org", "--store", dsn)
}

func TestUsersAndAliases(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		good(t, "schema", "apply", "--store", dsn)
		users(t, dsn)
		store := func(args ...string) result {
			return gatepost(t, append(append([]string{"store"}, args...), "--store", dsn)...)
		}

		store("user", "list").expect(t, 0, ""+
			"ID  USER   STATUS  QUOTA     USED  DIRECTORY\n"+
			"4   alice  active  no limit  0\n"+
			"5   bob    active  10.0M     0\n", "")
		store("user", "set", "bob", "--quota", "0", "--active", "false").expect(t, 0, ""+
			"user    bob\n"+
			"id      5\n"+
			"status  inactive\n"+
			"quota   no limit\n"+
			"used    0\n", "")
		store("user", "set", "bob", "--active=true").expect(t, 0, "status  active\n", "")
		store("user", "show", "alice").expect(t, 0, ""+
			"used    0\n"+
			"alias   a@example.com\n"+
			"alias   alice@example.com\n"+
			"alias   team@example.com\n", "")
		store("alias", "list", "bob").expect(t, 0, ""+
			"bob@example.com   →  bob\n"+
			"team@example.com  →  bob\n", "")
		store("alias", "list").expect(t, 0, "out@example.com    →  someone@example.org\n", "")

		var listed []userView
		decode(t, store("user", "list", "--json").out, &listed)
		if len(listed) != 2 || listed[0].Name != "alice" || listed[0].ID != 4 || !listed[0].Active {
			t.Errorf("user list --json: %+v", listed)
		}
		var aliases []aliasView
		decode(t, store("alias", "list", "alice", "--json").out, &aliases)
		if len(aliases) != 3 || aliases[0] != (aliasView{"a@example.com", "alice"}) {
			t.Errorf("alias list --json: %+v", aliases)
		}

		store("user", "add", "alice").expect(t, 1, "", `gatepost: user "alice" is there already`)
		store("user", "add", "anyone").expect(t, 1, "", "belongs to DBMail itself")
		store("user", "show", "nobody").expect(t, 1, "", `gatepost: user "nobody": not found`)
		store("user", "set", "nobody", "--quota", "1").expect(t, 1, "", `user "nobody": not found`)
		store("alias", "add", "x@example.com", "nobody").expect(t, 1, "", `"nobody" is neither a user nor an address`)
		store("alias", "list", "nobody").expect(t, 1, "", "not found")
		store("ls", "nobody").expect(t, 1, "", "not found")
		store("cat", "99").expect(t, 1, "", "message 99: not found")
	})
}

func TestMessages(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		good(t, "schema", "apply", "--add-own", "--store", dsn)
		users(t, dsn)
		server := serveStore(t, dsn)
		message := "From: s@example.net\nSubject: one \x1b[2Jtwo\n\nbody\n.\n"
		wire := strings.ReplaceAll(message, "\n", "\r\n")
		file := writeFile(t, "message.eml", message)
		good(t, "deliver", "--lmtp", server, "--from", "s@example.net", "--to", "team@example.com", "--to", "alice+lists@example.com", file)
		store := func(args ...string) result {
			return gatepost(t, append(append([]string{"store"}, args...), "--store", dsn)...)
		}

		var listed []struct {
			MessageIDnr  uint64 `json:"message_idnr"`
			Mailbox      string `json:"mailbox"`
			Size         int64  `json:"size"`
			InternalDate string `json:"internal_date"`
			Subject      string `json:"subject"`
			Parts        int    `json:"parts"`
		}
		decode(t, store("ls", "bob", "--json").out, &listed)
		if len(listed) != 1 || listed[0].Mailbox != "INBOX" || listed[0].Size != int64(len(wire)) || listed[0].InternalDate == "" {
			t.Fatalf("ls --json: %+v", listed)
		}
		store("cat", fmt.Sprint(listed[0].MessageIDnr)).expect(t, 0, "Return-Path: <s@example.net>\r\n"+wire, "")
		// What mail brings along does not reach the terminal.
		if r := store("ls", "bob"); r.code != 0 || strings.Contains(r.out, "\x1b") || !strings.Contains(r.out, "INBOX") {
			t.Errorf("ls: %q", r.out)
		}
		store("ls", "bob", "inbox").expect(t, 0, "INBOX", "")
		store("ls", "bob", "Nowhere").expect(t, 1, "", `mailbox "Nowhere" of user "bob": not found`)
		store("ls", "bob", "--json", "Nowhere").expect(t, 1, "", "not found")
		store("user", "show", "bob").expect(t, 0, "mailbox  INBOX (1 message, 54)\n", "")
		store("verify").expect(t, 0, "No problems.\n", "")
	})
}

// TestConfigNamesTheStore takes DSN and prefix from lmtpd.toml.
func TestConfigNamesTheStore(t *testing.T) {
	dsn := sqliteDSN(t)
	good(t, "schema", "apply", "--prefix", "x_", "--store", dsn)
	config := writeFile(t, "lmtpd.toml", fmt.Sprintf("[store]\ndsn = %q\ntable_prefix = \"x_\"\n", dsn))
	good(t, "store", "user", "add", "alice", "--config", config)
	gatepost(t, "store", "user", "list", "--config", config).expect(t, 0, "alice", "")
	gatepost(t, "store", "user", "list", "--config", config, "--prefix", "y_").expect(t, 78, "", "no DBMail tables y_*")
}

// TestPasswordFile logs into MariaDB with a password from a file.
func TestPasswordFile(t *testing.T) {
	dsn := testbed.MariaDB(t).StoreDSN(t)
	good(t, "schema", "apply", "--store", dsn)
	execSQL(t, dsn,
		"CREATE OR REPLACE USER cli@localhost IDENTIFIED BY 'open sesame'",
		"GRANT ALL ON *.* TO cli@localhost")
	mine := strings.Replace(dsn, "mysql://root@", "mysql://cli@", 1)
	right := "&password_file=" + writeFile(t, "password", "open sesame\n")
	wrong := "&password_file=" + writeFile(t, "password", "open barley\n")
	for _, args := range [][]string{{"store", "user", "list"}, {"schema", "diff"}} {
		gatepost(t, append(args, "--store", mine+right)...).expect(t, 0, "", "")
		r := gatepost(t, append(args, "--store", mine+wrong)...)
		r.expect(t, 78, "", "Access denied")
		if strings.Contains(r.err, "barley") {
			t.Errorf("the password is shown: %s", r.err)
		}
	}
}
