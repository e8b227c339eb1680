package dbmail

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
	_ "modernc.org/sqlite" // the driver "sqlite"
)

const (
	dialTimeout    = 2 * time.Second  // a dead host costs no more than this
	ioTimeout      = 60 * time.Second // a hung server fails a statement after this
	maxConnections = 24
)

// OpenDB connects to the database of a DSN without asking whether it is a
// store: for the schema commands, which make one.
func OpenDB(ctx context.Context, dsn DSN, password string) (*sql.DB, error) {
	switch dsn.Driver {
	case "sqlite":
		return openSQLiteDB(ctx, dsn.Path, true)
	case "mysql":
		c, err := newConnector(dsn, password, 0)
		if err != nil {
			return nil, err
		}
		db := sql.OpenDB(c)
		if err := db.PingContext(ctx); err != nil {
			db.Close()
			return nil, fmt.Errorf("connect to %s: %w", dsn.where(), err)
		}
		return db, nil
	}
	return nil, fmt.Errorf("unknown driver %q", dsn.Driver)
}

func (d DSN) where() string {
	switch {
	case d.Driver == "sqlite":
		return d.Path
	case d.Socket != "":
		return d.Socket
	}
	return strings.Join(d.Hosts, ",")
}

// openSQLiteDB opens the file with every commit synced to disk. A missing
// file is made only when create is set: a mistyped path must not become an
// empty store.
func openSQLiteDB(ctx context.Context, path string, create bool) (*sql.DB, error) {
	if !create {
		if _, err := os.Stat(path); err != nil {
			return nil, fmt.Errorf("%w; make the store with: gatepost schema apply --store sqlite:%s", err, path)
		}
	}
	q := url.Values{"_pragma": {"busy_timeout(10000)", "synchronous(FULL)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, err
	}
	if err := db.PingContext(ctx); err != nil {
		db.Close()
		return nil, fmt.Errorf("open %s: %w", path, err)
	}
	return db, nil
}

func (s *Store) openSQLite(ctx context.Context, dsn DSN) error {
	s.d = sqliteDialect()
	var err error
	if s.db, err = openSQLiteDB(ctx, dsn.Path, false); err != nil {
		return err
	}
	s.db.SetMaxOpenConns(8)
	if s.write, err = openSQLiteDB(ctx, dsn.Path, false); err != nil {
		return err
	}
	// SQLite has one writer at a time; queueing here beats its busy loop.
	s.write.SetMaxOpenConns(1)
	s.opt.Writers = 1
	s.limits = Limits{MaxPart: 900 << 20, Durable: true}
	if err := s.db.QueryRowContext(ctx, "SELECT sqlite_version()").Scan(&s.limits.Version); err != nil {
		return err
	}
	s.limits.Version = "SQLite " + s.limits.Version
	return nil
}

func (s *Store) openMySQL(ctx context.Context, dsn DSN) error {
	c, err := newConnector(dsn, s.opt.Password, 0)
	if err != nil {
		return err
	}
	probe := sql.OpenDB(c)
	defer probe.Close()
	var (
		version, binlogFormat string
		maxPacket, flush      int64
		logBin                bool
	)
	err = probe.QueryRowContext(ctx,
		"SELECT version(), @@max_allowed_packet, @@innodb_flush_log_at_trx_commit, @@binlog_format, @@log_bin").
		Scan(&version, &maxPacket, &flush, &binlogFormat, &logBin)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", dsn.where(), err)
	}
	s.limits = Limits{Version: version, MaxPart: maxPacket - 64<<10, Durable: flush == 1}
	if flush != 1 {
		s.limits.Warnings = append(s.limits.Warnings, fmt.Sprintf(
			"innodb_flush_log_at_trx_commit is %d: a crash of the database machine may lose up to a second of acknowledged mail; set it to 1", flush))
	}
	if logBin && binlogFormat == "STATEMENT" {
		return errors.New("binlog_format is STATEMENT: the server refuses READ COMMITTED writes then; set it to ROW or MIXED")
	}
	// The driver must know the server's packet limit: beyond it the server
	// hangs up instead of answering.
	if c, err = newConnector(dsn, s.opt.Password, int(maxPacket)); err != nil {
		return err
	}
	s.d = mysqlDialect(strings.Contains(version, "MariaDB"), int(maxPacket))
	s.db = sql.OpenDB(c)
	s.db.SetMaxOpenConns(maxConnections)
	s.db.SetMaxIdleConns(maxConnections)
	// Long enough to be cheap, short enough to come back to a better host.
	s.db.SetConnMaxLifetime(10 * time.Minute)
	s.write = s.db
	if s.opt.Writers == 0 {
		s.opt.Writers = 8
	}
	return s.learnCharset(ctx)
}

// learnCharset sees whether the text columns take 4-byte characters.
func (s *Store) learnCharset(ctx context.Context) error {
	var n int
	err := s.db.QueryRowContext(ctx, `SELECT count(*) FROM information_schema.columns
		WHERE table_schema = database() AND table_name IN (?, ?, ?)
		AND column_name IN ('headervalue', 'envelope', 'sortfield', 'referencesfield')
		AND character_set_name <> 'utf8mb4'`,
		s.t.headervalue, s.t.envelope, s.t.referencesfield).Scan(&n)
	if err != nil {
		return fmt.Errorf("learn the charset of the store: %w", err)
	}
	if n > 0 {
		s.limits.UTF8MB3 = true
		s.limits.Warnings = append(s.limits.Warnings,
			"the header columns are not utf8mb4 (DBMail's upgrade step 35001 is missing): characters they cannot hold are cached as U+FFFD; the messages themselves are whole")
	}
	return nil
}

