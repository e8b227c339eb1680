package ldapmap

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
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
	// List that a table of class domain is for; it is the table's own.
	List string `toml:"-"`

	known bool // mydestination has been given
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

// problems are what is wrong with the values, by key.
func (p *Postfix) problems() map[string]string {
	wrong := map[string]string{}
	for _, name := range p.Mydestination {
		if strings.ContainsAny(name, "$:/!") && !strings.HasPrefix(name, "[") {
			wrong["mydestination"] = fmt.Sprintf("%q is not the name of a domain; write the names that it stands for, as postconf -x shows them", name)
		}
	}
	if strings.ContainsAny(p.Myorigin, "$:/, ") {
		wrong["myorigin"] = fmt.Sprintf("%q is not the name of a domain", p.Myorigin)
	}
	for _, name := range p.InetInterfaces {
		if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err != nil && name != "all" && name != "loopback-only" {
			wrong["inet_interfaces"] = fmt.Sprintf("%q is neither an address nor all or loopback-only", name)
		}
	}
	for _, name := range p.PropagateUnmatchedExtensions {
		if !slices.Contains([]string{"canonical", "virtual", "alias", "forward", "include", "generic"}, name) {
			wrong["propagate_unmatched_extensions"] = fmt.Sprintf("%q is not known; want any of: canonical, virtual, alias, forward, include, generic", name)
		}
	}
	if strings.Contains(p.RecipientDelimiter, "@") || strings.ContainsAny(p.RecipientDelimiter, " \t") {
		wrong["recipient_delimiter"] = fmt.Sprintf("%q: blanks and @ cannot begin an extension", p.RecipientDelimiter)
	}
	return wrong
}

// set takes a value as main.cf has it; false says that there is no such key.
func (p *Postfix) set(key, value string) bool {
	switch key {
	case "recipient_delimiter":
		p.RecipientDelimiter = value
	case "mydestination":
		p.Mydestination, p.known = words(value), true
	case "myorigin":
		p.Myorigin = value
	case "inet_interfaces":
		p.InetInterfaces = words(value)
	case "parent_domain_matches_subdomains":
		p.ParentDomainMatchesSubdomains = words(value)
	case "propagate_unmatched_extensions":
		p.PropagateUnmatchedExtensions = words(value)
	case "owner_request_special":
		p.OwnerRequestSpecial = !strings.EqualFold(value, "no")
	case "double_bounce_sender":
		p.DoubleBounceSender = value
	default:
		return false
	}
	return true
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
