package daemon

import (
	"errors"
	"io/fs"
)

// Address is where a daemon listens.
type Address struct {
	Network string      // "unix", "inet" or "systemd"
	Path    string      // unix: the socket's path
	Mode    fs.FileMode // unix: permissions; 0 leaves them to the umask
	Group   string      // unix: owning group, name or number; empty leaves the process's
	Host    string      // inet: host name or IP address, empty for all
	Port    string      // inet: port number or service name; "0" picks one
	Name    string      // systemd: FileDescriptorName= of the passed socket
}

// ParseAddress reads unix:/path?mode=0660&group=postfix, inet:HOST:PORT, or systemd:NAME.
func ParseAddress(s string) (Address, error) { return Address{}, errors.New("not written yet") }

// String gives the form that ParseAddress reads.
func (a Address) String() string { return "" }
