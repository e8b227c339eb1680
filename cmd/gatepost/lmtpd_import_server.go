//go:build !dmz

package main

import (
	"net"
	"net/netip"
	"net/url"
	"strconv"
)

// server makes what concerns connections.
func (p *lmtpdImport) server() {
	p.listen()
	if v := p.conf.Get("LMTP", "TIMEOUT"); v.Text != "" && v.Text != "300" {
		if n, err := strconv.ParseUint(v.Text, 10, 24); err == nil && n > 0 {
			p.lmtpd.set("", "idle_timeout", v.Text+"s", v)
		} else {
			p.wrong(v, v.Key, "is no number of seconds")
		}
	}
	if v := p.conf.Own("LMTP", "banner"); v.Set() {
		p.differs("", "", v, "lmtpd greets with its hostname alone")
	}
	port := p.conf.Own("LMTP", "tls_port")
	if port.Text == "" {
		return
	}
	p.differs("", "", port, "lmtpd has no port that begins with TLS: it offers STARTTLS on each of its addresses, which Postfix's lmtp(8) asks for by lmtp_tls_security_level")
	certificate, key := p.conf.Get("LMTP", "tls_cert"), p.conf.Get("LMTP", "tls_key")
	if certificate.Text != "" && key.Text != "" {
		p.lmtpd.set("tls", "certificate", certificate.Text, certificate)
		p.lmtpd.set("tls", "key", key.Text, key)
	}
	if v := p.conf.Get("LMTP", "tls_cafile"); v.Text != "" {
		p.differs("", "", v, "is not taken over: tls.client_ca makes lmtpd ask every client for a certificate; set it when Postfix has one")
	}
}

// listen makes the addresses. Who may connect cannot be read from
// dbmail.conf, where whoever reaches the port may.
func (p *lmtpdImport) listen() {
	v, port := p.conf.Get("LMTP", "BINDIP"), p.conf.Get("LMTP", "PORT")
	number := "24"
	if port.Text != "" {
		n, err := strconv.ParseUint(port.Text, 10, 16)
		if err != nil || n == 0 {
			p.wrong(port, port.Key, "is no port; want a number from 1 to 65535")
			return
		}
		number = strconv.FormatUint(n, 10)
	}
	from := v
	if !from.Set() {
		from = port
	}
	var listen []string
	outside := false
	for _, host := range listed(v.Text) {
		if host == "*" {
			host = ""
		}
		a, err := netip.ParseAddr(host)
		if host != "localhost" && (err != nil || !a.IsLoopback()) {
			outside = true
		}
		listen = append(listen, "inet:"+net.JoinHostPort(host, number))
	}
	if len(listen) == 0 {
		listen = []string{"inet:127.0.0.1:" + number}
	}
	if len(listen) == 1 && listen[0] == "inet:127.0.0.1:24" {
		return // the default
	}
	p.lmtpd.set("", "listen", listen, from)
	p.differs("", "", from, "with gatepost-lmtpd.service the addresses belong into gatepost-lmtpd.socket (systemctl edit), and listen goes: the service itself may not open ports below 1024")
	if outside {
		p.differs("", "", from, "DBMail takes mail from whoever reaches this address, lmtpd only from this machine: name the others in allow or in a [[peer]]")
	}
}

// outside makes [smarthost], for what DBMail hands to sendmail.
func (p *lmtpdImport) outside() {
	sendmail, host := p.conf.Own("DBMAIL", "sendmail"), p.conf.Own("DBMAIL", "smtp_host")
	user, password := p.conf.Own("DBMAIL", "smtp_user"), p.conf.Own("DBMAIL", "smtp_password")
	switch {
	case host.Text != "":
		u, err := url.Parse(host.Text)
		if err != nil || u.Hostname() == "" || u.Scheme != "smtp" && u.Scheme != "smtps" {
			p.wrong(host, host.Key, "is no URL of a mail server; want for example smtp://mail.example.com:25")
			return
		}
		port := u.Port()
		if port == "" {
			port = "25"
		}
		p.lmtpd.set("smarthost", "address", "inet:"+net.JoinHostPort(u.Hostname(), port), host)
		if u.Scheme == "smtps" {
			p.differs("", "", host, "lmtpd speaks STARTTLS to a smarthost, not TLS from the first byte: name a port where that is offered")
		}
		if user.Text != "" || password.Text != "" {
			p.differs("", "", user, "lmtpd does not log in to its smarthost: let that take mail from this machine's address")
		}
	case sendmail.Text != "":
		p.lmtpd.set("smarthost", "address", "inet:127.0.0.1:10025", sendmail)
		p.lmtpd.set("smarthost", "tls", "off", sendmail)
		p.differs("", "", sendmail, "lmtpd starts no program: mail for addresses elsewhere goes to Postfix by SMTP, on a port that contrib/postfix/lmtpd/master.cf opens; until it is open, that mail waits")
	default:
		p.differs("DBMAIL", "sendmail", sendmail, "is not set, as smtp_host is not: mail for addresses elsewhere is deferred until [smarthost] is set")
	}
}
