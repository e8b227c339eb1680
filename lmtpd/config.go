package lmtpd

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
)

// Config is lmtpd.toml. Every key has a default but those of [store].
type Config struct {
	// Hostname is the name in the greeting. Default: the machine's.
	Hostname string `toml:"hostname"`
	// Listen: addresses. Default: the sockets that systemd passed, else
	// inet:127.0.0.1:24. unix:/path?mode=0660&group=postfix works too.
	Listen []string `toml:"listen"`
	// Recipients says who answers what an address stands for: "directory"
	// (LDAP), "sql" (DBMail's own tables), or both in their order: the
	// second is asked when the first knows that there is no such recipient.
	// Default: "sql".
	Recipients daemon.Strings `toml:"recipients"`
	// Directory is the file that says where the directory is. Default:
	// directory.toml beside this file.
	Directory string `toml:"directory"`
	// Service that an account of the directory must have, as in
	// authorizedService, to get mail. Default: none is asked for.
	Service string `toml:"service"`
	// MaxMessageSize of one message. The store may take less. Default: 100M.
	MaxMessageSize daemon.Size `toml:"max_message_size"`
	// MaxMemory of all messages that are being received or stored. A
	// message that finds no room is deferred (452). Default: 2G.
	MaxMemory daemon.Size `toml:"max_memory"`
	// MaxRecipients of one message. Default: 1000.
	MaxRecipients int `toml:"max_recipients"`
	// MaxConnections at the same time. Default: 200.
	MaxConnections int `toml:"max_connections"`
	// MaxPerClient connections at the same time from one address. Default: 0,
	// without limit.
	MaxPerClient int `toml:"max_per_client"`
	// Allow lists the networks that may connect over inet. Default: the
	// loopback networks.
	Allow []netip.Prefix `toml:"allow"`
	// IdleTimeout of a client. Default: 5m.
	IdleTimeout daemon.Duration `toml:"idle_timeout"`
	// DrainTimeout is how long a stop waits for messages under way. Default: 30s.
	DrainTimeout daemon.Duration `toml:"drain_timeout"`
	// QuotaFailure is the reply for a full mailbox: "hard" (552 5.2.2) or
	// "soft" (452 4.2.2), as in dbmail.conf. Default: hard.
	QuotaFailure string `toml:"quota_failure"`
	// Charset that undeclared 8-bit text in headers is taken for when it is
	// not UTF-8. Default: windows-1252.
	Charset string `toml:"default_charset"`
	// RepeatWindow is how long the same bytes from the same sender to the
	// same user are one delivery. Default: 132h, Postfix's queue
	// lifetime and some hours for the last attempt.
	RepeatWindow daemon.Duration `toml:"repeat_window"`
	// Ignore names findings of --check that are known and accepted.
	Ignore []string `toml:"ignore"`

	Store     StoreConfig     `toml:"store"`
	Delivery  DeliveryConfig  `toml:"delivery"`
	Peers     []PeerConfig    `toml:"peer"`
	TLS       TLSConfig       `toml:"tls"`
	Smarthost SmarthostConfig `toml:"smarthost"`
	Log       LogConfig       `toml:"log"`
	Metrics   MetricsConfig   `toml:"metrics"`
}

// StoreConfig is [store].
type StoreConfig struct {
	// DSN: sqlite:/path/store.db, mysql://user@host[:port]/database or
	// mysql://user@/database?socket=/path, with ?password_file=/path.
	DSN string `toml:"dsn"`
	// TablePrefix as in dbmail.conf. Default: dbmail_.
	TablePrefix *string `toml:"table_prefix"`
	// HashAlgorithm as in dbmail.conf: md5, sha1, sha256 or sha512. Default: sha1.
	HashAlgorithm string `toml:"hash_algorithm"`
	// HeaderCache: "known" caches the headers whose names the store has (as
	// DBMail does by default), "all" adds names, which is
	// header_cache_readonly=no. Default: known.
	HeaderCache string `toml:"header_cache"`
}

// TLSConfig is [tls]. STARTTLS is offered when certificate and key are set.
type TLSConfig struct {
	// Certificate and key, PEM files; re-read when they change. Default: none.
	Certificate string `toml:"certificate"`
	Key         string `toml:"key"`
	// ClientCA, a PEM file: clients must show a certificate that it signed,
	// or, where there are [[peer]], those that have certificates there.
	// Default: none is asked for.
	ClientCA string `toml:"client_ca"`
	// Required refuses mail without STARTTLS. Default: false.
	Required bool `toml:"required"`
}

// SmarthostConfig is [smarthost]: where forwards to addresses elsewhere go.
type SmarthostConfig struct {
	// Address: inet:HOST:PORT or unix:/path. Default: none; forwards are
	// deferred.
	Address string `toml:"address"`
	// TLS: "off", "may" (when offered, unverified) or "verify" (required and
	// verified). Default: may.
	TLS string `toml:"tls"`
	// CA, a PEM file, for "verify". Default: the system's.
	CA string `toml:"ca"`
	// Timeout of one command. Default: 60s.
	Timeout daemon.Duration `toml:"timeout"`
}

// LogConfig is [log].
type LogConfig struct {
	// Format: text or json. Default: text.
	Format string `toml:"format"`
	// Level: debug, info, warn or error. Default: info.
	Level string `toml:"level"`
}

