package lmtpd_test

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// recorded are the deliveries that were recorded from DBMail.
const recorded = "../../internal/message/testdata/vectors"

// The users of the recorded deliveries, in a directory.
var recordedPeople = person("alice", 101) + person("bob", 102) + person("carol", 103, "mailQuota: 20000") +
	mailingList("both", "rfc822MailMember: alice@example.org", "rfc822MailMember: bob@example.org")

// TestDirectoryEndsInTheSameRows delivers all that was recorded to users of
// DBMail's tables and to users of a directory. No row of any table differs but
// where DBMail itself makes a difference between the two.
func TestDirectoryEndsInTheSameRows(t *testing.T) {
	server := testbed.MariaDB(t)
	d := newDirectorySite(t, server, directoryOptions{entries: recordedPeople})
	s := newSite(t, server)
	for id, name := range map[int]string{101: "alice", 102: "bob", 103: "carol"} {
		s.exec("INSERT INTO dbmail_users (user_idnr, userid, passwd, encryption_type, maxmail_size, client_idnr) VALUES (?, ?, 'secret', '', ?, 0)",
			id, name, map[int]int{103: 20000}[id])
		s.alias(name+"@example.org", fmt.Sprint(id))
	}
	s.alias("both@example.org", "101")
	s.alias("both@example.org", "102")
	l := startDaemon(t, s.dsn(server.Socket()), "")

	both := func(what string, send func(*daemon) ([]string, error)) {
		t.Helper()
		want, err1 := send(l)
		got, err2 := send(d.daemon)
		if err1 != nil || err2 != nil || !slices.Equal(got, want) {
			t.Errorf("%s: the directory's users get %q, %v, DBMail's %q, %v; %s", what, got, err2, want, err1, d.lastWhy(""))
		}
	}
	// Each has mail, so that all have a row and an INBOX.
	for _, name := range []string{"alice", "bob", "carol"} {
		both("first", func(to *daemon) ([]string, error) {
			return handRaw(to.dial, "", []string{name + "@example.org"}, []byte(simple("first")))
		})
	}
	d.mailbox(101, "Notes")
	s.mailbox(101, "Notes")
	d.mailbox(102, "Work")
	s.mailbox(102, "Work")
	n := 0
	for _, v := range recordedDeliveries(t) {
		for _, step := range v.Steps {
			eml, err := os.ReadFile(filepath.Join(recorded, "eml", step.EML))
			if err != nil {
				t.Fatal(err)
			}
			both(v.Name, func(to *daemon) ([]string, error) { return handRaw(to.dial, v.Sender, v.Rcpts, eml) })
			// The same bytes from the same sender are one delivery; from
			// others they are new.
			for i, rcpts := range [][]string{{"bob+work@example.org", "Alice+NOTES@EXAMPLE.org"}, {"both@example.org", "carol@example.org"}, {"nobody@example.org", "bob@example.org"}} {
				sender := fmt.Sprintf("%s%d@other.test", v.Name, i)
				both(v.Name, func(to *daemon) ([]string, error) { return handRaw(to.dial, sender, rcpts, eml) })
			}
			n++
		}
	}
	want, got := s.dump(), d.dump()
	for _, table := range slices.Sorted(maps.Keys(want)) {
		if !slices.Equal(got[table], want[table]) {
			missing, more := difference(want[table], got[table])
			t.Errorf("%s: with the directory these rows are missing:\n%s\nand these are there:\n%s", table, strings.Join(missing, "\n"), strings.Join(more, "\n"))
		}
	}
	t.Logf("%d messages, %d rows in %d tables", n, rowsOf(want), len(want))
	for id, name := range map[int]string{101: "alice", 102: "bob", 103: "carol"} {
		// As DBMail makes them for an account of a directory.
		if k := d.number("SELECT count(*) FROM dbmail_users WHERE user_idnr = ? AND userid = ? AND passwd = 'UNUSED' AND client_idnr = 65535"+
			" AND maxmail_size = 0 AND encryption_type = 'md5' AND active = 1", id, name); k != 1 {
			t.Errorf("%s's row is not as DBMail makes it", name)
		}
	}
	d.verify()
	s.verify()
}

type recordedDelivery struct {
	Name, Sender string
	Rcpts        []string
	Steps        []struct{ EML string }
}

func recordedDeliveries(t *testing.T) []recordedDelivery {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(recorded, "*.json"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d recorded deliveries: %v", len(files), err)
	}
	var out []recordedDelivery
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var v recordedDelivery
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, v)
	}
	return out
}

