//go:build !dmz

package main

import (
	"slices"
	"strings"

	"gatepost/cmd/gatepost/dbmailconf"
)

// accounts makes directory.toml of [LDAP].
func (p *lmtpdImport) accounts() {
	get := func(key string) dbmailconf.Value { return p.conf.Get("LDAP", key) }
	need := func(key, why string) dbmailconf.Value {
		v := get(key)
		if v.Text == "" {
			p.wrong(v, "[LDAP] "+strings.ToLower(key), "is not set; %s", why)
		}
		return v
	}
	d := p.directory
	p.servers(get)
	base := need("BASE_DN", "want the entry below which the users are")
	d.set("", "base", base.Text, base)
	d.set("", "preset", "dbmail", dbmailconf.Value{})
	p.bind(get("BIND_DN"), get("BIND_PW"))

	switch v := get("SCOPE"); strings.ToLower(v.Text + "   ")[:3] {
	case "one", "bas":
		p.differs("", "", v, "all that is below base is searched, not only the entries directly there: name a base below which nobody else is")
	}
	if v := get("VERSION"); v.Text == "2" {
		p.differs("", "", v, "version 3 of LDAP is spoken")
	}
	if v := get("REFERRALS"); v.Text != "" && !strings.EqualFold(v.Text, "no") {
		p.differs("", "", v, "referrals are never followed: name the servers that have the entries")
	}
	if v := get("QUERY_TIMEOUT"); v.Text == "" || v.Text == "0" {
		p.differs("LDAP", "query_timeout", v, "without it DBMail does not even try, and finds nobody; here a search has 10 s (timeout)")
	} else {
		p.differs("", "", v, "for LDAP DBMail takes this as the number of tries; here a search has 10 s (timeout), the next server is asked at once, and failures are deferred")
	}

	// DBMail has no names of its own: what is not set it cannot ask for.
	p.attribute("login", "uid", need("FIELD_UID", "want the attribute with the login, as uid"))
	p.attribute("uid_number", "uidNumber", need("FIELD_NID", "want the attribute with the number of the user, as uidNumber"))
	p.mail(need("FIELD_MAIL", "want the attribute with the addresses, as mail"))
	p.attribute("quota", "mailQuota", get("FIELD_QUOTA"))
	p.attribute("forward", "mailForwardingAddress", get("FIELD_FWDTARGET"))
	p.classes(get("USER_OBJECTCLASS"), get("FORW_OBJECTCLASS"))
	if v := get("QUERY_STRING"); v.Text != "" {
		p.differs("", "", v, "DBMail reads it and does not use it; neither is it used here")
	}
	for _, key := range []string{"CN_STRING", "FIELD_CID", "MIN_CID", "MAX_CID", "MIN_NID", "MAX_NID", "FIELD_PASSWD"} {
		get(key) // for making and changing entries, and for log-ins, which stay with DBMail
	}
}

// servers makes uris.
func (p *lmtpdImport) servers(get func(string) dbmailconf.Value) {
	uri, host, port := get("URI"), get("HOSTNAME"), get("PORT")
	switch {
	case uri.Text != "":
		uris := listed(uri.Text)
		p.directory.set("", "uris", uris, uri)
		if slices.ContainsFunc(uris, func(u string) bool { return strings.HasPrefix(strings.ToLower(u), "ldaps:") }) {
			p.differs("", "", uri, "certificates are always checked, against ca_file or the system's authorities; ldap.conf(5) is not read")
		}
	case host.Text != "":
		name := "ldap://" + host.Text
		if port.Text != "" && port.Text != "389" {
			name += ":" + port.Text
		}
		p.directory.set("", "uris", []string{name}, host)
	default:
		p.wrong(uri, "[LDAP] uri", "is not set, and neither is hostname; want for example URI = ldap://ldap.example.com")
	}
}

func (p *lmtpdImport) bind(dn, password dbmailconf.Value) {
	switch {
	case dn.Text == "":
	case password.Text == "":
		p.differs("", "", dn, "without bind_pw the server takes DBMail for nobody; bind_dn is left out")
	default:
		p.directory.set("", "bind_dn", dn.Text, dn)
		p.directory.set("", "bind_password_file", p.secret("directory.password", password.Text), password)
	}
}

// attribute overrides the preset's name; what DBMail has no name for, it has
// not.
func (p *lmtpdImport) attribute(key, preset string, v dbmailconf.Value) {
	switch {
	case v.Text == "":
		p.directory.set("attributes", key, []string{}, v)
	case !strings.EqualFold(v.Text, preset):
		p.directory.set("attributes", key, v.Text, v)
	}
}

// mail makes the attributes with addresses.
func (p *lmtpdImport) mail(v dbmailconf.Value) {
	names := listed(v.Text)
	if len(names) == 0 {
		return // told already
	}
	if len(names) > 1 {
		p.differs("", "", v, "DBMail ends at the first look-up with more than one name here; all of them are looked at")
	}
	known := func(name string) bool {
		return strings.EqualFold(name, "mail") || strings.EqualFold(name, "mailAlternateAddress")
	}
	if !slices.ContainsFunc(names, func(n string) bool { return !known(n) }) {
		for name, without := range map[string]string{"mail": `mail = "mailAlternateAddress", alternate = []`, "mailAlternateAddress": "alternate = []"} {
			if !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, name) }) {
				p.differs("", "", v, "addresses in %s are found too; in [attributes] %s would leave them out", name, without)
			}
		}
		return
	}
	p.directory.set("attributes", "mail", names, v)
	p.differs("", "", v, "the first value is taken for the primary address. Addresses in mailAlternateAddress are found too; [attributes] alternate = [] leaves them out")
}

// classes makes account_class. DBMail finds an entry whatever its classes are.
func (p *lmtpdImport) classes(user, forward dbmailconf.Value) {
	const why = "DBMail finds an entry whatever its classes; here it must be of one of account_class"
	ours := func(list []string) bool {
		return slices.ContainsFunc(list, func(c string) bool {
			return strings.EqualFold(c, "dbmailUser") || strings.EqualFold(c, "dbmailForwardingAddress")
		})
	}
	users, forwards := listed(user.Text), listed(forward.Text)
	var classes []string
	for _, c := range append(slices.Clone(users), forwards...) {
		general := slices.ContainsFunc([]string{"top", "account", "person", "organizationalPerson"}, func(g string) bool { return strings.EqualFold(c, g) })
		if !general && !slices.ContainsFunc(classes, func(o string) bool { return strings.EqualFold(c, o) }) {
			classes = append(classes, c)
		}
	}
	switch {
	case len(users) == 0 || ours(users) || len(classes) == 0:
		p.differs("LDAP", "user_objectclass", user, "%s: dbmailUser or dbmailForwardingAddress", why)
	default:
		p.directory.set("attributes", "account_class", classes, user)
		p.differs("", "", user, "%s: %s. The server has to know the attributes of the preset dbmail (gatepost schema print ldap), or [attributes] has to leave out those that it does not", why, strings.Join(classes, ", "))
	}
}
