package lmtpd_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"gatepost/internal/testbed"
)

// TestDirectoryPairing lets entries be renamed, deleted and made again with a
// number or a login that somebody else had. Nobody ever gets into another
// one's mailbox; what nobody can tell is deferred until an operator says so.
func TestDirectoryPairing(t *testing.T) {
	d := newDirectorySite(t, testbed.MariaDB(t), directoryOptions{
		entries: person("ann", 2001) + person("ben", 2002) + person("cat", 2003) + person("dan", 2004) + person("eve", 2005) + person("fay", 2006) +
			person("one", 1) + person("gil", 2007) + person("hal", 2008),
	})
	// Rows as DBMail left them, before anybody noted entries: hal's is his, gil's
	// number has another login.
	for id, login := range map[int]string{2008: "HAL", 2007: "guy"} {
		d.exec("INSERT INTO dbmail_users (user_idnr, userid, passwd, client_idnr, encryption_type) VALUES (?, ?, 'UNUSED', 65535, 'md5')", id, login)
	}
	before := []string{"ann", "ben", "cat", "dan", "eve", "fay"}
	for _, who := range before {
		d.expect(who+"@example.org", "first", yes)
	}
	// defers says that mail for an address is deferred, that the log tells the
	// operator why and what to do, and that nothing in the store has changed.
	told := map[string]string{} // the first command that the log names, by recipient
	defers := func(address, what string, words ...string) {
		t.Helper()
		rows := d.dump()
		d.expect(address, what, "451 4.3.0")
		for table, now := range d.dump() {
			if missing, more := difference(rows[table], now); len(missing)+len(more) > 0 {
				t.Errorf("%s: %s has changed: %v became %v", what, table, missing, more)
			}
		}
		line := d.lastWhy(address)
		for _, w := range words {
			if !strings.Contains(line, w) {
				t.Errorf("%s: the log does not say %q: %s", what, w, line)
			}
		}
		if m := regexp.MustCompile(`gatepost (store user [^(]+) \(`).FindStringSubmatch(line); m != nil {
			told[address] = m[1]
		}
	}

	// Renamed: the entry is who it was.
	d.change("dn: " + personDN("ann") + "\nchangetype: modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 1\n")
	d.expect("ann@example.org", "renamed", yes)
	d.has("anna", "first", "renamed")
	if n := d.number("SELECT user_idnr FROM dbmail_users WHERE userid = 'anna'"); n != 2001 {
		t.Errorf("anna has the row %d", n)
	}
	// Moved elsewhere in the tree: nothing of the user has changed.
	d.change("dn: " + personDN("fay") + "\nchangetype: modrdn\nnewrdn: uid=fay\ndeleteoldrdn: 1\nnewsuperior: ou=lists,dc=example,dc=com\n")
	d.expect("fay@example.org", "moved", yes)
	d.has("fay", "first", "moved")

	const settle = "gatepost store user "
	// Its number is another one's now.
	d.change("dn: " + personDN("ben") + "\nchangetype: delete\n\n" + person("zoe", 2002))
	defers("zoe@example.org", "number", settle, "2002", "ben", "zoe")
	// Its login is.
	d.change("dn: " + personDN("cat") + "\nchangetype: delete\n\n" + person("cat", 3003))
	defers("cat@example.org", "login", settle, "3003", "2003", "cat")
	// Both are: another entry all the same, of another person perhaps.
	d.change("dn: " + personDN("dan") + "\nchangetype: delete\n\n" + person("dan", 2004))
	defers("dan@example.org", "again", settle, "2004", "dan")
	// Renamed to a login that somebody has already.
	d.change("dn: " + personDN("eve") + "\nchangetype: modrdn\nnewrdn: uid=ben\ndeleteoldrdn: 1\n")
	defers("eve@example.org", "taken", settle, "2005", "ben")
	// The number of the same entry has changed.
	d.change(replace("uid=anna,ou=people,dc=example,dc=com", "uidNumber", "2999"))
	defers("ann@example.org", "renumbered", settle, "2999", "2001")
	// One of DBMail's own users.
	defers("one@example.org", "own", "another number")
	// A row without an entry noted, of another login.
	defers("gil@example.org", "unknown", settle, "2007", "guy", "gil")
	// And of the same: it is noted from now on.
	d.expect("hal@example.org", "known", yes)
	d.change("dn: " + personDN("hal") + "\nchangetype: delete\n\n" + person("hal", 2008))
	defers("hal@example.org", "another", settle, "2008", "hal")

	d.has("ben", "first")
	d.has("cat", "first")
	d.has("dan", "first")
	d.has("eve", "first")
	d.has("anna", "first", "renamed")
	if got := d.strings("SELECT userid FROM dbmail_users WHERE userid IN ('zoe', 'gil')"); len(got) > 0 {
		t.Errorf("rows were made for %v", got)
	}

	// The operator settles it, for most with the very words of the log, and mail
	// goes on where it belongs.
	for _, c := range []struct {
		command string
		rcpt    string // delivered then
		has     map[string][]string
	}{
		{"store user rename ben ben.old --id 90002", "zoe@example.org", map[string][]string{"zoe": {"settled"}, "ben.old": {"first"}}}, // another person
		{"", "eve@example.org", map[string][]string{"ben": {"first", "settled"}}},                                                      // that login is free now
		{told["cat@example.org"], "cat@example.org", map[string][]string{"cat": {"first", "settled"}}},                                 // the same person
		{"store user rename dan dan.old --id 90004", "dan@example.org", map[string][]string{"dan": {"settled"}, "dan.old": {"first"}}}, // another one
		{told["ann@example.org"], "ann@example.org", map[string][]string{"anna": {"first", "renamed", "settled"}}},
		{told["gil@example.org"], "gil@example.org", map[string][]string{"gil": {"settled"}}},
		{told["hal@example.org"], "hal@example.org", map[string][]string{"HAL": {"known", "settled"}}},
	} {
		if c.command != "" {
			d.operator(c.command)
		}
		d.expect(c.rcpt, "settled", yes)
		for user, want := range c.has {
			d.has(user, want...)
		}
	}
	d.verify()
}

