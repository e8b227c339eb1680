package directory

import (
	"os"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"gatepost/internal/daemon"
)

// Config is directory.toml, which all daemons share. Only uris and base have
// no default.
type Config struct {
	// URIs of the servers, the preferred one first: ldap://HOST[:PORT],
	// ldaps://HOST[:PORT] or ldapi://%2Fpath%2Fof%2Fsocket.
	URIs daemon.Strings `toml:"uris"`
	// Base below which everything is found.
	Base string `toml:"base"`
	// AccountBase, GroupBase and DomainBase. Default: base.
	AccountBase string `toml:"account_base"`
	GroupBase   string `toml:"group_base"`
	DomainBase  string `toml:"domain_base"`
	// Preset: dbmail, inetorgperson, qmail or ad. Default: dbmail.
	Preset string `toml:"preset"`

	// BindDN and the file of its password. Default: anonymous.
	BindDN           string `toml:"bind_dn"`
	BindPasswordFile string `toml:"bind_password_file"`
	// SASLExternal binds as who the server takes us for by our certificate
	// or, on ldapi://, by our user. Default: false.
	SASLExternal bool `toml:"sasl_external"`

	// StartTLS on ldap:// servers, without which they are not used. Default: false.
	StartTLS bool `toml:"start_tls"`
	// CAFile has the authorities that may sign the servers' certificates,
	// which are always checked. Default: the system's.
	CAFile string `toml:"ca_file"`
	// CertFile and KeyFile are our own certificate. Default: none.
	CertFile string `toml:"cert_file"`
	KeyFile  string `toml:"key_file"`

	// Sentinel is the DN of an entry that is always there, or a filter in
	// parentheses that finds one: a server that does not find it is not
	// believed when it finds nothing. Default: none.
	Sentinel string `toml:"sentinel"`

	// Timeout of a search. Default: 10s.
	Timeout daemon.Duration `toml:"timeout"`
	// ConnectTimeout of TCP, TLS and bind together. Default: 2s.
	ConnectTimeout daemon.Duration `toml:"connect_timeout"`
	// Connections to the server in use, 1 to 3. Default: 2.
	Connections int `toml:"connections"`

	Cache      CacheConfig `toml:"cache"`
	Attributes Attributes  `toml:"attributes"`
}

// CacheConfig is [cache].
type CacheConfig struct {
	// PositiveTTL and NegativeTTL are how long an answer is good. Default: 5m, 30s.
	PositiveTTL daemon.Duration `toml:"positive_ttl"`
	NegativeTTL daemon.Duration `toml:"negative_ttl"`
	// MaxStale is how old an answer may be while no server answers. Default: 12h.
	MaxStale daemon.Duration `toml:"max_stale"`
	// MaxStaleAuthorisation is how long past its time an answer may be that
	// grants something; at most 5m. Default: 5m.
	MaxStaleAuthorisation daemon.Duration `toml:"max_stale_authorisation"`
	// MaxBytes of memory. Default: 16M.
	MaxBytes daemon.Size `toml:"max_bytes"`
	// Coherence: a change in the directory is seen at once, where the server
	// speaks syncrepl (RFC 4533). Default: false.
	Coherence bool `toml:"coherence"`
}

// DefaultConfig gives the defaults.
func DefaultConfig() Config {
	cache := DefaultCacheOptions()
	return Config{
		Preset: "dbmail", Timeout: daemon.Duration(DefaultTimeout), ConnectTimeout: daemon.Duration(DefaultConnectTimeout),
		Connections: DefaultConnections,
		Cache: CacheConfig{
			PositiveTTL: daemon.Duration(cache.PositiveTTL), NegativeTTL: daemon.Duration(cache.NegativeTTL),
			MaxStale: daemon.Duration(cache.MaxStale), MaxStaleAuthorisation: daemon.Duration(cache.MaxStaleAuthorisation),
			MaxBytes: daemon.Size(cache.MaxBytes),
		},
	}
}

// LoadConfig reads a file and reports all that is wrong with it. Relative
// paths are those of the process; a password file may be "credential:NAME".
func LoadConfig(path string) (Config, daemon.Problems) {
	c := DefaultConfig()
	file, _ := daemon.LoadConfig(path, &c)
	c.validate(file)
	return c, file.Problems()
}

