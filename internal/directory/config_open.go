package directory

import (
	"log/slog"
	"time"

	"gatepost/internal/daemon"
)

// Kind returns the preset with the attributes that the configuration overrides.
// The configuration has to be free of problems.
func (c *Config) Kind() Preset {
	p, err := PresetNamed(c.Preset)
	if err != nil {
		p = presetDBMail()
	}
	p.Attributes = p.Attributes.over(c.Attributes)
	return p
}

// Bases say where the nouns are searched, as DNs.
type Bases struct{ Accounts, Groups, Domains string }

// Bases returns where the nouns are searched.
func (c *Config) Bases() Bases {
	or := func(dn string) string {
		if dn == "" {
			return c.Base
		}
		return dn
	}
	return Bases{Accounts: or(c.AccountBase), Groups: or(c.GroupBase), Domains: or(c.DomainBase)}
}

// Settings returns how the pool talks to the servers.
func (c *Config) Settings() Settings {
	s := Settings{URIs: c.URIs, StartTLS: c.StartTLS, TLS: TLSFiles{CAFile: c.CAFile, Cert: c.CertFile, Key: c.KeyFile},
		Timeout: time.Duration(c.Timeout), ConnectTimeout: time.Duration(c.ConnectTimeout), Connections: c.Connections}
	switch {
	case c.SASLExternal:
		s.Bind = Bind{Method: BindSASL, Mechanism: "EXTERNAL"}
	case c.BindDN != "":
		s.Bind = Bind{Method: BindSimple, DN: c.BindDN, Password: func() (string, error) { return daemon.ReadSecret(c.BindPasswordFile) }}
	}
	return s
}

// CacheOptions returns how long answers live and how much room they have.
func (c *Config) CacheOptions() CacheOptions {
	o := DefaultCacheOptions()
	o.PositiveTTL, o.NegativeTTL = time.Duration(c.Cache.PositiveTTL), time.Duration(c.Cache.NegativeTTL)
	o.MaxStale, o.MaxStaleAuthorisation = time.Duration(c.Cache.MaxStale), time.Duration(c.Cache.MaxStaleAuthorisation)
	o.MaxBytes = int(c.Cache.MaxBytes)
	return o
}

// DoubtOptions return when "nothing found" is believed.
func (c *Config) DoubtOptions() DoubtOptions {
	o := DefaultDoubtOptions()
	o.Sentinel, o.SentinelBase = c.Sentinel, c.Base
	return o
}

// Open starts asking the servers, with all layers; the caller closes it. The
// configuration has to be free of problems.
func (c *Config) Open(log *slog.Logger) *Directory {
	d := New(NewPool(c.Settings(), log), c.CacheOptions(), c.DoubtOptions(), log)
	if c.Cache.Coherence {
		d.Follow(c.Base)
		for _, base := range []string{c.AccountBase, c.GroupBase, c.DomainBase} {
			if base != "" && !belowDN(foldDN(base), foldDN(c.Base)) {
				d.Follow(base)
			}
		}
	}
	return d
}
