package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// build makes the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", program)
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, program)
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := testbed.Main(m)
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// daemonProcess is a running gatepost-ldapmap.
type daemonProcess struct {
	t    *testing.T
	cmd  *exec.Cmd
	mu   sync.Mutex
	log  []string
	cond *sync.Cond
	done chan struct{}
}

func start(t *testing.T, args ...string) *daemonProcess {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	d := &daemonProcess{t: t, cmd: exec.Command(path, args...), done: make(chan struct{})}
	d.cond = sync.NewCond(&d.mu)
	pipe, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for sc := bufio.NewScanner(pipe); sc.Scan(); {
			d.mu.Lock()
			d.log = append(d.log, sc.Text())
			d.cond.Broadcast()
			d.mu.Unlock()
		}
		_ = d.cmd.Wait()
		d.mu.Lock()
		close(d.done)
		d.cond.Broadcast()
		d.mu.Unlock()
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.done
		if t.Failed() {
			t.Log(strings.Join(d.log, "\n"))
		}
	})
	return d
}

// waitLog waits for a log line that matches and gives its last group.
func (d *daemonProcess) waitLog(pattern string) string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	const patience = 20 * time.Second
	timer := time.AfterFunc(patience, func() {
		d.mu.Lock()
		d.cond.Broadcast()
		d.mu.Unlock()
	})
	defer timer.Stop()
	deadline := time.Now().Add(patience)
	d.mu.Lock()
	defer d.mu.Unlock()
	for seen := 0; ; d.cond.Wait() {
		for ; seen < len(d.log); seen++ {
			if m := re.FindStringSubmatch(d.log[seen]); m != nil {
				return m[len(m)-1]
			}
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("no log line matches %q", pattern)
		}
		select {
		case <-d.done:
			d.t.Fatalf("ended without a log line that matches %q", pattern)
		default:
		}
	}
}

func (d *daemonProcess) signal(s syscall.Signal) {
	d.t.Helper()
	if err := d.cmd.Process.Signal(s); err != nil {
		d.t.Fatal(err)
	}
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
	addr := d.waitLog(`msg=listening address=inet:(\S+)`)
	d.waitLog(`msg=listening address=unix:` + socket)
	metrics := d.waitLog(`msg=metrics address=inet:(\S+)`)
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
	d.waitLog(`msg=lookup table=users key=alice@example.org action=TEMP`)
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
	d.signal(syscall.SIGHUP)
	d.waitLog(`msg="reload refused.*aliases.cf:8: class`)
	if r := c.ask("aliases alice+x@example.org") + c.ask("users alice@example.org"); r != "PERM no such tableOK alice" {
		t.Errorf("after a bad reload: %q", r)
	}
	write(t, more, fmt.Sprintf(table, slapd.URI())+"# gatepost: class = virtual_alias\n")
	d.signal(syscall.SIGHUP)
	d.waitLog(`msg=reloaded tables=2`)
	if r := c.ask("aliases alice+x@example.org"); r != "OK alice+x" {
		t.Errorf("after a reload: %q", r)
	}
	if _, body := get("/metrics"); !strings.Contains(body, "gatepost_directory_server_connections{server=\""+slapd.URI()+"\"} 1") {
		t.Errorf("two tables of one kind do not share their connections:\n%s", regexp.MustCompile(`(?m)^gatepost_directory_server.*`).FindAllString(body, -1))
	}

	d.signal(syscall.SIGTERM)
	<-d.done
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
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
	c := dial(t, "tcp", d.waitLog(`msg=listening address=inet:(\S+)`))
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
