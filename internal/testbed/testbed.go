// Package testbed starts the real daemons that tests run against: MariaDB,
// Postfix, Dovecot, slapd. Each lives in its own temporary directory, on unix
// sockets or loopback ports that were free, reads nothing from /etc, and is
// stopped by its own process id.
//
// A missing program fails the test with the name of the Debian package that
// holds it; nothing is ever skipped. No daemon outlives the test process,
// however that process ends: each is started with a parent-death signal, and
// a janitor process that waits for the end of ours stops what is left and
// removes the directory.
package testbed

import (
	"os"
	"os/exec"
	"sync"
	"testing"
)

// searchPath lists where Debian puts daemons: test runs by ordinary users
// often lack the sbin directories in PATH.
var searchPath = []string{"/usr/sbin/", "/usr/local/sbin/", "/sbin/", "/usr/bin/"}

// Need returns the path of program, or fails the test saying which Debian
// package has to be installed.
func Need(t testing.TB, program, debianPackage string) string {
	t.Helper()
	path, err := find(program)
	if err != nil {
		t.Fatalf("%s is missing: install Debian package %s (make deps)", program, debianPackage)
	}
	return path
}

func find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range searchPath {
		if path, err := exec.LookPath(dir + program); err == nil {
			return path, nil
		}
	}
	return "", err
}

// shared holds what one test process starts once for all its tests.
var shared struct {
	sync.Mutex
	mariadb *MariaDBServer
}

// Main runs the tests and then stops what they shared; it is for TestMain:
//
//	func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }
//
// A package without it is cleaned up after too, a moment after its end.
func Main(m *testing.M) int {
	code := m.Run()
	shared.Lock()
	defer shared.Unlock()
	if shared.mariadb != nil {
		shared.mariadb.shut()
		shared.mariadb = nil
	}
	return code
}

// isRoot says whether daemons can change to their own users.
func isRoot() bool { return os.Geteuid() == 0 }
