package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"gatepost/test/rig"
)

var listening = regexp.MustCompile(`msg=listening address=(?:unix|inet):(\S+)`)

// buildLDAPMap builds the daemon as it is shipped.
func buildLDAPMap(t testing.TB) string {
	t.Helper()
	program := filepath.Join(rig.Scratch(t), "gatepost-ldapmap")
	if out, err := exec.Command("go", "build", "-o", program, "gatepost/cmd/gatepost-ldapmap").CombinedOutput(); err != nil {
		t.Fatalf("build gatepost-ldapmap: %v\n%s", err, out)
	}
	return program
}

// startServer runs a server on a unix socket that Postfix's user may connect
// to; args make its command line of the socket's path.
func startServer(t testing.TB, program string, args func(socket string) []string) (*rig.Process, string) {
	t.Helper()
	dir := rig.Scratch(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	d := rig.Start(t, dir, program, args(filepath.Join(dir, "socket"))...)
	return d, d.Logged(t, listening)
}

// startLDAPMap runs the daemon on the tables, otherwise as it comes; program
// may have arguments of its own.
func startLDAPMap(t testing.TB, tables string, program []string) (*rig.Process, string) {
	t.Helper()
	return startServer(t, program[0], func(socket string) []string {
		return append(program[1:len(program):len(program)], "--tables", tables, "--listen", "unix:"+socket+"?mode=0666")
	})
}

// startThoughtless runs the server that answers from memory.
func startThoughtless(t testing.TB) (*rig.Process, string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return startServer(t, self, func(socket string) []string { return []string{thoughtless, socket} })
}

// socketmap names a table of a server for Postfix.
func socketmap(socket, table string) string {
	return fmt.Sprintf("socketmap:unix:%s:%s", socket, table)
}

// union is the form in which Postfix asks for all partial keys itself.
func union(table string) string { return "unionmap:{inline:{no@such.invalid=x}," + table + "}" }
