package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
)

// Address is where a daemon listens.
type Address struct {
	Network string      // "unix", "inet" or "systemd"
	Path    string      // unix: the socket's absolute path
	Mode    fs.FileMode // unix: permissions; 0 leaves them to the umask
	Group   string      // unix: owning group, by name or number; empty leaves the process's
	Host    string      // inet: host name or IP address; empty for all addresses
	Port    string      // inet: port number or service name; "0" picks a free one
	Name    string      // systemd: FileDescriptorName= of the passed socket
}

// maxSocketPath is what fits into sockaddr_un beside its NUL (unix(7)).
const maxSocketPath = 107

// ParseAddress reads one of
//
//	unix:/path            unix:/path?mode=0660&group=postfix
//	inet:HOST:PORT        inet:[2001:db8::1]:24, inet::24 for all addresses
//	systemd:NAME
func ParseAddress(s string) (Address, error) {
	network, rest, _ := strings.Cut(s, ":")
	var a Address
	var err error
	switch network {
	case "unix":
		a, err = parseUnix(rest)
	case "inet":
		a, err = parseInet(rest)
	case "systemd":
		a, err = parseSystemd(rest)
	default:
		err = errors.New("write unix:/path, inet:HOST:PORT or systemd:NAME")
	}
	if err != nil {
		return Address{}, fmt.Errorf("listen address %q: %w", s, err)
	}
	return a, nil
}

func parseUnix(s string) (Address, error) {
	path, query, _ := strings.Cut(s, "?")
	a := Address{Network: "unix", Path: path}
	switch {
	case !filepath.IsAbs(path):
		return a, errors.New("the path of a unix socket begins with /")
	case filepath.Clean(path) != path:
		return a, fmt.Errorf("write the path as %s", filepath.Clean(path))
	case len(path) > maxSocketPath:
		return a, fmt.Errorf("the path of a unix socket has at most %d bytes", maxSocketPath)
	case strings.ContainsRune(path, 0):
		return a, errors.New("the path of a unix socket has no NUL")
	}
	options, err := url.ParseQuery(query)
	if err != nil {
		return a, fmt.Errorf("options: %w", err)
	}
	for name, values := range options {
		if len(values) > 1 {
			return a, fmt.Errorf("option %s is given twice", name)
		}
		switch name {
		case "mode":
			mode, err := strconv.ParseUint(values[0], 8, 32)
			if err != nil || mode == 0 || mode > 0o777 {
				return a, fmt.Errorf("mode %q is not an octal number from 0001 to 0777, such as 0660", values[0])
			}
			a.Mode = fs.FileMode(mode)
		case "group":
			if values[0] == "" {
				return a, errors.New("group is empty")
			}
			a.Group = values[0]
		default:
			return a, fmt.Errorf("unknown option %q; known are mode and group", name)
		}
	}
	return a, nil
}

func parseInet(s string) (Address, error) {
	host, port, err := net.SplitHostPort(s)
	if err != nil {
		return Address{}, errors.New("write inet:HOST:PORT, with an IPv6 address in brackets")
	}
	if port == "" {
		return Address{}, errors.New("the port is missing; 0 picks a free one")
	}
	if n, err := strconv.Atoi(port); err == nil && (n < 0 || n > 65535) {
		return Address{}, fmt.Errorf("port %s is not between 0 and 65535", port)
	}
	if strings.ContainsAny(host+port, " \t\r\n\x00/?#") {
		return Address{}, errors.New("blanks and / ? # cannot be part of a host or port")
	}
	return Address{Network: "inet", Host: host, Port: port}, nil
}

// parseSystemd holds a name to what FileDescriptorName= allows (systemd.socket(5)).
func parseSystemd(name string) (Address, error) {
	if name == "" || len(name) > 255 || strings.Contains(name, ":") || strings.ContainsFunc(name, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return Address{}, errors.New("write the FileDescriptorName= of a socket unit: up to 255 printable ASCII characters without colon")
	}
	return Address{Network: "systemd", Name: name}, nil
}

// UnmarshalText implements encoding.TextUnmarshaler, so that an Address may be
// a setting.
func (a *Address) UnmarshalText(text []byte) error {
	parsed, err := ParseAddress(string(text))
	if err != nil {
		return err
	}
	*a = parsed
	return nil
}

// String gives the form that ParseAddress reads.
func (a Address) String() string {
	switch a.Network {
	case "unix":
		var options []string
		if a.Mode != 0 {
			options = append(options, fmt.Sprintf("mode=%04o", a.Mode))
		}
		if a.Group != "" {
			options = append(options, "group="+url.QueryEscape(a.Group))
		}
		if len(options) == 0 {
			return "unix:" + a.Path
		}
		return "unix:" + a.Path + "?" + strings.Join(options, "&")
	case "inet":
		return "inet:" + net.JoinHostPort(a.Host, a.Port)
	case "systemd":
		return "systemd:" + a.Name
	}
	return ""
}
