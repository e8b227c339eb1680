package directory

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Defaults of Settings.
const (
	// DefaultTimeout of one search, as in ldap_table(5).
	DefaultTimeout = 10 * time.Second
	// DefaultConnectTimeout of TCP, TLS and bind together.
	DefaultConnectTimeout = 2 * time.Second
	// DefaultConnections to the server in use.
	DefaultConnections = 2
	// DefaultMaxIdle is below what firewalls and servers forget after.
	DefaultMaxIdle = 30 * time.Second
	// MaxConnections to one server, whatever happens.
	MaxConnections = 4
)

// Settings say which servers hold the directory and how to talk to them.
type Settings struct {
	// URIs of the servers, the preferred one first: ldap://host[:port],
	// ldaps://host[:port], ldapi://%2Fpath%2Fof%2Fsocket.
	URIs []string
	// StartTLS asks ldap:// servers for TLS and does without the server when
	// it refuses (RFC 4511 4.14). ldaps:// and ldapi:// are left alone.
	StartTLS bool
	// TLS names the files; they are read again when they change.
	TLS TLSFiles
	// NoVerify accepts any certificate of the server.
	NoVerify bool
	// Bind says who we are.
	Bind Bind
	// Timeout of one search; DefaultTimeout if 0. A context's deadline makes
	// it shorter. It is also sent to the server, in whole seconds.
	Timeout time.Duration
	// ConnectTimeout of one attempt; DefaultConnectTimeout if 0.
	ConnectTimeout time.Duration
	// Connections to the server in use, each with many searches under way;
	// DefaultConnections if 0. While one replaces another there may be more,
	// but never more than MaxConnections.
	Connections int
	// MaxIdle is how long a connection may be silent before it has to prove
	// that it still works; DefaultMaxIdle if 0.
	MaxIdle time.Duration

	// The pace of what goes wrong; tests hurry.
	pace pace
}

// pace is how fast faults are noticed and mended.
type pace struct {
	// quiet is how long an answer may take before its connection has to give
	// a sign of life, and how long that may take before the search is asked
	// elsewhere too.
	quiet time.Duration
	// hung is when a connection that was asked and stays silent is given up.
	hung time.Duration
	// retry is between attempts to reach a server that is down, give or take
	// a third. Attempts overlap, so that one that hangs delays nothing.
	retry time.Duration
	// refused is between attempts at a server that refuses our bind:
	// directories lock accounts that try too often.
	refused time.Duration
}

var usualPace = pace{quiet: 150 * time.Millisecond, hung: 2 * time.Second, retry: 300 * time.Millisecond, refused: 5 * time.Second}

// withDefaults fills what is zero.
func (s Settings) withDefaults() Settings {
	if s.Timeout <= 0 {
		s.Timeout = DefaultTimeout
	}
	if s.ConnectTimeout <= 0 {
		s.ConnectTimeout = DefaultConnectTimeout
	}
	if s.Connections <= 0 {
		s.Connections = DefaultConnections
	}
	s.Connections = min(s.Connections, MaxConnections-1)
	if s.MaxIdle <= 0 {
		s.MaxIdle = DefaultMaxIdle
	}
	if s.pace == (pace{}) {
		s.pace = usualPace
	}
	return s
}

