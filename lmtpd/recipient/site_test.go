package recipient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
	"gatepost/internal/message"
	"gatepost/internal/testbed"
	"gatepost/schema"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// site is a directory and a store, and who asks them.
type site struct {
	slapd *testbed.SlapdServer
	live  *directory.Directory
	nouns *directory.Nouns
	store *dbmail.Store
	log   *logBuffer
	*Directory
}

type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// siteOptions say what a site is like; the zero value is a SQLite store and
// the preset "dbmail".
type siteOptions struct {
	preset  string
	change  func(*directory.Attributes)
	bases   directory.Bases // default: the suffix
	ldif    string          // below dc=example,dc=org
	slapd   testbed.SlapdOptions
	cache   *directory.CacheOptions
	service string
	mysql   bool
}

const suffixLDIF = "dn: dc=example,dc=org\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n"

func newSite(t testing.TB, o siteOptions) *site {
	t.Helper()
	if o.preset == "" {
		o.preset = "dbmail"
	}
	var schemas []string
	switch o.preset {
	case "dbmail":
		schemas = []string{"ldapns", "mailmember", "dbmail", "gatepost"}
		o.slapd.Schema = append(o.slapd.Schema, "/etc/ldap/schema/dyngroup.schema")
	case "qmail":
		schemas = []string{"qmail"}
	}
	for _, name := range schemas {
		o.slapd.Schema = append(o.slapd.Schema, filepath.Join("..", "..", "schema", "ldap", name+".schema"))
	}
	o.slapd.Suffix = "dc=example,dc=org"
	o.slapd.LDIF = []byte(suffixLDIF + o.ldif)
	s := &site{slapd: testbed.Slapd(t, o.slapd), log: &logBuffer{}}
	preset, err := directory.PresetNamed(o.preset)
	if err != nil {
		t.Fatal(err)
	}
	if o.change != nil {
		o.change(&preset.Attributes)
	}
	cache := directory.DefaultCacheOptions()
	if o.cache != nil {
		cache = *o.cache
	}
	log := slog.New(slog.NewTextHandler(s.log, nil))
	s.live = directory.New(directory.NewPool(directory.Settings{URIs: []string{s.slapd.URI()}, Timeout: 5 * time.Second, ConnectTimeout: time.Second}, log),
		cache, directory.DefaultDoubtOptions(), log)
	t.Cleanup(s.live.Close)
	if o.bases == (directory.Bases{}) {
		o.bases = directory.Bases{Accounts: s.slapd.BaseDN, Groups: s.slapd.BaseDN, Domains: s.slapd.BaseDN}
	}
	s.nouns = directory.NewNouns(s.live, preset, o.bases)
	s.store = newStore(t, o.mysql)
	s.Directory = NewDirectory(s.nouns, s.store, Options{Service: o.service, Log: log})
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(s.log.String())
		}
	})
	return s
}

