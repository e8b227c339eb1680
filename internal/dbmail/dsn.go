package dbmail

import (
	"fmt"
	"net/url"
	"strings"
)

// DSN names a store. Its text forms are
//
//	sqlite:/path/store.db
//	mysql://user@host[:port][,host2[:port]…]/database[?tls=true|skip-verify|false]
//	mysql://user@/database?socket=/path
//
// and each may carry password_file=/path, which is read by the caller: a
// password never stands in a DSN.
type DSN struct {
	Driver       string   // "sqlite" or "mysql"
	Path         string   // sqlite: the database file
	User         string   // mysql
	Hosts        []string // mysql: host:port, in order of preference
	Socket       string   // mysql: a unix socket, instead of hosts
	Database     string   // mysql
	TLS          string   // mysql: "", "true", "skip-verify", "preferred", "false"
	PasswordFile string   // file that holds the password; may begin with "credential:"
}

const dsnForms = `want "sqlite:/path/store.db", "mysql://user@host[:port]/database" or "mysql://user@/database?socket=/path"`

// ParseDSN reads the text form of a DSN.
func ParseDSN(s string) (DSN, error) {
	switch {
	case strings.HasPrefix(s, "sqlite:"):
		return parseSQLiteDSN(s)
	case strings.HasPrefix(s, "mysql://"):
		return parseMySQLDSN(s)
	}
	return DSN{}, fmt.Errorf("store DSN %q: unknown kind; %s", s, dsnForms)
}

func parseSQLiteDSN(s string) (DSN, error) {
	path, query, _ := strings.Cut(strings.TrimPrefix(s, "sqlite:"), "?")
	d := DSN{Driver: "sqlite", Path: strings.TrimPrefix(path, "//")}
	if d.Path == "" {
		return DSN{}, fmt.Errorf("store DSN %q: no file name; %s", s, dsnForms)
	}
	return d, d.parameters(s, query)
}

func parseMySQLDSN(s string) (DSN, error) {
	rest, query, _ := strings.Cut(strings.TrimPrefix(s, "mysql://"), "?")
	authority, database, ok := strings.Cut(rest, "/")
	if !ok || database == "" {
		return DSN{}, fmt.Errorf("store DSN %q: no database name; %s", s, dsnForms)
	}
	d := DSN{Driver: "mysql"}
	var err error
	if d.Database, err = url.PathUnescape(database); err != nil {
		return DSN{}, fmt.Errorf("store DSN %q: database name: %w", s, err)
	}
	user, hosts, ok := cutLast(authority, "@")
	if !ok {
		user, hosts = "", authority
	}
	if strings.Contains(user, ":") {
		// The DSN is not repeated here: it holds a secret.
		return DSN{}, fmt.Errorf("store DSN: it carries a password; put the password in a file and name it with ?password_file=/path")
	}
	if d.User, err = url.PathUnescape(user); err != nil {
		return DSN{}, fmt.Errorf("store DSN %q: user: %w", s, err)
	}
	for h := range strings.SplitSeq(hosts, ",") {
		if h != "" {
			d.Hosts = append(d.Hosts, withPort(h, "3306"))
		}
	}
	if err := d.parameters(s, query); err != nil {
		return DSN{}, err
	}
	if d.User == "" {
		return DSN{}, fmt.Errorf("store DSN %q: no user; %s", s, dsnForms)
	}
	if (d.Socket == "") == (len(d.Hosts) == 0) {
		return DSN{}, fmt.Errorf("store DSN %q: it needs either a host or ?socket=/path; %s", s, dsnForms)
	}
	return d, nil
}

func (d *DSN) parameters(s, query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return fmt.Errorf("store DSN %q: parameters: %w", s, err)
	}
	for key, v := range values {
		switch {
		case key == "password_file":
			d.PasswordFile = v[0]
		case key == "socket" && d.Driver == "mysql":
			d.Socket = v[0]
		case key == "tls" && d.Driver == "mysql":
			switch v[0] {
			case "true", "false", "skip-verify", "preferred":
				d.TLS = v[0]
			default:
				return fmt.Errorf("store DSN %q: tls=%s: want true, skip-verify, preferred or false", s, v[0])
			}
		default:
			return fmt.Errorf("store DSN %q: unknown parameter %q; known are password_file, and for mysql socket and tls", s, key)
		}
	}
	return nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// withPort adds the port to a host that names none; an IPv6 address stands in brackets.
func withPort(host, port string) string {
	if i := strings.LastIndexByte(host, ':'); i >= 0 && !strings.HasSuffix(host, "]") {
		return host
	}
	return host + ":" + port
}
