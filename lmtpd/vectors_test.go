package lmtpd

import (
	"bytes"
	"crypto/sha1"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"gatepost/internal/message"
	"gatepost/internal/testbed"
	"gatepost/schema"
)

// vectors are the deliveries recorded from DBMail 3.5.6, with every row that
// it wrote. What they say of blobs, headers and envelopes is compared, with
// its named differences, where message.Split is tested; here each is
// delivered over LMTP and all tables are compared: those of the split with
// message.Split, all others with the recorded rows.
const vectors = "../internal/message/testdata/vectors"

// What this daemon leaves otherwise than DBMail on purpose, in the tables that
// delivery owns:
//
//   - no-temporary-copy: DBMail first stores each message for its internal
//     delivery user, and leaves that user an INBOX and gaps in the UIDs; one
//     transaction needs no temporary copy.
//   - one-copy-per-user: a user that is reached twice by one message gets one copy.
//   - no-inbox-for-nothing: DBMail makes the INBOX of a user whose copy it then
//     refuses; nothing is written for a copy that is not stored.
//   - stored-not-crashed: DBMail dies of messages without a header and stalls on
//     NUL; the first are stored, the second refused with 550 5.6.0.
//   - internal-date-is-ours: DBMail takes internal_date from an mbox line that
//     the sender wrote; here it is the time of delivery.

type vector struct {
	Name, Sender string
	Rcpts        []string
	Steps        []struct {
		EML           string
		LMTP          []string
		Written, Gone map[string][]map[string]json.RawMessage
	}
}

func loadVectors(t *testing.T) []vector {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(vectors, "*.json"))
	if err != nil || len(files) < 50 {
		t.Fatalf("%d vectors: %v", len(files), err)
	}
	var out []vector
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(data, &v); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		out = append(out, v)
	}
	return out
}

func TestVectorsOnMariaDB(t *testing.T) {
	server := testbed.MariaDB(t)
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			dsn := server.StoreDSN(t)
			name := strings.TrimPrefix(dsn[:strings.Index(dsn, "?")], "mysql://root@/")
			db, err := sql.Open("mysql", "root@unix("+server.Socket()+")/"+name)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			runVector(t, v, benchOn(t, storeAt(t, dsn, schema.MySQL), nil), db)
		})
	}
}

func TestVectorsOnSQLite(t *testing.T) {
	for _, v := range loadVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "store.db")
			b := benchOn(t, storeAt(t, "sqlite:"+path, schema.SQLite), nil)
			db, err := sql.Open("sqlite", "file:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			runVector(t, v, b, db)
		})
	}
}

func runVector(t *testing.T, v vector, b *bench, db *sql.DB) {
	for n, step := range v.Steps {
		eml, err := os.ReadFile(filepath.Join(vectors, "eml", step.EML))
		if err != nil {
			t.Fatal(err)
		}
		replies := deliverVector(t, b, v, eml)
		if bytes.IndexByte(eml, 0) >= 0 {
			for _, r := range replies {
				if !strings.HasPrefix(r, "550 5.6.0") {
					t.Errorf("NUL: %q", r)
				}
			}
			continue
		}
		for i, r := range replies {
			want := "250 2.0.0"
			if v.Rcpts[i] == "carol@example.org" && v.Name == "64-over-quota" {
				want = "552 5.2.2"
			}
			if !strings.HasPrefix(r, want+" <"+v.Rcpts[i]+">") {
				t.Errorf("%s: %q, want %s", v.Rcpts[i], r, want)
			}
		}
		compareSplit(t, db, v, eml)
		if len(step.Written["dbmail_messages"]) > 0 {
			compareDelivery(t, db, v, n)
		}
	}
	b.verifyClean()
}

// deliverVector sends a message as the recording client did: dots stuffed,
// its bytes otherwise as they are, CRLF added where the last line has no end.
// Messages whose lines end in bare LF can be ended by CRLF.CRLF only.
func deliverVector(t *testing.T, b *bench, v vector, eml []byte) []string {
	t.Helper()
	c := b.dial()
	c.send("LHLO probe.test", "250")
	c.begin(v.Sender, v.Rcpts...)
	var replies []string
	if bytes.Contains(eml, []byte("\n")) && !bytes.Contains(eml, []byte("\r\n")) {
		c.raw(fmt.Sprintf("BDAT %d LAST\r\n%s", len(eml), eml))
	} else {
		c.send("DATA", "354")
		body := string(eml)
		if strings.HasPrefix(body, ".") {
			body = "." + body
		}
		body = strings.ReplaceAll(body, "\r\n.", "\r\n..")
		if body != "" && !strings.HasSuffix(body, "\r\n") {
			body += "\r\n"
		}
		c.raw(body + ".\r\n")
	}
	for range v.Rcpts {
		replies = append(replies, c.reply())
	}
	c.send("QUIT", "221")
	if r := c.reply(); r != "EOF" {
		t.Errorf("after QUIT: %q", r)
	}
	return replies
}

