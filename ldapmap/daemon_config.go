package ldapmap

import (
	"net/netip"
	"slices"
	"strings"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/directory"
)

// Config is ldapmap.toml. Every key has a default, but there must be a table.
type Config struct {
	// Listen: addresses. Default: the sockets that systemd passed, else
	// unix:/var/spool/postfix/gatepost/ldapmap?mode=0660&group=postfix.
	Listen []string `toml:"listen"`
	// Control: the socket through which the operator looks up with an
	// explanation, flushes the cache and sees counters, as unix:/path; its
	// mode is 0600 unless the address says otherwise. Default: none.
	Control string `toml:"control"`
	// Tables: a directory in which each NAME.cf, an ldap_table(5) file, is
	// table NAME. Default: none.
	Tables string `toml:"tables"`
	// Directory: the directory.toml of tables with a preset. Default: the one
	// beside ldapmap.toml.
	Directory string `toml:"directory"`
	// MaxConnections at the same time. Default: 2000.
	MaxConnections int `toml:"max_connections"`
	// Allow lists the networks that may connect over inet. Default: the
	// loopback networks.
	Allow []netip.Prefix `toml:"allow"`
	// IdleTimeout of a connection. Default: 5m.
	IdleTimeout daemon.Duration `toml:"idle_timeout"`
	// DrainTimeout is how long a stop waits for requests under way. Default: 10s.
	DrainTimeout daemon.Duration `toml:"drain_timeout"`
	// Deadline of a look-up, if the table's timeout is not less; Postfix gives
	// up after 100s. Default: 30s.
	Deadline daemon.Duration `toml:"deadline"`

	Postfix Postfix               `toml:"postfix"`
	Table   map[string]MapConfig  `toml:"table"`
	Cache   directory.CacheConfig `toml:"cache"`
	Log     LogConfig             `toml:"log"`
	Metrics MetricsConfig         `toml:"metrics"`

	path string // of the file; empty: none was read
}

// MapConfig is [table.NAME].
type MapConfig struct {
	// File: an ldap_table(5) file. Default: NAME.cf in the directory of tables.
	File string `toml:"file"`
	// Preset in place of a file: virtual_alias, relay_recipient, mailbox,
	// sender_login or domain, answered from what directory.toml describes.
	Preset string `toml:"preset"`
	// Class of the map: see Class. Default: what the file's comment says, or
	// the preset; else exact.
	Class string `toml:"class"`
	// List that a table of class domain is for: relay_domains, mydestination,
	// virtual_alias_domains or virtual_mailbox_domains. Default: the table's
	// name if it is one of these, else relay_domains.
	List string `toml:"list"`
	// Authorises: answers grant something, and are not given for longer than
	// max_stale_authorisation while no server answers. Default: true for the
	// classes access and sender_login.
	Authorises *bool `toml:"authorises"`
	// Deadline of a look-up. Default: the file's timeout, at most the general
	// deadline.
	Deadline daemon.Duration `toml:"deadline"`
	// Sentinel: the DN of an entry that is always there; see directory.toml.
	// Default: none.
	Sentinel string `toml:"sentinel"`
}

// LogConfig is [log].
type LogConfig struct {
	// Format: text or json. Default: text.
	Format string `toml:"format"`
	// Level: debug (a line for each look-up), info (for each that fails),
	// warn or error. Default: info.
	Level string `toml:"level"`
}

// MetricsConfig is [metrics].
type MetricsConfig struct {
	// Listen: where /metrics, /healthz and /readyz are served. Default: nowhere.
	Listen string `toml:"listen"`
}

// defaultListen is a socket that Postfix sees from within its chroot.
const defaultListen = "unix:/var/spool/postfix/gatepost/ldapmap?mode=0660&group=postfix"

