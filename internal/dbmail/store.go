package dbmail

import (
	"context"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
)

// DefaultPrefix is how DBMail's table names begin.
const DefaultPrefix = "dbmail_"

// Options are a store's settings; the zero value works.
type Options struct {
	// Prefix of the table names; nil is DefaultPrefix.
	Prefix *string
	// Password for mysql, as read from DSN.PasswordFile.
	Password string
	// Hash names the algorithm of dbmail.conf's hash_algorithm: md5, sha1,
	// sha256 or sha512. "" is sha1, DBMail's default.
	Hash string
	// CacheAllHeaders is header_cache_readonly=no: header names that the
	// store does not know yet are added and cached.
	CacheAllHeaders bool
	// RepeatWindow is how long a second delivery of the same bytes from the
	// same sender to the same user counts as a repeat. 0 is
	// DefaultRepeatWindow.
	RepeatWindow time.Duration
	// Writers is how many groups may be written at once, when one takes
	// long. 0 chooses.
	Writers int
	// GroupLimit bounds the messages of one transaction. 0 chooses.
	GroupLimit int
	// Deadline bounds all attempts to store one group. 0 is 60 s.
	Deadline time.Duration
	Log      *slog.Logger
}

// DefaultRepeatWindow is longer than Postfix's maximal_queue_lifetime, five
// days: a message is tried once more when these are over, before it bounces.
const DefaultRepeatWindow = 132 * time.Hour

func (o *Options) defaults() {
	if o.Prefix == nil {
		p := DefaultPrefix
		o.Prefix = &p
	}
	if o.RepeatWindow == 0 {
		o.RepeatWindow = DefaultRepeatWindow
	}
	if o.Deadline == 0 {
		o.Deadline = time.Minute
	}
	if o.GroupLimit == 0 {
		o.GroupLimit = 64
	}
	if o.Log == nil {
		o.Log = slog.New(slog.NewTextHandler(io.Discard, nil))
	}
}

// Store is an open DBMail store. It is safe for concurrent use.
type Store struct {
	db    *sql.DB // queries; on MySQL the writers use it too
	write *sql.DB // SQLite: the one connection that writes; else db
	d     dialect
	t     tables
	opt   Options
	log   *slog.Logger
	hash  hasher

	limits     Limits
	names      headerNames
	hot        hotBlobs
	marks      answered
	groups     grouper
	prepared   statements
	huge       chan struct{} // places for blobs that are huge
	turn       turn
	questions  gathering[*question]
	identities gathering[*identityQuestion]
	filters    gathering[*filterQuestion]
	metrics    *Metrics
}

// Limits are what the server behind a store allows, learnt when it is opened.
type Limits struct {
	// Version as the server tells it.
	Version string
	// MaxPart is the largest blob that can be stored, in bytes.
	MaxPart int64
	// UTF8MB3 says that the text columns refuse 4-byte characters (a store
	// before DBMail's upgrade step 35001); these become U+FFFD.
	UTF8MB3 bool
	// Durable says that a COMMIT is on disk when it is answered.
	Durable bool
	// OwnTables says that gatepost_forwards is there.
	OwnTables bool
	// OwnUsers says that gatepost_users is there.
	OwnUsers bool
	// Warnings are sentences for the log and for --check.
	Warnings []string
}

// Open connects to a store, checks that it is one and learns its limits.
func Open(ctx context.Context, dsn DSN, o Options) (*Store, error) {
	o.defaults()
	hash, err := newHasher(o.Hash)
	if err != nil {
		return nil, err
	}
	s := &Store{opt: o, log: o.Log, hash: hash, t: newTables(*o.Prefix), turn: make(turn, 1), huge: make(chan struct{}, 2), metrics: newMetrics()}
	switch dsn.Driver {
	case "sqlite":
		err = s.openSQLite(ctx, dsn)
	case "mysql":
		err = s.openMySQL(ctx, dsn)
	default:
		err = fmt.Errorf("unknown driver %q", dsn.Driver)
	}
	if err == nil {
		err = s.learn(ctx)
	}
	if err != nil {
		s.closePools()
		return nil, fmt.Errorf("open store: %w", err)
	}
	s.groups.start(s)
	return s, nil
}