// Check returns all that is wrong with the settings, without asking a server.
func (s Settings) Check() error {
	var errs []error
	if len(s.URIs) == 0 {
		errs = append(errs, errors.New("no directory server is named"))
	}
	if s.Connections > MaxConnections-1 {
		errs = append(errs, fmt.Errorf("connections is %d, of at most %d", s.Connections, MaxConnections-1))
	}
	secure := false
	for _, uri := range s.URIs {
		at, err := parseURI(uri)
		if err != nil {
			errs = append(errs, err)
		}
		secure = secure || at.tls || s.StartTLS && at.network == "tcp"
	}
	if err := s.Bind.check(); err != nil {
		errs = append(errs, err)
	}
	if secure {
		if _, err := s.TLS.read(s.NoVerify); err != nil {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// endpoint is where a URI leads.
type endpoint struct {
	uri     string
	network string // "tcp" or "unix"
	address string // for net.Dial
	host    string // that the certificate has to name
	tls     bool   // from the first byte
}

// parseURI reads the host part of an LDAP URL (RFC 4516); the rest has no
// meaning for a server and must be empty. ldapi is not standardised: the path
// of the socket stands escaped in the place of the host, or plain behind it.
func parseURI(uri string) (endpoint, error) {
	at := endpoint{uri: uri}
	scheme, rest, ok := strings.Cut(uri, "://")
	if !ok {
		return at, fmt.Errorf("directory server %q: not an ldap://, ldaps:// or ldapi:// URI", uri)
	}
	switch strings.ToLower(scheme) {
	case "ldapi":
		host, path, _ := strings.Cut(rest, "/")
		socket, err := url.PathUnescape(host)
		switch {
		case err != nil:
			return at, fmt.Errorf("directory server %q: %w", uri, err)
		case socket == "" && path != "":
			socket = "/" + path
		case socket == "":
			socket = defaultSocket
		case path != "" || !strings.HasPrefix(socket, "/"):
			return at, fmt.Errorf("directory server %q: write the socket's path with %%2F for each slash", uri)
		}
		at.network, at.address, at.host = "unix", socket, "localhost"
		return at, nil
	case "ldap", "ldaps":
		at.tls = strings.EqualFold(scheme, "ldaps")
	default:
		return at, fmt.Errorf("directory server %q: not an ldap://, ldaps:// or ldapi:// URI", uri)
	}
	u, err := url.Parse(uri)
	if err != nil {
		return at, fmt.Errorf("directory server: %w", err)
	}
	if u.User != nil || strings.Trim(u.Path, "/") != "" || strings.Trim(u.RawQuery, "?") != "" || u.Fragment != "" {
		return at, fmt.Errorf("directory server %q: only a host and a port may follow", uri)
	}
	at.host = u.Hostname()
	port := u.Port()
	if port == "" {
		port = "389"
		if at.tls {
			port = "636"
		}
	}
	if at.host == "" {
		at.host = "localhost" // as libldap does
	}
	at.network, at.address = "tcp", net.JoinHostPort(at.host, port)
	return at, nil
}

// defaultSocket is where Debian's slapd listens for ldapi:///.
const defaultSocket = "/run/slapd/ldapi"

// Bind says who we are to the servers; the zero value is nobody (anonymous,
// without a bind request).
type Bind struct {
	// Method of the bind, repeated on each new connection.
	Method BindMethod
	// DN for a simple bind. With an empty DN and password it is an explicit
	// anonymous bind (RFC 4513 5.1.1).
	DN string
	// Password of a simple bind or of SASL PLAIN, asked for each time, so that
	// a new one is used by the next connection.
	Password func() (string, error)
	// Mechanism of a SASL bind: one of SASLMechanisms.
	Mechanism string
	// User is the name that SASL PLAIN authenticates (authcid).
	User string
	// Authz is the SASL authorisation identity, "dn:..." or "u:..." (RFC 4513
	// 5.2.1.8); empty: the one that follows from the authentication.
	Authz string
}

// BindMethod of a connection.
type BindMethod int

// Methods.
const (
	BindNone BindMethod = iota
	BindSimple
	BindSASL
)

// SASLMechanisms that we speak: the client's certificate or the socket's peer
// (RFC 4422 appendix A), and name and password (RFC 4616), over TLS only.
var saslMechanisms = []string{"EXTERNAL", "PLAIN"}

// SASLMechanisms lists the mechanisms that a Bind may name.
func SASLMechanisms() []string { return slices.Clone(saslMechanisms) }

// Password returns a Bind.Password that is always the same.
func Password(p string) func() (string, error) {
	return func() (string, error) { return p, nil }
}

func (b Bind) check() error {
	switch b.Method {
	case BindNone, BindSimple:
		return nil
	case BindSASL:
		if !slices.Contains(saslMechanisms, strings.ToUpper(b.Mechanism)) {
			return fmt.Errorf("SASL mechanism %q is not one of %s", b.Mechanism, strings.Join(saslMechanisms, ", "))
		}
		return nil
	}
	return fmt.Errorf("unknown bind method %d", b.Method)
}