// handRaw sends the bytes of a message to several recipients, in one chunk
// (RFC 3030) so that they may be anything, and gives the deciding replies.
func handRaw(dial dialer, sender string, rcpts []string, eml []byte) ([]string, error) {
	c, err := greet(dial)
	if err != nil {
		return nil, err
	}
	defer c.conn.Close()
	if r, err := c.say("MAIL FROM:<" + sender + ">"); err != nil || r[0] != '2' {
		return nil, fmt.Errorf("MAIL: %q, %w", r, err)
	}
	replies := make([]string, len(rcpts))
	var accepted []int
	for i, rcpt := range rcpts {
		if replies[i], err = c.say("RCPT TO:<" + rcpt + ">"); err != nil {
			return nil, err
		}
		if replies[i][0] == '2' {
			accepted = append(accepted, i)
		}
	}
	if len(accepted) == 0 {
		return replies, nil
	}
	if _, err := fmt.Fprintf(c.conn, "BDAT %d LAST\r\n", len(eml)); err != nil {
		return nil, err
	}
	if _, err := io.Copy(c.conn, bytes.NewReader(eml)); err != nil {
		return nil, err
	}
	for _, i := range accepted {
		if replies[i], err = c.reply(); err != nil {
			return nil, fmt.Errorf("reply for %s: %w", rcpts[i], err)
		}
	}
	return replies, nil
}

// differs lists columns that are not compared, and tables ("*"): what DBMail
// writes otherwise for a directory's users, what is a time or by chance, and
// who the users are.
var differs = map[string]string{
	"dbmail_users":       "passwd client_idnr encryption_type maxmail_size last_login",
	"dbmail_aliases":     "*",
	"dbmail_messages":    "message_idnr unique_id", // of copies that one transaction makes; their order in a mailbox is seq
	"dbmail_physmessage": "internal_date",
	"gatepost_users":     "*",

	"dbmail_upgrade_steps": "applied",
}

// madeNow is a Date that the store has given a message that had none. Two such
// messages share it when they came within one second, which they may have done
// in one store and not in the other.
const madeNow = "coalesce(v.datefield BETWEEN CURDATE() - INTERVAL 1 DAY AND CURDATE() + INTERVAL 1 DAY, 0)"

// compared has queries for tables whose rows are not compared as they stand.
var compared = map[string]string{
	"dbmail_header": "SELECT h.physmessage_id, n.headername, IF(" + madeNow + ", 'now', v.headervalue) AS headervalue" +
		" FROM dbmail_header h JOIN dbmail_headername n ON n.id = h.headername_id JOIN dbmail_headervalue v ON v.id = h.headervalue_id",
	"dbmail_headervalue": "SELECT hash, headervalue, sortfield, datefield FROM dbmail_headervalue v WHERE NOT " + madeNow,
}

// dump gives all rows of all tables, sorted.
func (s *site) dump() map[string][]string {
	s.t.Helper()
	out := map[string][]string{}
	for _, table := range s.strings("SELECT table_name FROM information_schema.tables WHERE table_schema = ? AND table_type = 'BASE TABLE'", s.name) {
		if differs[table] == "*" {
			continue
		}
		query := compared[table]
		if query == "" {
			query = "SELECT * FROM " + table
		}
		rows, err := s.db.Query(query)
		if err != nil {
			s.t.Fatal(err)
		}
		out[table] = s.rows(rows, strings.Fields(differs[table]))
		rows.Close()
	}
	return out
}

// strings runs a query that gives one column.
func (s *site) strings(query string, args ...any) []string {
	s.t.Helper()
	rows, err := s.db.Query(query, args...)
	if err != nil {
		s.t.Fatalf("%s: %v", query, err)
	}
	defer rows.Close()
	return s.rows(rows, nil)
}

func (s *site) rows(rows *sql.Rows, without []string) []string {
	s.t.Helper()
	kinds, err := rows.ColumnTypes()
	if err != nil {
		s.t.Fatal(err)
	}
	values, into := make([]sql.NullString, len(kinds)), make([]any, len(kinds))
	for i := range values {
		into[i] = &values[i]
	}
	out := []string{}
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			s.t.Fatal(err)
		}
		var words []string
		for i, k := range kinds {
			switch {
			case slices.Contains(without, k.Name()):
			case len(kinds) == 1:
				words = append(words, values[i].String)
			case values[i].Valid:
				words = append(words, fmt.Sprintf("%s=%.300q", k.Name(), values[i].String))
			}
		}
		out = append(out, strings.Join(words, " "))
	}
	if err := rows.Err(); err != nil {
		s.t.Fatal(err)
	}
	slices.Sort(out)
	return out
}

// difference gives the first rows that only one of two sorted lists has.
func difference(a, b []string) (onlyA, onlyB []string) {
	only := func(a, b []string) (out []string) {
		for _, row := range a {
			if _, found := slices.BinarySearch(b, row); !found && len(out) < 5 {
				out = append(out, row)
			}
		}
		return out
	}
	return only(a, b), only(b, a)
}

func rowsOf(tables map[string][]string) (n int) {
	for _, rows := range tables {
		n += len(rows)
	}
	return n
}
