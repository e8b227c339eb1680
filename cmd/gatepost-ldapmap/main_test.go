package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

var build, remove = testbed.Build(program)

func TestMain(m *testing.M) {
	code := testbed.Main(m)
	remove()
	os.Exit(code)
}

func start(t *testing.T, args ...string) *testbed.Program {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return testbed.Run(t, path, args...)
}

// client is a connection to the daemon.
type client struct {
	t    *testing.T
	conn net.Conn
}

func dial(t *testing.T, network, addr string) *client {
	t.Helper()
	conn, err := net.Dial(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	return &client{t, conn}
}

// ask sends a request and gives the reply without its frame.
func (c *client) ask(request string) string {
	c.t.Helper()
	fmt.Fprintf(c.conn, "%d:%s,", len(request), request)
	var n int
	var colon rune
	if _, err := fmt.Fscanf(c.conn, "%d%c", &n, &colon); err != nil {
		c.t.Fatalf("%s: %v", request, err)
	}
	buf := make([]byte, n+1)
	if _, err := io.ReadFull(c.conn, buf); err != nil {
		c.t.Fatal(err)
	}
	return string(buf[:n])
}

const ldif = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=alice,dc=example,dc=com
objectClass: inetOrgPerson
cn: alice
sn: a
mail: alice@example.org
uid: alice
`

const table = `server_host = %s
search_base = dc=example,dc=com
bind = no
timeout = 5
query_filter = (mail=%%s)
result_attribute = uid
`

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLifeOfTheDaemon(t *testing.T) {
	slapd := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(ldif)})
	slapd.Stop()
	dir := t.TempDir()
	tables, config, socket := filepath.Join(dir, "tables"), filepath.Join(dir, "ldapmap.toml"), filepath.Join(dir, "s")
	if err := os.Mkdir(tables, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(tables, "users.cf"), fmt.Sprintf(table, slapd.URI()))
	good := "tables = \"" + tables + "\"\n[postfix]\nrecipient_delimiter = \"+\"\nmydestination = []\n[metrics]\nlisten = \"inet:127.0.0.1:0\"\n"
	write(t, config, good)
	d := start(t, "--config", config, "--listen", "inet:127.0.0.1:0", "--listen", "unix:"+socket+"?mode=0600")
	addr := d.WaitLog(`msg=listening address=inet:(\S+)`)
	d.WaitLog(`msg=listening address=unix:` + socket)
	metrics := d.WaitLog(`msg=metrics address=inet:(\S+)`)
	get := func(path string) (int, string) {
		t.Helper()
		r, err := http.Get("http://" + metrics + path)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		body, _ := io.ReadAll(r.Body)
		return r.StatusCode, string(body)
	}

	// It runs without its directory, says so, and says neither yes nor no.
	c := dial(t, "tcp", addr)
	if r := c.ask("users alice@example.org"); !strings.HasPrefix(r, "TEMP ") {
		t.Errorf("without a directory: %q", r)
	}
	d.WaitLog(`msg=lookup table=users key=alice@example.org action=TEMP`)
	if code, _ := get("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz without a directory: %d", code)
	}
	if code, _ := get("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	if err := slapd.Restart(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(20 * time.Second); c.ask("users alice@example.org") != "OK alice"; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the directory is not found again")
		}
	}
	if r := c.ask("users nobody@example.org"); r != "NOTFOUND " {
		t.Errorf("%q", r)
	}
	if r := dial(t, "unix", socket).ask("users ALICE@Example.org"); r != "OK alice" {
		t.Errorf("%q", r)
	}
	if code, body := get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz with a directory: %d %s", code, body)
	}
	_, body := get("/metrics")
	for _, want := range []string{`gatepost_ldapmap_lookups_total{reply="ok",table="users"} 2`, `gatepost_ldapmap_lookups_total{reply="notfound",table="users"} 1`,
		"gatepost_ldapmap_connections 2", "gatepost_directory_cache_hits_total", "gatepost_directory_server_up{server=\"" + slapd.URI() + "\"} 1"} {
		if !strings.Contains(body, want) {
			t.Errorf("metrics lack %s", want)
		}
	}

	// A bad configuration changes nothing, a good one does, for open
	// connections too.
	more := filepath.Join(tables, "aliases.cf")
	write(t, more, fmt.Sprintf(table, slapd.URI())+"scope = sub\n# gatepost: class = virtual_alia\n")
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`msg="reload refused.*aliases.cf:8: class`)
	if r := c.ask("aliases alice+x@example.org") + c.ask("users alice@example.org"); r != "PERM no such tableOK alice" {
		t.Errorf("after a bad reload: %q", r)
	}
	write(t, more, fmt.Sprintf(table, slapd.URI())+"# gatepost: class = virtual_alias\n")
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`msg=reloaded tables=2`)
	if r := c.ask("aliases alice+x@example.org"); r != "OK alice+x" {
		t.Errorf("after a reload: %q", r)
	}
	if _, body := get("/metrics"); !strings.Contains(body, "gatepost_directory_server_connections{server=\""+slapd.URI()+"\"} 1") {
		t.Errorf("two tables of one kind do not share their connections:\n%s", regexp.MustCompile(`(?m)^gatepost_directory_server.*`).FindAllString(body, -1))
	}

	d.Signal(syscall.SIGTERM)
	if code := d.ExitCode(); code != 0 {
		t.Errorf("exit %d after SIGTERM", code)
	}
	if _, err := os.Stat(socket); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}

// TestTables needs no configuration file.
func TestTables(t *testing.T) {
	slapd := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(ldif)})
	dir := t.TempDir()
	write(t, filepath.Join(dir, "users.cf"), fmt.Sprintf(table, slapd.URI()))
	write(t, filepath.Join(dir, "README"), "not a table")
	d := start(t, "--tables", dir, "--listen", "inet:127.0.0.1:0")
	c := dial(t, "tcp", d.WaitLog(`msg=listening address=inet:(\S+)`))
	if r := c.ask("users alice@example.org"); r != "OK alice" {
		t.Errorf("%q", r)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "users.cf")
	check := func(args ...string) (int, string) {
		var out bytes.Buffer
		code := run(append(args, "--check"), &out, &out)
		return code, out.String()
	}
	write(t, path, fmt.Sprintf(table, "ldaps://127.0.0.1:1"))
	if code, out := check("--tables", dir); code != 0 || !strings.Contains(out, "note: "+path+":") || !strings.Contains(out, "are good") {
		t.Errorf("a good table on a server that is not there: %d, %s", code, out)
	}
	write(t, path, fmt.Sprintf(table, "ldap://127.0.0.1:1")+"scope = sub\nbind = perhaps\nrecursion_limit = x\n")
	if code, out := check("--tables", dir); code != 78 || !strings.Contains(out, path+":8: bind: ") || !strings.Contains(out, path+":9: recursion_limit: ") {
		t.Errorf("%d, %s", code, out)
	}
	if code, out := check("--config", filepath.Join(dir, "none.toml")); code != 78 || strings.Count(out, "\n") != 1 {
		t.Errorf("%d, %s", code, out)
	}
}
