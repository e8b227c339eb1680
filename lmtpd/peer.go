package lmtpd

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/net/idna"
)

// Peer is a kind of client that may deliver.
type Peer struct {
	Networks []netip.Prefix // that it connects from
	Unix     bool           // it connects over unix sockets
	// Certificates are names one of which its certificate must have; none:
	// no certificate is needed.
	Certificates []string
	// Lists: it may send to lists.
	Lists bool
}

// from says whether a connection comes from where the peer does.
func (p *Peer) from(c net.Conn) bool {
	a, ok := c.RemoteAddr().(*net.TCPAddr)
	if !ok {
		return p.Unix
	}
	addr := a.AddrPort().Addr().Unmap().WithZone("")
	return slices.ContainsFunc(p.Networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// identify finds the peer that a client is: the first that it fits. Without
// one, the error says what a client would have to do.
func identify(peers []Peer, c net.Conn, state *tls.ConnectionState) (*Peer, error) {
	why := errStranger
	for i := range peers {
		p := &peers[i]
		switch {
		case !p.from(c):
		case len(p.Certificates) == 0:
			return p, nil
		case state == nil:
			why = errNeedsTLS
		case len(state.VerifiedChains) == 0:
			why = errNoCertificate
		case hasName(state.PeerCertificates[0], p.Certificates):
			return p, nil
		default:
			why = errOtherCertificate
		}
	}
	return nil, why
}

// hasName says whether a certificate has one of the names: a DNS name, or the
// common name where it has no DNS name at all (RFC 6125 6.4.4).
func hasName(c *x509.Certificate, names []string) bool {
	own := c.DNSNames
	if len(own) == 0 && c.Subject.CommonName != "" {
		own = []string{c.Subject.CommonName}
	}
	return slices.ContainsFunc(own, func(name string) bool {
		return slices.ContainsFunc(names, func(wanted string) bool { return sameHost(name, wanted) })
	})
}

func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(hostLabels(a), "."), strings.TrimSuffix(hostLabels(b), "."))
}

// hostLabels gives a name in A-labels (RFC 5890), as certificates have it.
func hostLabels(name string) string {
	if a, err := idna.Lookup.ToASCII(name); err == nil {
		return a
	}
	return name
}