// operator runs a command of gatepost's on the store.
func (d *directorySite) operator(command string) {
	d.t.Helper()
	if d.cli == "" {
		d.cli = filepath.Join(d.t.TempDir(), "gatepost")
		if out, err := exec.Command("go", "build", "-o", d.cli, "gatepost/cmd/gatepost").CombinedOutput(); err != nil {
			d.t.Fatalf("build gatepost: %v\n%s", err, out)
		}
	}
	args := append(strings.Fields(command), "--store", d.dsn(d.server.Socket()))
	if out, err := exec.Command(d.cli, args...).CombinedOutput(); err != nil {
		d.t.Errorf("gatepost %s: %v\n%s", command, err, out)
	}
}

// TestDirectoryPairingWithoutNotes: a store without Gatepost's own tables has
// nothing but number and login to go by.
func TestDirectoryPairingWithoutNotes(t *testing.T) {
	server := testbed.MariaDB(t)
	d := newDirectorySite(t, server, directoryOptions{entries: person("ann", 2001) + person("ben", 2002) + person("cat", 2003)})
	for _, table := range d.strings("SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_name LIKE 'gatepost%'", d.name) {
		d.exec("DROP TABLE " + table)
	}
	d.daemon.kill()
	d.daemon.start()
	for _, who := range []string{"ann", "ben", "cat"} {
		d.expect(who+"@example.org", "first", yes)
	}
	d.change("dn: " + personDN("ann") + "\nchangetype: modrdn\nnewrdn: uid=anna\ndeleteoldrdn: 1\n")
	d.expect("ann@example.org", "renamed", "451 4.3.0") // or another person's number?
	d.change("dn: " + personDN("ben") + "\nchangetype: delete\n\n" + person("zoe", 2002))
	d.expect("zoe@example.org", "number", "451 4.3.0")
	d.change("dn: " + personDN("cat") + "\nchangetype: delete\n\n" + person("cat", 3003))
	d.expect("cat@example.org", "login", "451 4.3.0")
	for _, who := range []string{"ann", "ben", "cat"} {
		d.has(who, "first")
	}
}

// TestDirectoryFirstDeliveries lets two lmtpd make the rows of the same users
// at the same time: each user gets one, one INBOX, and all messages.
func TestDirectoryFirstDeliveries(t *testing.T) {
	const people, messages = 10, 8
	var entries, members strings.Builder
	for i := range people {
		entries.WriteString(person(newcomer(i), 3000+i))
		members.WriteString("rfc822MailMember: " + newcomer(i) + "@example.org\n")
	}
	o := directoryOptions{entries: entries.String() + mailingList("all", members.String())}
	d := newDirectorySite(t, testbed.MariaDB(t), o)
	second := launch(t, "unix:"+filepath.Join(shortDir(t), "lmtp")+"?mode=0666", d.files(o, d.server.Socket()))
	var all sync.WaitGroup
	for n := range messages {
		for _, to := range []*daemon{d.daemon, second} {
			all.Go(func() {
				id := fmt.Sprint("m", n, to == second)
				if r, err := hand(to.dial, "all@example.org", simple(id)); err != nil || !strings.HasPrefix(r, yes) {
					t.Errorf("%s: %q, %v", id, r, err)
				}
			})
		}
	}
	all.Wait()
	if n := d.number("SELECT count(*) FROM dbmail_users WHERE user_idnr >= 3000"); n != people {
		t.Errorf("%d rows of users, want %d", n, people)
	}
	if n := d.number("SELECT count(*) FROM dbmail_mailboxes WHERE owner_idnr >= 3000"); n != people {
		t.Errorf("%d mailboxes, want %d", n, people)
	}
	for i := range people {
		if n := len(d.stored(newcomer(i), "INBOX")); n != 2*messages {
			t.Errorf("%s has %d messages, want %d", newcomer(i), n, 2*messages)
		}
	}
	d.verify()
}
