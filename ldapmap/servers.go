package ldapmap

import (
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"

	"gatepost/internal/directory"
)

// servers reads which servers a table asks, and how.
func (p *params) servers(c *TableConfig) {
	c.uris = p.uris()
	if len(c.uris) == 0 {
		c.hopeless = "server_host names no server that can be asked"
		p.note("server_host", "every look-up will be a temporary error, as with Postfix: no server can be asked")
	}
	c.startTLS = p.yes("start_tls")
	p.bind(c)
	p.tls(c)
}

// uris makes URIs of the words of server_host, as Postfix does.
func (p *params) uris() (uris []string) {
	port := p.number("server_port", 389, 0)
	for _, word := range words(p.text("server_host", "localhost")) {
		uri := word
		switch {
		case directory.IsURL(word):
		case strings.Contains(word, ":"):
			uri = "ldap://" + word
		default:
			uri = "ldap://" + net.JoinHostPort(word, strconv.Itoa(port))
		}
		uri, err := directory.ServerURI(uri)
		if err != nil {
			p.note("server_host", fmt.Sprintf("%q is skipped: %v", word, err))
			continue
		}
		uris = append(uris, uri)
	}
	return uris
}

// bind reads who the table is to the servers.
func (p *params) bind(c *TableConfig) {
	dn, password := p.text("bind_dn", ""), p.text("bind_pw", "")
	switch text := p.text("bind", "yes"); strings.ToLower(text) {
	case "no", "none":
		if dn != "" {
			p.note("bind_dn", "it has no effect with bind = no")
		}
	case "yes", "simple":
		c.bind = directory.Bind{Method: directory.BindSimple, DN: dn, Password: directory.Password(password)}
		c.password = password
		if dn != "" && password == "" {
			p.note("bind_dn", "without bind_pw the server treats the table as anonymous, or refuses it (RFC 4513 5.1.2)")
		}
	case "sasl":
		p.sasl(c, dn, password)
		return
	default:
		p.problem(p.settings["bind"].Line, "bind", fmt.Sprintf("%q is none of no, none, yes, simple, sasl", text))
	}
	for _, name := range []string{"sasl_mechs", "sasl_realm", "sasl_authz_id", "sasl_minssf"} {
		p.note(name, "it has no effect without bind = sasl")
	}
}

// sasl reads the parameters of a SASL bind.
func (p *params) sasl(c *TableConfig, user, password string) {
	ours := directory.SASLMechanisms()
	mechanisms := p.list("sasl_mechs", "")
	i := slices.IndexFunc(mechanisms, func(m string) bool { return slices.Contains(ours, strings.ToUpper(m)) })
	if i < 0 {
		line := p.settings["bind"].Line
		if s, ok := p.settings["sasl_mechs"]; ok {
			line = s.Line
		}
		p.problem(line, "sasl_mechs", "it names none of the mechanisms that are spoken here: "+strings.Join(ours, ", "))
		return
	}
	c.bind = directory.Bind{
		Method:    directory.BindSASL,
		Mechanism: strings.ToUpper(mechanisms[i]),
		User:      user,
		Authz:     p.text("sasl_authz_id", ""),
		Password:  directory.Password(password),
	}
	c.password = password
	p.refuse("sasl_realm", "no mechanism that is spoken here has realms; leave the line out")
	if p.number("sasl_minssf", 0, 0) > 0 {
		p.refuse("sasl_minssf", "SASL's own encryption is not spoken; use start_tls or ldaps, and leave the line out")
	}
}

// tls reads the parameters of TLS. Without TLS they have no effect.
func (p *params) tls(c *TableConfig) {
	c.verify = p.yes("tls_require_cert")
	c.tls = directory.TLSFiles{
		CAFile: p.text("tls_ca_cert_file", ""),
		CADir:  p.text("tls_ca_cert_dir", ""),
		Cert:   p.text("tls_cert", ""),
		Key:    p.text("tls_key", ""),
	}
	p.lookup("tls_cipher_suite")
	p.note("tls_random_file", "it has no effect: the kernel's random numbers are used")
	secure := c.startTLS || slices.ContainsFunc(c.uris, func(uri string) bool { return strings.HasPrefix(uri, "ldaps:") })
	if !secure {
		c.tls, c.verify = directory.TLSFiles{}, false
		for _, name := range []string{"tls_require_cert", "tls_ca_cert_file", "tls_ca_cert_dir", "tls_cert", "tls_key", "tls_cipher_suite"} {
			p.note(name, "it has no effect: neither start_tls nor an ldaps:// server is configured")
		}
		return
	}
	p.refuse("tls_cipher_suite", "cipher suites are those of Go's TLS 1.2 and 1.3, which are all considered secure; leave the line out")
	if !c.verify {
		line := p.settings["tls_require_cert"].Line
		p.warn(line, "tls_require_cert", "no certificate of a server is checked, which is Postfix's default; with yes whoever is in between is found out")
	}
}
