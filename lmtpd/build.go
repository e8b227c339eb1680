package lmtpd

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/dbmail"
	"gatepost/internal/directory"
)

// OpenStore opens the store that the configuration names.
func (c *Config) OpenStore(ctx context.Context, log *slog.Logger) (*dbmail.Store, error) {
	dsn, err := dbmail.ParseDSN(c.Store.DSN)
	if err != nil {
		return nil, err
	}
	o := dbmail.Options{
		Prefix: c.Store.TablePrefix, Hash: c.Store.HashAlgorithm, CacheAllHeaders: c.Store.HeaderCache == "all",
		RepeatWindow: time.Duration(c.RepeatWindow), Log: log,
	}
	if dsn.PasswordFile != "" {
		if o.Password, err = daemon.ReadSecret(dsn.PasswordFile); err != nil {
			return nil, fmt.Errorf("password of the store: %w", err)
		}
	}
	return dbmail.Open(ctx, dsn, o)
}

// SameStore says that two configurations name the same store with the same
// settings, so that a reload may keep the connections.
func (c *Config) SameStore(o *Config) bool {
	prefix := func(p *string) string {
		if p == nil {
			return dbmail.DefaultPrefix
		}
		return *p
	}
	return c.Store.DSN == o.Store.DSN && prefix(c.Store.TablePrefix) == prefix(o.Store.TablePrefix) &&
		c.Store.HashAlgorithm == o.Store.HashAlgorithm && c.Store.HeaderCache == o.Store.HeaderCache &&
		c.RepeatWindow == o.RepeatWindow
}

// Settings makes a server's settings for an open store and the directory, if
// recipients are looked for there. A nil store gives settings with which every
// client is asked to come back later.
func (c *Config) Settings(store *dbmail.Store, d *Directory, certs *daemon.Certificates, log *slog.Logger, m *Metrics) (*Settings, error) {
	s := &Settings{
		Hostname: c.Hostname, Store: store, RequireTLS: c.TLS.Required, Peers: c.peers(),
		MaxMessageSize: int64(c.MaxMessageSize), MaxRecipients: c.MaxRecipients, MaxMemory: int64(c.MaxMemory),
		IdleTimeout: time.Duration(c.IdleTimeout), QuotaTemporary: c.QuotaFailure == "soft",
		Delivery: c.Delivery, Charset: c.Charset, Log: log, Metrics: m,
	}
	if store != nil {
		s.Recipients = c.sources(store, d, log)
	}
	if certs != nil {
		s.TLS = certs.ServerConfig()
	}
	var err error
	s.Smarthost, err = c.smarthost()
	return s, err
}

// Certificates loads the server's certificate; nil when none is configured.
func (c *Config) Certificates(log *slog.Logger) (*daemon.Certificates, error) {
	if c.TLS.Certificate == "" {
		return nil, nil
	}
	return daemon.LoadCertificates(daemon.CertFiles{
		Certificate: c.TLS.Certificate, Key: c.TLS.Key, ClientCA: c.TLS.ClientCA, ClientMay: len(c.Peers) > 0,
	}, log)
}

func (c *Config) smarthost() (*Smarthost, error) {
	if c.Smarthost.Address == "" {
		return nil, nil
	}
	a, err := daemon.ParseAddress(c.Smarthost.Address)
	if err != nil {
		return nil, err
	}
	h := &Smarthost{Network: "tcp", Address: net.JoinHostPort(a.Host, a.Port), Hostname: c.Hostname, Timeout: time.Duration(c.Smarthost.Timeout)}
	if a.Network == "unix" {
		h.Network, h.Address = "unix", a.Path
	}
	switch c.Smarthost.TLS {
	case "may":
		// Opportunistic (RFC 7435): better than clear text, proves nothing.
		h.TLS = &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS12}
	case "verify":
		h.TLS = &tls.Config{ServerName: a.Host, MinVersion: tls.VersionTLS12}
		h.TLSRequired = true
		if c.Smarthost.CA != "" {
			pem, err := os.ReadFile(c.Smarthost.CA)
			if err != nil {
				return nil, fmt.Errorf("smarthost.ca: %w", err)
			}
			h.TLS.RootCAs = x509.NewCertPool()
			if !h.TLS.RootCAs.AppendCertsFromPEM(pem) {
				return nil, fmt.Errorf("smarthost.ca: %s holds no certificate", c.Smarthost.CA)
			}
		}
	}
	return h, nil
}

