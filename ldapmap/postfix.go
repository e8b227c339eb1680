package ldapmap

import (
	"net"
	"net/netip"
	"os"
	"strings"
)

// Postfix is what a class has to know of Postfix's configuration: values of
// main.cf, with every $name expanded.
type Postfix struct {
	// RecipientDelimiter: the characters that begin an address extension.
	// Default: none.
	RecipientDelimiter string `toml:"recipient_delimiter"`
	// Mydestination: the domains that are this machine's, names only.
	// Required by classes that look up bare users.
	Mydestination []string `toml:"mydestination"`
	// Myorigin: the domain of names without one. Default: the machine's name.
	Myorigin string `toml:"myorigin"`
	// InetInterfaces: the machine's addresses, for user@[192.0.2.1]. Default:
	// all of them.
	InetInterfaces []string `toml:"inet_interfaces"`
	// ParentDomainMatchesSubdomains: the lists in which example.com stands
	// for its subdomains too, instead of .example.com. Default: Postfix's.
	ParentDomainMatchesSubdomains []string `toml:"parent_domain_matches_subdomains"`
	// PropagateUnmatchedExtensions: the maps that put the extension of the
	// address into the result. Default: canonical, virtual.
	PropagateUnmatchedExtensions []string `toml:"propagate_unmatched_extensions"`
	// OwnerRequestSpecial: owner-name and name-request have no extension.
	// Default: true.
	OwnerRequestSpecial bool `toml:"owner_request_special"`
	// DoubleBounceSender has no extension either. Default: double-bounce.
	DoubleBounceSender string `toml:"double_bounce_sender"`
	// List that a table of class domain is for: relay_domains, mydestination,
	// virtual_alias_domains or virtual_mailbox_domains. Postfix asks the
	// first for parents too, the others for the name alone. Default: the
	// table's name where it is one of these, else relay_domains.
	List string `toml:"list"`
}

// DefaultPostfix gives Postfix's defaults (postconf -d).
func DefaultPostfix() Postfix {
	return Postfix{
		Myorigin:                      hostname(),
		InetInterfaces:                []string{"all"},
		ParentDomainMatchesSubdomains: []string{"relay_domains", "smtpd_access_maps"},
		PropagateUnmatchedExtensions:  []string{"canonical", "virtual"},
		OwnerRequestSpecial:           true,
		DoubleBounceSender:            "double-bounce",
	}
}

// hostname is Postfix's default for myhostname and myorigin.
func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return ""
	}
	if !strings.Contains(name, ".") {
		name += ".localdomain"
	}
	return name
}

// localDomains gives the domains whose bare users Postfix looks up, folded.
func (p *Postfix) localDomains() map[string]bool {
	local := map[string]bool{}
	for _, name := range append([]string{p.Myorigin}, p.Mydestination...) {
		if folded, ok := Fold(name); ok && name != "" {
			local[folded] = true
		}
	}
	add := func(addr netip.Addr) {
		if addr.Is4() {
			local["["+addr.String()+"]"] = true
		} else {
			local["[ipv6:"+addr.WithZone("").String()+"]"] = true
		}
	}
	for _, name := range p.InetInterfaces {
		if addr, err := netip.ParseAddr(strings.Trim(name, "[]")); err == nil {
			add(addr)
			continue
		}
		addrs, err := net.InterfaceAddrs()
		if err != nil {
			continue // without AF_NETLINK: user@[address] is then a user of no domain of ours
		}
		for _, a := range addrs {
			if n, ok := a.(*net.IPNet); ok {
				addr, _ := netip.AddrFromSlice(n.IP)
				if addr = addr.Unmap(); name == "all" || addr.IsLoopback() {
					add(addr)
				}
			}
		}
	}
	return local
}