// connector opens connections to the first host that takes writes.
type connector struct {
	hosts []driver.Connector
	names []string

	mu    sync.Mutex
	avoid map[int]time.Time // hosts that failed, until when
}

func newConnector(dsn DSN, password string, maxPacket int) (*connector, error) {
	c := &connector{avoid: map[int]time.Time{}}
	addresses, network := dsn.Hosts, "tcp"
	if dsn.Socket != "" {
		addresses, network = []string{dsn.Socket}, "unix"
	}
	for _, a := range addresses {
		cfg := mysql.NewConfig()
		cfg.Net, cfg.Addr = network, a
		cfg.User, cfg.Passwd, cfg.DBName = dsn.User, password, dsn.Database
		cfg.TLSConfig = dsn.TLS
		cfg.Collation = "utf8mb4_general_ci"
		cfg.InterpolateParams = true
		cfg.MultiStatements = true // see batch
		cfg.Timeout = dialTimeout
		cfg.ReadTimeout, cfg.WriteTimeout = ioTimeout, ioTimeout
		cfg.MaxAllowedPacket = maxPacket
		cfg.Logger = silent{}
		hc, err := mysql.NewConnector(cfg)
		if err != nil {
			return nil, err
		}
		c.hosts = append(c.hosts, hc)
		c.names = append(c.names, a)
	}
	return c, nil
}

// silent keeps the driver from printing to standard error: each of its
// messages comes back to us as an error too.
type silent struct{}

func (silent) Print(...any) {}

// Driver implements driver.Connector.
func (c *connector) Driver() driver.Driver { return c.hosts[0].Driver() }

// Connect implements driver.Connector: hosts in the DSN's order, those that
// failed a moment ago last.
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	var failures []error
	for _, i := range c.order() {
		conn, err := c.hosts[i].Connect(ctx)
		if err == nil {
			if err = prepare(ctx, conn); err == nil {
				c.judge(i, true)
				return conn, nil
			}
			conn.Close()
		}
		c.judge(i, false)
		failures = append(failures, fmt.Errorf("%s: %w", c.names[i], err))
	}
	return nil, errors.Join(failures...)
}

func (c *connector) order() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	var good, bad []int
	for i := range c.hosts {
		if time.Now().Before(c.avoid[i]) {
			bad = append(bad, i)
		} else {
			good = append(good, i)
		}
	}
	return append(good, bad...)
}

func (c *connector) judge(i int, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if ok {
		delete(c.avoid, i)
	} else {
		c.avoid[i] = time.Now().Add(10 * time.Second)
	}
}

// errNotWritable is a server that answers but takes no writes now: read-only,
// or a Galera node outside the primary component.
var errNotWritable = errors.New("the server takes no writes (read_only or not in the primary component)")

// sessionSetup is said on each new connection. READ COMMITTED has no gap
// locks, which are what makes concurrent INSERTs deadlock; strict mode makes
// the server refuse what it would silently cut.
const sessionSetup = "SET SESSION sql_mode = 'STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION', " +
	"time_zone = '+00:00', innodb_lock_wait_timeout = 5"

func prepare(ctx context.Context, conn driver.Conn) error {
	ex, ok := conn.(driver.ExecerContext)
	q, ok2 := conn.(driver.QueryerContext)
	if !ok || !ok2 {
		return errors.New("driver without Exec or Query")
	}
	for _, stmt := range []string{sessionSetup, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED"} {
		if _, err := ex.ExecContext(ctx, stmt, nil); err != nil {
			return fmt.Errorf("set up the session: %w", err)
		}
	}
	// One row "ON"/"OFF" each; wsrep_ready exists only with Galera.
	for _, probe := range []struct{ query, bad string }{
		{"SELECT 'read_only', @@global.read_only", "1"},
		{"SHOW STATUS LIKE 'wsrep_ready'", "OFF"},
	} {
		rows, err := q.QueryContext(ctx, probe.query, nil)
		if err != nil {
			return err
		}
		value, err := secondColumn(rows)
		if err != nil {
			return err
		}
		if value == probe.bad && probe.bad == "OFF" {
			// wsrep_ready is OFF as well where Galera is not configured.
			if !galera(ctx, q) {
				continue
			}
		}
		if value == probe.bad {
			return errNotWritable
		}
	}
	return nil
}

func galera(ctx context.Context, q driver.QueryerContext) bool {
	rows, err := q.QueryContext(ctx, "SHOW VARIABLES LIKE 'wsrep_on'", nil)
	if err != nil {
		return false
	}
	v, err := secondColumn(rows)
	return err == nil && v == "ON"
}

// secondColumn reads the second column of the first row; "" without a row.
func secondColumn(rows driver.Rows) (string, error) {
	defer rows.Close()
	dest := make([]driver.Value, len(rows.Columns()))
	if err := rows.Next(dest); err != nil || len(dest) < 2 {
		return "", nil //nolint:nilerr // io.EOF: the server has no such variable
	}
	switch v := dest[1].(type) {
	case []byte:
		return string(v), nil
	case string:
		return v, nil
	case int64:
		return fmt.Sprint(v), nil
	}
	return "", nil
}
