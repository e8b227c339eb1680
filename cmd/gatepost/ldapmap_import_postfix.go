package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// importedPostfix is [postfix] of ldapmap.toml.
type importedPostfix struct {
	RecipientDelimiter            string   `json:"recipient_delimiter"`
	Mydestination                 []string `json:"mydestination"`
	Myorigin                      string   `json:"myorigin"`
	InetInterfaces                []string `json:"inet_interfaces"`
	ParentDomainMatchesSubdomains []string `json:"parent_domain_matches_subdomains"`
	PropagateUnmatchedExtensions  []string `json:"propagate_unmatched_extensions"`
	OwnerRequestSpecial           bool     `json:"owner_request_special"`
	DoubleBounceSender            string   `json:"double_bounce_sender"`
}

// postfixKeys are the parameters that importedPostfix holds.
var postfixKeys = []string{"recipient_delimiter", "mydestination", "myorigin", "inet_interfaces", "parent_domain_matches_subdomains",
	"propagate_unmatched_extensions", "owner_request_special", "double_bounce_sender"}

// readPostfix asks for what the classes have to know.
func (p *importPlan) readPostfix(ctx context.Context) error {
	v, err := p.config.Values(ctx, postfixKeys...)
	if err != nil {
		return err
	}
	p.Postfix = importedPostfix{
		RecipientDelimiter: v["recipient_delimiter"], Myorigin: v["myorigin"], InetInterfaces: []string{}, Mydestination: []string{},
		ParentDomainMatchesSubdomains: listed(v["parent_domain_matches_subdomains"]),
		PropagateUnmatchedExtensions:  listed(v["propagate_unmatched_extensions"]),
		OwnerRequestSpecial:           !strings.EqualFold(v["owner_request_special"], "no"), DoubleBounceSender: v["double_bounce_sender"],
	}
	if file := p.Postfix.Myorigin; strings.HasPrefix(file, "/") {
		text, err := os.ReadFile(file)
		if err != nil {
			p.note("myorigin: %v; write the name by hand", err)
		}
		p.Postfix.Myorigin = strings.TrimSpace(string(text))
	}
	for _, name := range listed(v["mydestination"]) {
		if strings.ContainsAny(name, "/:!$") && !strings.HasPrefix(name, "[") {
			p.note("mydestination: of %s the domains are not seen; where their users are looked up without a domain, add them by hand", name)
			continue
		}
		p.Postfix.Mydestination = append(p.Postfix.Mydestination, name)
	}
	for _, name := range listed(v["inet_interfaces"]) {
		if _, err := netip.ParseAddr(strings.Trim(name, "[]")); err != nil && name != "all" && name != "loopback-only" {
			p.note("inet_interfaces: write the addresses of %s by hand", name)
			continue
		}
		p.Postfix.InetInterfaces = append(p.Postfix.InetInterfaces, name)
	}
	for _, s := range p.config.Services {
		for _, name := range s.Order {
			if slices.Contains(postfixKeys, name) {
				p.note("%s of master.cf has its own %s, which tables for that service alone have to be told by \"# gatepost: %s = …\"", s.Name, name, name)
			}
		}
	}
	return nil
}

func (p *importPlan) note(format string, args ...any) {
	p.Notes = append(p.Notes, fmt.Sprintf(format, args...))
}

// listed gives the words of a list.
func listed(text string) []string {
	words := strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(", \t", r) })
	if words == nil {
		words = []string{}
	}
	return words
}
