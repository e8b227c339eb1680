package lmtpd

import (
	"net/netip"

	"gatepost/internal/daemon"
)

// DeliveryConfig is [delivery]: what DBMail's tables say of each user beyond
// the mailbox. All are off by default; dbmail-lmtpd always applies filters.
type DeliveryConfig struct {
	// Filters: dbmail_filters choose the mailbox. Default: false.
	Filters bool `toml:"filters"`
	// AutoReplies: dbmail_auto_replies are sent, as AUTO_REPLY in
	// dbmail.conf. Default: false.
	AutoReplies bool `toml:"auto_replies"`
	// AutoNotifications: dbmail_auto_notifications are sent, as AUTO_NOTIFY
	// in dbmail.conf. Default: false.
	AutoNotifications bool `toml:"auto_notifications"`
	// NotificationSubject and NotificationFrom as AUTO_NOTIFY_SUBJECT and
	// AUTO_NOTIFY_SENDER in dbmail.conf. Default: "NEW MAIL NOTIFICATION",
	// postmaster@ and the hostname.
	NotificationSubject string `toml:"notification_subject"`
	NotificationFrom    string `toml:"notification_from"`
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
			a, aerr := netip.ParseAddr(text)
			if aerr != nil {
				return nil, false, err
			}
			n = netip.PrefixFrom(a, a.BitLen())
		}
		nets = append(nets, n.Masked())
	}
	return nets, unix, nil
}