// learn reads what both kinds of stores tell through their tables.
func (s *Store) learn(ctx context.Context) error {
	if err := s.names.load(ctx, s, s.db); err != nil {
		if isNoTable(err) {
			return fmt.Errorf("there are no DBMail tables %s*; make them with: gatepost schema apply --store DSN (%w)", *s.opt.Prefix, err)
		}
		return err
	}
	for _, own := range []struct {
		table   string
		there   *bool
		without string
	}{
		{"gatepost_forwards", &s.limits.OwnTables, "a forward that the smarthost took just before a crash may be sent twice"},
		{s.t.ownUsers, &s.limits.OwnUsers, "a directory user's entry cannot be told from another one that gets its number and login later, and one that is renamed waits for the operator"},
	} {
		switch err := s.hasTable(ctx, own.table); {
		case err == nil:
			*own.there = true
		case isNoTable(err):
			s.limits.Warnings = append(s.limits.Warnings,
				"no table "+own.table+": "+own.without+"; add it with: gatepost schema apply --add-own")
		default:
			return err
		}
	}
	return nil
}

// hasTable fails with what isNoTable knows if there is no such table.
func (s *Store) hasTable(ctx context.Context, name string) error {
	var n int
	return s.db.QueryRowContext(ctx, "SELECT count(*) FROM "+name+" WHERE 1 = 0").Scan(&n)
}

// Limits tells what the server allows.
func (s *Store) Limits() Limits { return s.limits }

// Metrics are the store's counters.
func (s *Store) Metrics() *Metrics { return s.metrics }

// Ping asks the server for an answer.
func (s *Store) Ping(ctx context.Context) error {
	var n int
	return s.db.QueryRowContext(ctx, "SELECT 1").Scan(&n)
}

// Close waits for the groups being written and closes all connections.
// Deliveries that come later fail with ErrClosed.
func (s *Store) Close() error {
	s.groups.stop()
	return s.closePools()
}

func (s *Store) closePools() error {
	var err error
	if s.write != nil && s.write != s.db {
		err = s.write.Close()
	}
	if s.db != nil {
		if e := s.db.Close(); err == nil {
			err = e
		}
	}
	return err
}

// tables holds the table names with their prefix.
type tables struct {
	acl, aliases, autoNotifications, autoReplies, envelope, filters, header, headername, headervalue string
	mailboxes, messages, mimeparts, partlists, physmessage, referencesfield, replycache              string
	sievescripts, subscription, users                                                                string
	ownUsers                                                                                         string
}

func newTables(prefix string) tables {
	own := "gatepost_" // of one store among several in a database: see package schema
	if prefix != DefaultPrefix {
		own += prefix
	}
	return tables{
		acl: prefix + "acl", aliases: prefix + "aliases", autoNotifications: prefix + "auto_notifications", autoReplies: prefix + "auto_replies",
		envelope: prefix + "envelope", filters: prefix + "filters", header: prefix + "header",
		headername: prefix + "headername", headervalue: prefix + "headervalue", mailboxes: prefix + "mailboxes",
		messages: prefix + "messages", mimeparts: prefix + "mimeparts", partlists: prefix + "partlists",
		physmessage: prefix + "physmessage", referencesfield: prefix + "referencesfield", replycache: prefix + "replycache",
		sievescripts: prefix + "sievescripts", subscription: prefix + "subscription", users: prefix + "users",
		ownUsers: own + "users",
	}
}

// timestamp is how DBMail writes a moment: UTC, to the second.
func timestamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05") }

// parseTimestamp reads a datetime column, as MySQL or SQLite give it.
func parseTimestamp(s string) time.Time {
	s = strings.TrimSuffix(strings.Replace(s, "T", " ", 1), "Z")
	t, err := time.Parse("2006-01-02 15:04:05", s)
	if err != nil {
		return time.Time{}
	}
	return t
}
