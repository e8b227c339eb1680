//go:build !dmz

package main

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"gatepost/cmd/gatepost/dbmailconf"
	"gatepost/internal/dbmail"
)

// mysqlSocket is where MySQL's client library of Debian finds a server on
// "localhost".
const mysqlSocket = "/run/mysqld/mysqld.sock"

// store makes [store].
func (p *lmtpdImport) store() {
	v, text := p.dburi()
	if strings.HasPrefix(text, "sqlite://~") {
		p.wrong(v, v.Key, "begins with the home directory of whoever runs DBMail; write the path in full, as in sqlite:///var/lib/dbmail/dbmail.db")
	} else if text != "" {
		u, err := dbmailconf.ParseURI(text)
		if err != nil {
			p.wrong(v, v.Key, "%v", err)
		} else {
			p.dsn(v, u)
		}
	}
	if v := p.conf.Own("DBMAIL", "table_prefix"); v.Text != "" && v.Text != dbmail.DefaultPrefix {
		p.lmtpd.set("store", "table_prefix", strings.ReplaceAll(v.Text, `"`, ""), v) // "" is none
	}
	if v := p.conf.Own("DBMAIL", "hash_algorithm"); v.Text != "" && !strings.EqualFold(v.Text, "sha1") {
		hash := strings.ToLower(v.Text)
		if dbmail.CheckHash(hash) == nil {
			p.lmtpd.set("store", "hash_algorithm", hash, v)
		} else {
			p.differs("", "", v, "lmtpd has not %s and uses sha1: parts that DBMail has stored are not recognised, and stored once more when they come again; nothing is lost", v.Text)
		}
	}
	if v := p.conf.Own("DBMAIL", "message_part_hash"); v.Text == "1" || v.Text == "2" {
		p.differs("", "", v, "lmtpd shares parts whose bytes are the same, as 0 does")
	}
	if v := p.conf.Own("DBMAIL", "header_cache_readonly"); strings.EqualFold(v.Text, "no") || strings.EqualFold(v.Text, "false") {
		p.lmtpd.set("store", "header_cache", "all", v)
	}
	if v := p.conf.Own("DBMAIL", "encoding"); v.Text != "" && !strings.HasPrefix(strings.ToLower(strings.ReplaceAll(v.Text, "-", "")), "utf8") {
		p.differs("", "", v, "lmtpd writes UTF-8 (utf8mb4) whatever this says; gatepost-lmtpd --check tells of tables that cannot hold it")
	}
}

// dburi finds the database's URL, or makes it of the older keys as DBMail does.
func (p *lmtpdImport) dburi() (dbmailconf.Value, string) {
	own := func(key string) dbmailconf.Value { return p.conf.Own("DBMAIL", key) }
	old := map[string]dbmailconf.Value{}
	for _, key := range []string{"driver", "host", "sqlport", "sqlsocket", "user", "pass", "db"} {
		old[key] = own(key)
	}
	if v := own("dburi"); v.Text != "" {
		return v, v.Text
	}
	driver := old["driver"]
	if driver.Text == "" {
		p.wrong(driver, "dburi", "is not set, and neither is the older driver; the store is not known")
		return driver, ""
	}
	text := strings.ToLower(driver.Text) + "://" + old["host"].Text
	if port := strings.TrimLeft(old["sqlport"].Text, "0"); port != "" {
		text += ":" + port
	}
	if strings.EqualFold(driver.Text, "sqlite") {
		return driver, text + old["db"].Text
	}
	text += "/" + old["db"].Text + "?user=" + old["user"].Text
	if old["pass"].Text != "" {
		text += "&password=" + old["pass"].Text
	}
	if old["sqlsocket"].Text != "" {
		text += "&unix-socket=" + old["sqlsocket"].Text
	}
	return driver, text
}

func (p *lmtpdImport) dsn(v dbmailconf.Value, u dbmailconf.URI) {
	switch strings.ToLower(u.Driver) {
	case "mysql":
		p.mysql(v, u)
	case "sqlite":
		if len(u.Path) < 2 || strings.Contains(u.Path, "?") {
			p.wrong(v, v.Key, "names no file, or one with a question mark; want for example sqlite:///var/lib/dbmail/dbmail.db")
			return
		}
		p.lmtpd.set("store", "dsn", "sqlite:"+u.Path, v)
		p.parameters(v, u, "pragmas are lmtpd's own (synchronous=FULL)")
	case "postgresql", "oracle":
		p.wrong(v, v.Key, "names a %s database, which Gatepost does not have; it has MySQL, MariaDB and SQLite", u.Driver)
	default:
		p.wrong(v, v.Key, "names a kind of database that is not known; Gatepost has mysql and sqlite")
	}
}

func (p *lmtpdImport) mysql(v dbmailconf.Value, u dbmailconf.URI) {
	database := strings.TrimPrefix(u.Path, "/")
	socket := u.Parameters["unix-socket"]
	switch {
	case database == "":
		p.wrong(v, v.Key, "names no database; want mysql://user:password@host/database")
		return
	case u.User == "":
		p.wrong(v, v.Key, "names no user; want mysql://user:password@host/database")
		return
	case u.Host == "" && socket == "":
		p.wrong(v, v.Key, "names no host; want mysql://user:password@host/database")
		return
	case socket == "" && strings.EqualFold(u.Host, "localhost"):
		socket = mysqlSocket
		p.differs("", "", v, "for DBMail, localhost is the server's unix socket; the DSN names Debian's, %s: mend it if yours is elsewhere, or write 127.0.0.1", socket)
	}
	escape := func(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
	dsn, query := "mysql://"+escape(u.User)+"@", []string{}
	if socket != "" {
		query = append(query, "socket="+url.QueryEscape(socket))
	} else if dsn += u.Host; u.Port != "" {
		dsn += ":" + u.Port
	}
	dsn += "/" + escape(database)
	if strings.EqualFold(u.Parameters["use-ssl"], "true") {
		query = append(query, "tls=skip-verify")
		p.differs("", "", v, "use-ssl encrypts and checks no certificate, and so does tls=skip-verify in the DSN; tls=true checks it")
	}
	if u.Password != "" {
		query = append(query, "password_file="+url.QueryEscape(p.secret("db.password", u.Password)))
	}
	if len(query) > 0 {
		// A path is easier to read with its slashes.
		dsn += "?" + strings.ReplaceAll(strings.Join(query, "&"), "%2F", "/")
	}
	p.lmtpd.set("store", "dsn", dsn, v)
	delete(u.Parameters, "unix-socket")
	delete(u.Parameters, "use-ssl")
	if c, ok := u.Parameters["charset"]; ok {
		delete(u.Parameters, "charset")
		if !strings.EqualFold(c, "utf8mb4") {
			p.differs("", "", v, "charset=%s has no counterpart: lmtpd always speaks utf8mb4, so that no character is lost", c)
		}
	}
	p.parameters(v, u, "has no counterpart")
}

// parameters tells of those that are left.
func (p *lmtpdImport) parameters(v dbmailconf.Value, u dbmailconf.URI, why string) {
	for _, name := range slices.Sorted(maps.Keys(u.Parameters)) {
		p.differs("", "", v, "parameter %s: %s", name, why)
	}
}