// compareSplit holds the rows of the newest message against message.Split.
func compareSplit(t *testing.T, db *sql.DB, v vector, eml []byte) {
	t.Helper()
	if len(eml) > 0 && !bytes.HasSuffix(eml, []byte("\n")) {
		eml = append(eml, "\r\n"...)
	}
	raw, err := message.ReadRaw(bytes.NewReader(eml), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	var phys, size, rfcsize int64
	var date string
	if err := db.QueryRow("SELECT id, messagesize, rfcsize, internal_date FROM dbmail_physmessage ORDER BY id DESC LIMIT 1").Scan(&phys, &size, &rfcsize, &date); err != nil {
		t.Fatal(err)
	}
	received, err := time.Parse("2006-01-02 15:04:05", strings.TrimSuffix(strings.Replace(date, "T", " ", 1), "Z"))
	if err != nil {
		t.Fatal(err)
	}
	if age := time.Since(received); age < -5*time.Second || age > time.Minute {
		t.Errorf("internal_date %s is not the time of delivery (internal-date-is-ours)", date)
	}
	m := message.Split(raw, message.Options{Sender: v.Sender, Received: received, DefaultCharset: "windows-1252"})
	if size != m.Size || rfcsize != m.RFCSize {
		t.Errorf("sizes %d, %d, want %d, %d", size, rfcsize, m.Size, m.RFCSize)
	}
	var want, got []string
	for _, p := range m.Parts {
		sum := sha1.Sum(p.Data)
		want = append(want, fmt.Sprint(p.Header, p.Key, p.Depth, p.Order, hex.EncodeToString(sum[:]), len(p.Data), string(p.Data)))
	}
	for _, h := range m.Headers {
		sum := sha1.Sum([]byte(h.Value))
		want = append(want, fmt.Sprint("header ", h.Name, "|", hex.EncodeToString(sum[:]), "|", h.Value, "|", h.SortField, "|", h.Date))
	}
	for _, r := range m.References {
		want = append(want, "reference "+r)
	}
	want = append(want, "envelope "+m.Envelope)
	query(t, db, "SELECT l.is_header, l.part_key, l.part_depth, l.part_order, p.hash, p.size, p.data FROM dbmail_partlists l JOIN dbmail_mimeparts p ON p.id = l.part_id WHERE l.physmessage_id = ?", phys,
		func(r *sql.Rows) error {
			var header bool
			var key, depth, order, size int
			var hash, data string
			err := r.Scan(&header, &key, &depth, &order, &hash, &size, &data)
			got = append(got, fmt.Sprint(header, key, depth, order, hash, size, data))
			return err
		})
	query(t, db, "SELECT n.headername, v.hash, v.headervalue, v.sortfield, v.datefield FROM dbmail_header h JOIN dbmail_headername n ON n.id = h.headername_id JOIN dbmail_headervalue v ON v.id = h.headervalue_id WHERE h.physmessage_id = ?", phys,
		func(r *sql.Rows) error {
			var name, hash, value, sortfield string
			var day sql.NullString
			err := r.Scan(&name, &hash, &value, &sortfield, &day)
			day.String = strings.TrimSuffix(strings.Replace(day.String, "T", " ", 1), "Z")
			got = append(got, fmt.Sprint("header ", name, "|", hash, "|", value, "|", sortfield, "|", day.String))
			return err
		})
	one := func(prefix string) func(*sql.Rows) error {
		return func(r *sql.Rows) error {
			var s string
			err := r.Scan(&s)
			got = append(got, prefix+s)
			return err
		}
	}
	query(t, db, "SELECT referencesfield FROM dbmail_referencesfield WHERE physmessage_id = ?", phys, one("reference "))
	query(t, db, "SELECT envelope FROM dbmail_envelope WHERE physmessage_id = ?", phys, one("envelope "))
	same(t, "split", got, want)
}

// compareDelivery holds all other tables against the recorded rows.
func compareDelivery(t *testing.T, db *sql.DB, v vector, n int) {
	t.Helper()
	// The recorded rows up to this step; a later state of a row replaces the earlier.
	latest := map[string]map[string]map[string]json.RawMessage{}
	for _, step := range v.Steps[:n+1] {
		for table, key := range map[string]string{"dbmail_messages": "message_idnr", "dbmail_mailboxes": "mailbox_idnr", "dbmail_users": "user_idnr", "dbmail_subscription": "mailbox_id"} {
			for _, row := range step.Written[table] {
				if latest[table] == nil {
					latest[table] = map[string]map[string]json.RawMessage{}
				}
				latest[table][plainText(row[key])] = row
			}
		}
	}
	owner := map[string]string{} // by recorded mailbox_idnr
	for id, row := range latest["dbmail_mailboxes"] {
		owner[id] = plainText(row["owner_idnr"])
	}
	copies := map[string]int{} // recorded messages by mailbox
	for _, row := range latest["dbmail_messages"] {
		copies[plainText(row["mailbox_idnr"])]++
	}
	size := messageSizes(v, n)
	twice := func(box string) int { return max(0, copies[box]-(n+1)) } // one-copy-per-user
	var want []string
	for id, row := range latest["dbmail_mailboxes"] {
		if owner[id] == "1" || copies[id] == 0 {
			continue // no-temporary-copy, no-inbox-for-nothing
		}
		want = append(want, fmt.Sprintf("mailbox %s %s permission %s seq %d flags %s", owner[id], plainText(row["name"]), plainText(row["permission"]),
			number(row["seq"])-int64(twice(id)), flags(row, "seen_flag", "answered_flag", "deleted_flag", "flagged_flag", "recent_flag", "draft_flag", "no_inferiors", "no_select")))
		want = append(want, "subscription "+owner[id])
	}
	perBox := map[string]int{}
	rows := make([]map[string]json.RawMessage, 0)
	for _, row := range latest["dbmail_messages"] {
		rows = append(rows, row)
	}
	sort.Slice(rows, func(i, j int) bool { return number(rows[i]["message_idnr"]) < number(rows[j]["message_idnr"]) })
	for _, row := range rows {
		box := plainText(row["mailbox_idnr"])
		if perBox[box]++; perBox[box] > n+1 {
			continue // one-copy-per-user
		}
		want = append(want, fmt.Sprintf("message %s status %s seq %s flags %s", owner[box], plainText(row["status"]), plainText(row["seq"]),
			flags(row, "seen_flag", "answered_flag", "deleted_flag", "flagged_flag", "recent_flag", "draft_flag")))
	}
	for _, row := range latest["dbmail_users"] {
		used := number(row["curmail_size"])
		for id, o := range owner {
			if o == plainText(row["user_idnr"]) {
				used -= int64(twice(id)) * size
			}
		}
		want = append(want, fmt.Sprintf("user %s %d", plainText(row["userid"]), used))
	}

	var got []string
	scan := func(format string, columns int) func(*sql.Rows) error {
		return func(r *sql.Rows) error {
			values := make([]any, columns)
			for i := range values {
				values[i] = new(string)
			}
			if err := r.Scan(values...); err != nil {
				return err
			}
			for i := range values {
				values[i] = *values[i].(*string)
			}
			got = append(got, fmt.Sprintf(format, values...))
			return nil
		}
	}
	ids := "SELECT b.owner_idnr, b.name, b.permission, b.seq, b.seen_flag, b.answered_flag, b.deleted_flag, b.flagged_flag, b.recent_flag, b.draft_flag, b.no_inferiors, b.no_select FROM dbmail_mailboxes b WHERE 0 < ?"
	query(t, db, ids, 1, scan("mailbox %s %s permission %s seq %s flags %s%s%s%s%s%s%s%s", 12))
	query(t, db, "SELECT s.user_id FROM dbmail_subscription s JOIN dbmail_mailboxes b ON b.mailbox_idnr = s.mailbox_id AND b.owner_idnr = s.user_id WHERE 0 < ?", 1, scan("subscription %s", 1))
	query(t, db, "SELECT b.owner_idnr, m.status, m.seq, m.seen_flag, m.answered_flag, m.deleted_flag, m.flagged_flag, m.recent_flag, m.draft_flag FROM dbmail_messages m JOIN dbmail_mailboxes b ON b.mailbox_idnr = m.mailbox_idnr WHERE 0 < ?", 1, scan("message %s status %s seq %s flags %s%s%s%s%s%s", 9))
	query(t, db, "SELECT userid, curmail_size FROM dbmail_users WHERE curmail_size > ?", 0, scan("user %s %s", 2))
	same(t, "delivery", bools(got), want)
	var bad int
	if err := db.QueryRow("SELECT count(*) FROM dbmail_messages WHERE length(unique_id) <> 32").Scan(&bad); err != nil || bad > 0 {
		t.Errorf("%d unique_id are not 32 digits (%v)", bad, err)
	}
}

// bools makes SQLite's booleans look like MySQL's.
func bools(rows []string) []string {
	for i, r := range rows {
		rows[i] = strings.ReplaceAll(strings.ReplaceAll(r, "false", "0"), "true", "1")
	}
	return rows
}

func messageSizes(v vector, n int) int64 {
	for _, row := range v.Steps[n].Written["dbmail_physmessage"] {
		return number(row["messagesize"])
	}
	return 0
}

func query(t *testing.T, db *sql.DB, q string, arg any, scan func(*sql.Rows) error) {
	t.Helper()
	rows, err := db.Query(q, arg)
	if err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := scan(rows); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

func same(t *testing.T, what string, got, want []string) {
	t.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %.2000q\nwant %.2000q", what, got, want)
	}
}

// plainText gives a recorded column as text; of a volatile one its value.
func plainText(raw json.RawMessage) string {
	var v struct{ Value json.RawMessage }
	if json.Unmarshal(raw, &v) == nil && v.Value != nil {
		raw = v.Value
	}
	var s string
	if json.Unmarshal(raw, &s) == nil {
		return s
	}
	return string(raw)
}

func number(raw json.RawMessage) (n int64) {
	_, _ = fmt.Sscan(plainText(raw), &n)
	return n
}

func flags(row map[string]json.RawMessage, names ...string) string {
	var b strings.Builder
	for _, name := range names {
		b.WriteString(plainText(row[name]))
	}
	return b.String()
}