// newStore makes an empty store.
func newStore(t testing.TB, mysql bool) *dbmail.Store {
	t.Helper()
	text, dialect := "sqlite:"+filepath.Join(t.TempDir(), "store.db"), schema.SQLite
	if mysql {
		text, dialect = testbed.MariaDB(t).StoreDSN(t), schema.MySQL
	}
	dsn, err := dbmail.ParseDSN(text)
	if err != nil {
		t.Fatal(err)
	}
	db, err := dbmail.OpenDB(context.Background(), dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := schema.Apply(context.Background(), db, dialect, schema.Options{Own: true}); err != nil {
		t.Fatal(err)
	}
	s, err := dbmail.Open(context.Background(), dsn, dbmail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// brief bounds what a test waits for.
func brief(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// ask gives an answer as text: the users, "> " and forwards, and the rest by
// name; or what kind of error it is.
func ask(t testing.TB, s Source, address string) string {
	t.Helper()
	r, err := s.Lookup(brief(t), address)
	return show(r, err)
}

func show(r Recipient, err error) string {
	switch {
	case errors.Is(err, dbmail.ErrUnknown):
		return "unknown"
	case errors.Is(err, dbmail.ErrInactive):
		return "inactive"
	case errors.Is(err, ErrNoService):
		return "no service"
	case errors.Is(err, dbmail.ErrUndeliverable):
		return "undeliverable"
	case errors.Is(err, dbmail.ErrPairing):
		return "pairing"
	case err != nil:
		return "cannot tell: " + err.Error()
	}
	var parts, users []string
	for _, u := range r.Users {
		text := fmt.Sprintf("%s/%d", u.Name, u.ID)
		if u.Identity == nil {
			text += "(own)"
		}
		users = append(users, text)
	}
	slices.Sort(users)
	parts = append(parts, users...)
	for _, f := range slices.Sorted(slices.Values(r.Forwards)) {
		parts = append(parts, ">"+f)
	}
	for _, f := range r.Refused {
		parts = append(parts, "refused:"+f)
	}
	if r.Detail != "" {
		parts = append(parts, "detail:"+r.Detail)
	}
	if r.List != nil {
		parts = append(parts, "list:"+r.List.Address)
		if r.List.Owner != "" {
			parts = append(parts, "owner:"+r.List.Owner)
		}
		var failures []string
		for _, f := range r.List.Failures {
			failures = append(failures, "failure:"+f.Member+"="+why(f.Why))
		}
		for _, f := range r.List.Doubts {
			failures = append(failures, "doubt:"+f.Member+"="+why(f.Why))
		}
		slices.Sort(failures)
		parts = append(parts, failures...)
	}
	return strings.Join(parts, " ")
}

// why is the kind of a failure.
func why(err error) string {
	switch {
	case errors.Is(err, directory.ErrMalformed):
		return "malformed"
	case errors.Is(err, directory.ErrAmbiguous):
		return "ambiguous"
	case errors.Is(err, errNoNumber):
		return "no number"
	case errors.Is(err, errNowhere):
		return "nowhere"
	}
	return show(Recipient{}, err)
}

// person makes the LDIF of an account; more are further lines.
func person(login string, number int, more ...string) string {
	text := fmt.Sprintf("dn: uid=%s,dc=example,dc=org\nobjectClass: inetOrgPerson\nobjectClass: posixAccount\nobjectClass: dbmailUser\n"+
		"objectClass: authorizedServiceObject\nuid: %s\ncn: %s\nsn: %s\nuidNumber: %d\ngidNumber: 100\nhomeDirectory: /nonexistent\n",
		login, login, login, login, number)
	hasMail := false
	for _, line := range more {
		text += line + "\n"
		hasMail = hasMail || strings.HasPrefix(line, "mail:")
	}
	if !hasMail {
		text += "mail: " + login + "@example.org\n"
	}
	return text + "\n"
}

// entry makes the LDIF of any entry.
func entry(dn string, lines ...string) string {
	return "dn: " + dn + ",dc=example,dc=org\n" + strings.Join(lines, "\n") + "\n\n"
}

// forwarder makes the LDIF of an address that only forwards.
func forwarder(name string, to ...string) string {
	text := "dn: cn=" + name + ",dc=example,dc=org\nobjectClass: organizationalRole\nobjectClass: dbmailForwardingAddress\ncn: " + name +
		"\nmail: " + name + "@example.org\n"
	for _, one := range to {
		text += "mailForwardingAddress: " + one + "\n"
	}
	return text + "\n"
}

// first delivers a message, which makes the user's row if there is none.
func first(t *testing.T, s *dbmail.Store, u dbmail.User) {
	t.Helper()
	deliver(t, s, u, "hello")
}

// deliver delivers a message; the same words are the same message.
func deliver(t *testing.T, s *dbmail.Store, u dbmail.User, words string) {
	t.Helper()
	text := "Subject: hello\r\n\r\n" + words + "\r\n"
	raw, err := message.ReadRaw(strings.NewReader(text), 1000, int64(len(text)))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().UTC()
	for _, o := range s.Deliver(&dbmail.Delivery{
		Message: message.Split(raw, message.Options{Received: now, Cached: s.CachedHeader}), Digest: sha256.Sum256([]byte(text)), Received: now,
		Targets: []dbmail.Target{{UserID: u.ID, Identity: u.Identity}},
	}) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
}
