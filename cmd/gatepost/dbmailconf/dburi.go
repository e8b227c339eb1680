package dbmailconf

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
)

// URI is a dburi: the URL of libzdb, through which DBMail reaches its
// database.
type URI struct {
	Driver   string // mysql, sqlite, postgresql, oracle or what else stands there
	User     string
	Password string
	Host     string // with brackets around an IPv6 address
	Port     string
	Path     string // with its leading slash
	// Parameters but user and password, the last of a name counts.
	Parameters map[string]string
}

var (
	uriProtocol = regexp.MustCompile(`^([a-zA-Z0-9]+)://`)
	uriHost     = regexp.MustCompile(`^(\[[0-9a-zA-Z:%]+\]|[a-zA-Z0-9.-]+)`)
	uriPort     = regexp.MustCompile(`^:([0-9]+)`)
)

// ParseURI reads a dburi. Its errors do not show it, since it has a password.
//
// As in libzdb the user ends at the first "@", wherever that stands; "%" and
// two digits are a byte, "+" is a space; user and password count before those
// in the parameters.
func ParseURI(text string) (URI, error) {
	u := URI{Parameters: map[string]string{}}
	m := uriProtocol.FindStringSubmatch(text)
	if m == nil {
		return u, errors.New("is no URL; want for example mysql://user:password@host/database")
	}
	u.Driver = m[1]
	rest := text[len(m[0]):]

	if user, after, ok := strings.Cut(rest, "@"); ok {
		if strings.ContainsAny(user, "[]") || strings.Contains(after, "@") {
			return u, errors.New(`has an "@", "[" or "]" in user, password or parameters; percent-encode it, as "%40"`)
		}
		user, password, _ := strings.Cut(user, ":")
		u.User, u.Password = unescape(user), unescape(password)
		rest = after
	}
	if m := uriHost.FindString(rest); m != "" {
		u.Host, rest = m, rest[len(m):]
	}
	if m := uriPort.FindStringSubmatch(rest); m != nil {
		u.Port, rest = m[1], rest[len(m[0]):]
		if n, err := strconv.Atoi(u.Port); err != nil || n < 1 || n > 65535 {
			return u, errors.New("has a port that is not between 1 and 65535")
		}
	}
	if rest != "" && rest[0] != '/' {
		return u, errors.New("has something between host and path that is neither; percent-encode special characters of user and password")
	}
	path, query, _ := strings.Cut(rest, "?")
	if i := strings.IndexAny(path, "#; \t"); i >= 0 {
		return u, errors.New("has a character in its path that ends it; percent-encode it")
	}
	u.Path = unescape(path)
	for pair := range strings.SplitSeq(query, "&") {
		name, value, ok := strings.Cut(pair, "=")
		if !ok || name == "" {
			continue
		}
		u.Parameters[name] = unescape(value)
	}
	if u.User == "" {
		u.User = u.Parameters["user"]
	}
	if u.Password == "" {
		u.Password = u.Parameters["password"]
	}
	delete(u.Parameters, "user")
	delete(u.Parameters, "password")
	if strings.ContainsRune(u.User+u.Password+u.Path, 0) {
		return u, errors.New("has a NUL in it")
	}
	return u, nil
}

// unescape decodes "%41" and "+". A "%" without two digits stands for itself,
// where libzdb makes something of what is behind it.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '+':
			b.WriteByte(' ')
		case s[i] == '%' && i+2 < len(s):
			if n, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil {
				b.WriteByte(byte(n))
				i += 2
				continue
			}
			b.WriteByte('%')
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