// maxDeadline leaves Postfix time to hear our answer before its 100 s are over.
const maxDeadline = 90 * time.Second

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	return Config{
		MaxConnections: 2000, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")},
		IdleTimeout: daemon.Duration(5 * time.Minute), DrainTimeout: daemon.Duration(10 * time.Second), Deadline: daemon.Duration(30 * time.Second),
		Postfix: DefaultPostfix(), Cache: directory.DefaultConfig().Cache,
		Log: LogConfig{Format: "text", Level: "info"},
	}
}

// LoadConfig reads a file, or none if path is empty, and the tables that it
// names; a directory of tables given here replaces the file's. Problems are
// all that is wrong, warnings what is taken otherwise than it is written.
func LoadConfig(path, tables string) (c Config, plan *Plan, warnings, problems daemon.Problems) {
	c = DefaultConfig()
	file := &daemon.Config{}
	if path != "" {
		file, _ = daemon.LoadConfig(path, &c)
		c.validate(file)
	}
	if tables != "" {
		c.Tables = tables
	}
	c.Postfix.known = file.IsSet("postfix.mydestination")
	c.path = path
	plan, warnings, problems = c.plan(file)
	return c, plan, warnings, append(file.Problems(), problems...)
}

func (c *Config) validate(f *daemon.Config) {
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			f.Problem(key, "%q is not known; want one of: %s", value, strings.Join(allowed, ", "))
		}
	}
	address := func(key, text string) {
		if _, err := daemon.ParseAddress(text); err != nil {
			f.Problem(key, "%v", err)
		}
	}
	for _, l := range c.Listen {
		address("listen", l)
	}
	if c.Control != "" {
		if _, err := daemon.ParseControl(c.Control); err != nil {
			f.Problem("control", "%v", err)
		}
	}
	if c.MaxConnections <= 0 {
		f.Problem("max_connections", "must be greater than 0")
	}
	if c.IdleTimeout <= daemon.Duration(time.Second) {
		f.Problem("idle_timeout", "must be longer than 1s")
	}
	if c.Deadline <= 0 || c.Deadline > daemon.Duration(maxDeadline) {
		f.Problem("deadline", "is not between 0 and %s; Postfix gives up after 100s", maxDeadline)
	}
	if c.Cache.MaxBytes <= 0 {
		f.Problem("cache.max_bytes", "must be greater than 0")
	}
	if c.Cache.MaxStaleAuthorisation > daemon.Duration(5*time.Minute) {
		f.Problem("cache.max_stale_authorisation", "%v is more than 5m, which is the most that a right may outlive its proof", c.Cache.MaxStaleAuthorisation)
	}
	oneOf("log.format", c.Log.Format, "text", "json")
	oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	if c.Metrics.Listen != "" {
		address("metrics.listen", c.Metrics.Listen)
	}
	for key, what := range c.Postfix.problems() {
		f.Problem("postfix."+key, "%s", what)
	}
}

// Addresses are where to listen: what the command line says, else the
// configuration, else the sockets that systemd passed, else a unix socket.
func (c *Config) Addresses(flags []string) []string {
	switch {
	case len(flags) > 0:
		return flags
	case len(c.Listen) > 0:
		return c.Listen
	}
	var out []string
	for _, name := range daemon.SystemdNames() {
		out = append(out, "systemd:"+name)
	}
	if len(out) == 0 {
		out = []string{defaultListen}
	}
	return out
}

// Guard bounds who may connect and how often. A Postfix that is refused tries
// once more and then defers.
func (c *Config) Guard(m *Metrics) daemon.GuardOptions {
	return daemon.GuardOptions{MaxConnections: c.MaxConnections, Allow: c.Allow, Count: m.accepted}
}

// Settings make a server's settings of tables that are open.
func (c *Config) Settings(live *Live, s Settings) *Settings {
	s.Maps, s.IdleTimeout, s.Drain = live.Maps, time.Duration(c.IdleTimeout), time.Duration(c.DrainTimeout)
	return &s
}

// CacheOptions returns how long answers live and how much room they have.
func (c *Config) CacheOptions() directory.CacheOptions {
	d := directory.Config{Cache: c.Cache}
	return d.CacheOptions()
}