// Addresses are where to listen: what the command line says, else the
// configuration, else the sockets that systemd passed, else port 24 of the
// loopback interface.
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
		out = []string{"inet:127.0.0.1:24"}
	}
	return out
}

// Guard bounds who may connect and how often.
func (c *Config) Guard() daemon.GuardOptions {
	allow := c.Allow
	if len(c.Peers) > 0 {
		allow = nil
		for _, p := range c.peers() {
			allow = append(allow, p.Networks...)
		}
		if len(allow) == 0 { // unix sockets alone: an empty list would allow all
			allow = []netip.Prefix{netip.MustParsePrefix("255.255.255.255/32")}
		}
	}
	return daemon.GuardOptions{
		MaxConnections: c.MaxConnections, MaxPerPeer: c.MaxPerClient, Allow: allow,
		Refuse: func(conn net.Conn, why daemon.Refusal) {
			text := "421 4.3.2 too many connections, try again later\r\n"
			if why == daemon.RefusedPeer {
				text = "421 4.7.0 not from your address\r\n"
			}
			_, _ = conn.Write([]byte(text))
		},
	}
}

// Does is what the server does, of that which a store may ask for.
func (c *Config) Does() dbmail.Does {
	return dbmail.Does{
		Directory: c.usesDirectory(), SQL: slices.Contains(c.Recipients, "sql"),
		Smarthost: c.Smarthost.Address != "", Filters: c.Delivery.Filters,
		AutoReplies: c.Delivery.AutoReplies, Notifications: c.Delivery.AutoNotifications,
	}
}

// Check tries everything that a start would need and gives sentences: what is
// wrong, and what the administrator should know. people is the directory's
// configuration, nil if there is none.
func (c *Config) Check(ctx context.Context, people *directory.Config, log *slog.Logger) (wrong, notes []string) {
	if _, err := c.Certificates(log); err != nil {
		wrong = append(wrong, "tls: "+err.Error())
	}
	if _, err := c.smarthost(); err != nil {
		wrong = append(wrong, err.Error())
	}
	if people != nil {
		d := OpenDirectory(people, log)
		if err := d.Check(ctx); err != nil {
			wrong = append(wrong, "directory: "+err.Error())
		}
		d.Close()
	}
	store, err := c.OpenStore(ctx, log)
	if err != nil {
		return append(wrong, "store.dsn: "+err.Error()), notes
	}
	defer store.Close()
	notes = append(notes, store.Limits().Warnings...)
	if does := c.Does(); !does.Smarthost && (does.AutoReplies || does.Notifications) {
		notes = append(notes, "delivery.auto_replies and auto_notifications need [smarthost] address: without it none are sent")
	}
	if limit := store.Limits().MaxPart; limit < int64(c.MaxMessageSize) {
		notes = append(notes, fmt.Sprintf("max_message_size is %d, but the server's max_allowed_packet lets messages of %d bytes through: SIZE %d is advertised", c.MaxMessageSize, limit, limit))
	}
	findings, err := store.Findings(ctx, c.Does())
	if err != nil {
		return append(wrong, "store: "+err.Error()), notes
	}
	for _, f := range findings {
		switch {
		case slices.Contains(c.Ignore, f.Name):
			notes = append(notes, "ignored: "+f.String())
		case f.Passing:
			notes = append(notes, f.String())
		default:
			wrong = append(wrong, f.String()+fmt.Sprintf(" (accept it with: ignore = [%q])", f.Name))
		}
	}
	return wrong, notes
}