// MetricsConfig is [metrics].
type MetricsConfig struct {
	// Listen: where /metrics, /healthz and /readyz are served. Default: nowhere.
	Listen string `toml:"listen"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	name, err := os.Hostname()
	if err != nil {
		name = "localhost"
	}
	return Config{
		Hostname: name, Recipients: daemon.Strings{"sql"}, MaxMessageSize: 100 << 20, MaxMemory: 2 << 30, MaxRecipients: 1000,
		MaxConnections: 200, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		IdleTimeout: daemon.Duration(5 * time.Minute), DrainTimeout: daemon.Duration(30 * time.Second),
		QuotaFailure: "hard", Charset: "windows-1252", RepeatWindow: daemon.Duration(dbmail.DefaultRepeatWindow),
		Delivery:  DeliveryConfig{NotificationSubject: "NEW MAIL NOTIFICATION"},
		Store:     StoreConfig{HashAlgorithm: "sha1", HeaderCache: "known"},
		Smarthost: SmarthostConfig{TLS: "may", Timeout: daemon.Duration(time.Minute)},
		Log:       LogConfig{Format: "text", Level: "info"},
	}
}

// LoadConfig reads a file and reports all that is wrong with it.
func LoadConfig(path string) (Config, daemon.Problems) {
	c := DefaultConfig()
	file, _ := daemon.LoadConfig(path, &c)
	if c.Directory == "" {
		c.Directory = filepath.Join(filepath.Dir(path), "directory.toml")
	}
	c.validate(file)
	return c, file.Problems()
}

func (c *Config) validate(f *daemon.Config) {
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			f.Problem(key, "%q is not known; want one of: %s", value, strings.Join(allowed, ", "))
		}
	}
	positive := func(key string, n int64) {
		if n <= 0 {
			f.Problem(key, "must be greater than 0")
		}
	}
	if c.Hostname == "" || strings.ContainsAny(c.Hostname, " \t\r\n") {
		f.Problem("hostname", "%q is no host name", c.Hostname)
	}
	for _, l := range c.Listen {
		if _, err := daemon.ParseAddress(l); err != nil {
			f.Problem("listen", "%v", err)
		}
	}
	if len(c.Recipients) == 0 {
		f.Problem("recipients", "empty; want \"directory\", \"sql\" or both")
	}
	for i, r := range c.Recipients {
		oneOf("recipients", r, "directory", "sql")
		if slices.Contains(c.Recipients[:i], r) {
			f.Problem("recipients", "%q stands there twice", r)
		}
	}
	for i := range c.Peers {
		key := fmt.Sprintf("peer[%d]", i)
		if _, _, err := c.Peers[i].networks(); err != nil {
			f.Problem(key+".networks", "%v", err)
		}
		if slices.Contains(c.Peers[i].Certificates, "") {
			f.Problem(key+".certificates", "\"\" is no name")
		}
		if len(c.Peers[i].Certificates) > 0 && c.TLS.ClientCA == "" {
			f.Problem(key+".certificates", "needs tls.client_ca, the authorities that sign them")
		}
	}
	positive("max_message_size", int64(c.MaxMessageSize))
	positive("max_memory", int64(c.MaxMemory))
	if c.MaxMemory < c.MaxMessageSize {
		f.Problem("max_memory", "is less than max_message_size: the largest messages would never find room; raise it")
	}
	positive("max_recipients", int64(c.MaxRecipients))
	positive("max_connections", int64(c.MaxConnections))
	positive("idle_timeout", int64(c.IdleTimeout))
	positive("repeat_window", int64(c.RepeatWindow))
	if c.MaxPerClient < 0 {
		f.Problem("max_per_client", "must not be negative; 0 is without limit")
	}
	oneOf("quota_failure", c.QuotaFailure, "hard", "soft")
	for _, name := range c.Ignore {
		oneOf("ignore", name, dbmail.FindingNames()...)
	}
	if c.Store.DSN == "" {
		f.Problem("store.dsn", "missing; want for example dsn = \"mysql://dbmail@db.example.com/dbmail?password_file=/etc/gatepost/db.password\"")
	} else if _, err := dbmail.ParseDSN(c.Store.DSN); err != nil {
		f.Problem("store.dsn", "%v", err)
	}
	if err := dbmail.CheckHash(c.Store.HashAlgorithm); err != nil {
		f.Problem("store.hash_algorithm", "%v", err)
	}
	if p := c.Store.TablePrefix; p != nil && strings.Trim(*p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_") != "" {
		f.Problem("store.table_prefix", "%q: only letters, digits and _ may stand in it", *p)
	}
	oneOf("store.header_cache", c.Store.HeaderCache, "known", "all")
	if (c.TLS.Certificate == "") != (c.TLS.Key == "") {
		f.Problem("tls", "certificate and key belong together; set both or none")
	}
	if c.TLS.Certificate == "" && (c.TLS.Required || c.TLS.ClientCA != "") {
		f.Problem("tls", "required and client_ca need certificate and key")
	}
	c.Delivery.validate(f)
	oneOf("smarthost.tls", c.Smarthost.TLS, "off", "may", "verify")
	positive("smarthost.timeout", int64(c.Smarthost.Timeout))
	if a := c.Smarthost.Address; a != "" {
		if p, err := daemon.ParseAddress(a); err != nil {
			f.Problem("smarthost.address", "%v", err)
		} else if p.Network == "systemd" {
			f.Problem("smarthost.address", "%q cannot be connected to; want inet:HOST:PORT or unix:/path", a)
		}
	}
	oneOf("log.format", c.Log.Format, "text", "json")
	oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	if a := c.Metrics.Listen; a != "" {
		if _, err := daemon.ParseAddress(a); err != nil {
			f.Problem("metrics.listen", "%v", err)
		}
	}
}
