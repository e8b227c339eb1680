package lmtpd

import (
	"fmt"
	"net/netip"

	"gatepost/internal/daemon"
)

// DeliveryConfig is [delivery]: what DBMail's tables say of each user beyond
// the mailbox. All are off by default; dbmail-lmtpd always applies filters.
type DeliveryConfig struct {
	// Filters: dbmail_filters choose the mailbox, a user's own before those
	// of the store's user "anyone", whether or not that is in the directory;
	// an address with a detail never uses them. Default: false.
	Filters bool `toml:"filters"`
	// AutoReplies: dbmail_auto_replies are sent, as AUTO_REPLY in
	// dbmail.conf, with the null sender and through the smarthost: not to
	// lists, programs or other automatic mail, and to nobody twice within
	// seven days. Default: false.
	AutoReplies bool `toml:"auto_replies"`
	// AutoNotifications: dbmail_auto_notifications are sent, as AUTO_NOTIFY
	// in dbmail.conf, with the null sender and through the smarthost.
	// Default: false.
	AutoNotifications bool `toml:"auto_notifications"`
	// NotificationSubject and NotificationFrom as AUTO_NOTIFY_SUBJECT and
	// AUTO_NOTIFY_SENDER in dbmail.conf. Default: "NEW MAIL NOTIFICATION",
	// postmaster@ and the hostname.
	NotificationSubject string `toml:"notification_subject"`
	NotificationFrom    string `toml:"notification_from"`
}

// validate reports what cannot stand in a header.
func (c *DeliveryConfig) validate(f *daemon.Config) {
	if c.NotificationFrom != "" && !plainAddress(c.NotificationFrom) {
		f.Problem("delivery.notification_from", "%q is no address; want user@domain", c.NotificationFrom)
	}
	if c.NotificationSubject != clean(c.NotificationSubject) {
		f.Problem("delivery.notification_subject", "control characters cannot stand in a subject")
	}
}

// notificationFrom is the address that notifications come from.
func (c *DeliveryConfig) notificationFrom(hostname string) string {
	if c.NotificationFrom != "" {
		return c.NotificationFrom
	}
	return "postmaster@" + hostname
}

// PeerConfig is one [[peer]]: a client that may deliver. The first that a
// connection fits counts.
type PeerConfig struct {
	// Networks that it connects from; ["unix"] are unix sockets. Default: the
	// networks of allow, and unix sockets.
	Networks daemon.Strings `toml:"networks"`
	// Certificates: names (DNS names of the certificate, or its common name
	// where it has none) one of which the client's certificate must have.
	// Needs tls.client_ca. Default: none is asked for.
	Certificates daemon.Strings `toml:"certificates"`
	// Lists: it may send to lists, because it has asked whether the sender
	// may. Default: false.
	Lists bool `toml:"lists"`
}

// networks parses Networks; unix says that unix sockets are among them.
func (p *PeerConfig) networks() (nets []netip.Prefix, unix bool, err error) {
	for _, text := range p.Networks {
		if text == "unix" {
			unix = true
			continue
		}
		n, err := netip.ParsePrefix(text)
		if err != nil {
			a, err := netip.ParseAddr(text)
			if err != nil {
				return nil, false, fmt.Errorf("%q is no network; want an address, one with /LENGTH, or \"unix\"", text)
			}
			n = netip.PrefixFrom(a, a.BitLen())
		}
		nets = append(nets, n.Masked())
	}
	return nets, unix, nil
}

// peers are who may deliver. Without any [[peer]] it is who is allowed to
// connect, and to lists who is on this machine.
func (c *Config) peers() []Peer {
	allow := c.Allow
	if len(allow) == 0 {
		allow = []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0"), netip.MustParsePrefix("::/0")}
	}
	if len(c.Peers) == 0 {
		loopback := DefaultConfig().Allow // whom allow leaves out does not get so far
		return []Peer{{Networks: loopback, Unix: true, Lists: true}, {Networks: allow}}
	}
	var out []Peer
	for i := range c.Peers {
		p := &c.Peers[i]
		nets, unix, _ := p.networks() // validated by the configuration
		if len(p.Networks) == 0 {
			nets, unix = allow, true
		}
		out = append(out, Peer{Networks: nets, Unix: unix, Certificates: p.Certificates, Lists: p.Lists})
	}
	return out
}
