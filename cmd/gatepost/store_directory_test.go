//go:build !dmz

package main

import (
	"strings"
	"testing"
)

const entryA, entryB = "2f5ffeb6-7c67-1041-8fc1-891066e1ce29", "2f5ffeb6-7c67-1041-8fc1-891066e1ce30"

// What the operator sees and settles of the directory's users.
func TestDirectoryUsers(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		good(t, "schema", "apply", "--add-own", "--store", dsn)
		good(t, "store", "user", "add", "alice", "--store", dsn)
		for _, row := range []string{"10001, 'lena'", "10002, 'mika'"} {
			execSQL(t, dsn, "INSERT INTO dbmail_users (user_idnr, userid, passwd, client_idnr) VALUES ("+row+", 'UNUSED', 65535)")
		}
		execSQL(t, dsn, "INSERT INTO gatepost_users (user_idnr, entry_uuid, login, noted) VALUES (10001, '"+entryA+"', 'lena', '2026-11-23 10:00:00')")
		execSQL(t, dsn, "INSERT INTO dbmail_mailboxes (owner_idnr, name, permission) VALUES (10001, 'INBOX', 2)")
		store := func(args ...string) result {
			return gatepost(t, append(append([]string{"store", "user"}, args...), "--store", dsn)...)
		}

		store("list").expect(t, 0, ""+
			"ID     USER   STATUS  QUOTA            USED  DIRECTORY\n"+
			"4      alice  active  no limit         0\n"+
			"10001  lena   active  the directory's  0     "+entryA+"\n"+
			"10002  mika   active  the directory's  0     not noted yet\n", "")
		store("show", "lena").expect(t, 0, "directory  "+entryA+"\n", "")
		if out := store("show", "alice").out; strings.Contains(out, "directory") {
			t.Errorf("alice is not the directory's: %s", out)
		}
		var views []userView
		decode(t, store("list", "--json").out, &views)
		if len(views) != 3 || views[0].Directory || !views[1].Directory || views[1].Entry != entryA || !views[2].Directory || views[2].Entry != "" {
			t.Errorf("list --json: %+v", views)
		}
		store("set", "lena", "--quota", "1M").expect(t, 1, "", "one of the directory's, which sets the quota")

		store("rename", "lena", "mika").expect(t, 1, "", "free the login first with: gatepost store user rename mika OTHERNAME")
		store("rename", "lena", "lena.new", "--id", "20001").expect(t, 0, ""+
			"user       lena.new\n"+
			"id         20001\n"+
			"status     active\n"+
			"quota      the directory's\n"+
			"used       0\n"+
			"directory  "+entryA+"\n", "")
		store("show", "lena.new").expect(t, 0, "mailbox    INBOX (0 messages, 0)\n", "")
		store("adopt", "mika", "--uuid", entryA).expect(t, 1, "", `is noted for user "lena.new" (20001)`)
		store("adopt", "lena.new", "--uuid", strings.ToUpper(entryB)).expect(t, 0, "directory  "+entryB+"\n", "")
		var view userView
		decode(t, store("adopt", "lena.new", "--json").out, &view)
		if view.ID != 20001 || view.Entry != "" || !view.Directory {
			t.Errorf("adopt --json: %+v", view)
		}
		store("rename", "lena").expect(t, 2, "", "")
		store("adopt", "nobody").expect(t, 1, "", "not found")

		execSQL(t, dsn, "DROP TABLE gatepost_users")
		store("list").expect(t, 0, "not noted yet", "")
		store("adopt", "mika").expect(t, 1, "", "gatepost schema apply --add-own")
		store("rename", "mika", "mika.new").expect(t, 0, "user       mika.new\n", "")
	})
}