func (c *Config) validate(f *daemon.Config) {
	if len(c.URIs) == 0 {
		f.Problem("uris", "missing; want for example uris = [\"ldap://ldap.example.com\"]")
	}
	c.validateURIs(f)
	if c.Base == "" {
		f.Problem("base", "missing; want for example base = \"dc=example,dc=com\"")
	}
	for _, k := range []struct{ key, dn string }{{"base", c.Base}, {"account_base", c.AccountBase}, {"group_base", c.GroupBase},
		{"domain_base", c.DomainBase}, {"bind_dn", c.BindDN}} {
		if _, err := ldap.ParseDN(k.dn); err != nil {
			f.Problem(k.key, "%q is not a distinguished name (%v)", k.dn, err)
		}
	}
	if strings.HasPrefix(c.Sentinel, "(") {
		if _, err := ldap.CompileFilter(c.Sentinel); err != nil {
			f.Problem("sentinel", "%q is not a filter (%v)", c.Sentinel, err)
		}
	} else if _, err := ldap.ParseDN(c.Sentinel); err != nil {
		f.Problem("sentinel", "%q is neither a distinguished name (%v) nor a filter in parentheses", c.Sentinel, err)
	}
	c.validateBind(f)
	if (c.CertFile == "") != (c.KeyFile == "") {
		f.Problem("cert_file", "cert_file and key_file belong together; set both or none")
	}
	for _, k := range []struct{ key, path string }{{"ca_file", c.CAFile}, {"cert_file", c.CertFile}, {"key_file", c.KeyFile}} {
		if k.path == "" {
			continue
		}
		if file, err := os.Open(k.path); err != nil {
			f.Problem(k.key, "%v", err)
		} else {
			file.Close()
		}
	}
	for _, k := range []struct {
		key   string
		value int64
	}{{"timeout", int64(c.Timeout)}, {"connect_timeout", int64(c.ConnectTimeout)}, {"cache.max_bytes", int64(c.Cache.MaxBytes)}} {
		if k.value == 0 {
			f.Problem(k.key, "must be greater than 0")
		}
	}
	if c.Connections < 1 || c.Connections > MaxConnections-1 {
		f.Problem("connections", "%d is not between 1 and %d", c.Connections, MaxConnections-1)
	}
	if c.Cache.MaxStaleAuthorisation > daemon.Duration(maxStaleAuthorisation) {
		f.Problem("cache.max_stale_authorisation", "%v is more than 5m, which is the most that a right may outlive its proof", c.Cache.MaxStaleAuthorisation)
	}
	p, err := PresetNamed(c.Preset)
	if err != nil {
		f.Problem("preset", "%v", err)
		return
	}
	p.Attributes.over(c.Attributes).problems(func(key, format string, args ...any) {
		f.Problem("attributes."+key, format, args...)
	})
}

func (c *Config) validateURIs(f *daemon.Config) {
	for _, uri := range c.URIs {
		scheme, host, ok := strings.Cut(uri, "://")
		if scheme = strings.ToLower(scheme); !ok || !slices.Contains([]string{"ldap", "ldaps", "ldapi"}, scheme) {
			f.Problem("uris", "%q is no URI of a directory server; write ldap://HOST, ldaps://HOST or ldapi://%%2Fpath", uri)
		} else if strings.ContainsAny(host, "?, ") || strings.Contains(strings.TrimRight(host, "/"), "/") && scheme != "ldapi" {
			f.Problem("uris", "%q has more than a host and a port; give each server a string of its own", uri)
		}
	}
}

func (c *Config) validateBind(f *daemon.Config) {
	switch {
	case c.SASLExternal && c.BindDN != "":
		f.Problem("sasl_external", "with bind_dn there are two ways to bind; choose one")
	case c.BindDN == "" && c.BindPasswordFile != "":
		f.Problem("bind_password_file", "has no use without bind_dn")
	case c.BindDN != "" && c.BindPasswordFile == "":
		f.Problem("bind_dn", "needs bind_password_file")
	case c.BindPasswordFile != "":
		if _, err := daemon.ReadSecret(c.BindPasswordFile); err != nil {
			f.Problem("bind_password_file", "%v", err)
		}
	}
}
