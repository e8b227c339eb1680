package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
	"gatepost/schema"
)

var build, remove = testbed.Build("gatepost-lmtpd")

func program(t *testing.T) string {
	t.Helper()
	path, err := build()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMain(m *testing.M) {
	code := m.Run()
	remove()
	os.Exit(code)
}

// makeStore makes a SQLite store with a user.
func makeStore(t *testing.T, path string) {
	t.Helper()
	ctx := context.Background()
	dsn := dbmail.DSN{Driver: "sqlite", Path: path}
	db, err := dbmail.OpenDB(ctx, dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if _, err := schema.Apply(ctx, db, schema.SQLite, schema.Options{Own: true}); err != nil {
		t.Fatal(err)
	}
	s, err := dbmail.Open(ctx, dsn, dbmail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if _, err := s.AddUser(ctx, "alice", 0, []string{"alice@example.org"}); err != nil {
		t.Fatal(err)
	}
}

func lhlo(t *testing.T, addr string) string {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprint(c, "LHLO x\r\nQUIT\r\n")
	all, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(all)
}

func TestLifeOfTheDaemon(t *testing.T) {
	dir := t.TempDir()
	storePath, config := filepath.Join(dir, "store.db"), filepath.Join(dir, "lmtpd.toml")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	good := "hostname = \"%s\"\nrecipients = \"sql\"\n[store]\ndsn = \"sqlite:" + storePath + "\"\n[metrics]\nlisten = \"inet:127.0.0.1:0\"\n"
	write(fmt.Sprintf(good, "first.example.org"))
	d := testbed.Run(t, program(t), "--config", config, "--listen", "inet:127.0.0.1:0")
	addr := d.WaitLog(`msg=listening address=inet:(\S+)`)
	metrics := d.WaitLog(`msg=metrics address=inet:(\S+)`)

	// It runs without its store, says so, and defers.
	d.WaitLog(`store is not available`)
	if r := lhlo(t, addr); !strings.Contains(r, "451 4.3.0") {
		t.Errorf("without a store: %q", r)
	}
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
	if code, _ := get("/readyz"); code != http.StatusServiceUnavailable {
		t.Errorf("/readyz without a store: %d", code)
	}
	if code, _ := get("/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	makeStore(t, storePath)
	d.WaitLog(`msg="store is open"`)
	if r := lhlo(t, addr); !strings.Contains(r, "220 first.example.org") || !strings.Contains(r, "250-PIPELINING") {
		t.Errorf("with a store: %q", r)
	}
	if code, _ := get("/readyz"); code != http.StatusOK {
		t.Errorf("/readyz with a store: %d", code)
	}
	if _, body := get("/metrics"); !strings.Contains(body, "gatepost_lmtpd_sessions_total 1") || !strings.Contains(body, "gatepost_store_groups_total") {
		t.Errorf("metrics: %s", body)
	}

	// A bad configuration changes nothing, a good one does.
	write("hostnam = \"x\"\n")
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`reload refused`)
	if r := lhlo(t, addr); !strings.Contains(r, "220 first.example.org") {
		t.Errorf("after a bad reload: %q", r)
	}
	write(fmt.Sprintf(good, "second.example.org"))
	d.Signal(syscall.SIGHUP)
	d.WaitLog(`msg=reloaded`)
	if r := lhlo(t, addr); !strings.Contains(r, "220 second.example.org") {
		t.Errorf("after a reload: %q", r)
	}
	d.Signal(syscall.SIGTERM)
	if code := d.ExitCode(); code != 0 {
		t.Errorf("exit %d after SIGTERM", code)
	}
}

func TestCheck(t *testing.T) {
	dir := t.TempDir()
	storePath, config := filepath.Join(dir, "store.db"), filepath.Join(dir, "lmtpd.toml")
	makeStore(t, storePath)
	check := func(text string) (string, int) {
		t.Helper()
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(program(t), "--config", config, "--check").CombinedOutput()
		if err == nil {
			return string(out), 0
		}
		exit, ok := err.(*exec.ExitError)
		if !ok {
			t.Fatal(err)
		}
		return string(out), exit.ExitCode()
	}
	store := "[store]\ndsn = \"sqlite:" + storePath + "\"\n"
	if out, code := check(store); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := check("hostnam = 1\nquota_failure = \"x\"\n" + store); code != 78 || !strings.Contains(out, "lmtpd.toml:1: hostnam") || !strings.Contains(out, "lmtpd.toml:2: quota_failure") {
		t.Errorf("exit %d: %s", code, out)
	}
	if out, code := check("[store]\ndsn = \"sqlite:" + dir + "/none.db\"\n"); code != 78 || !strings.Contains(out, "gatepost schema apply") {
		t.Errorf("no store: exit %d: %s", code, out)
	}
	s, err := dbmail.Open(context.Background(), dbmail.DSN{Driver: "sqlite", Path: storePath}, dbmail.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.AddAlias(context.Background(), "pipe@example.org", "|/bin/cat@x"); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if out, code := check(store); code != 78 || !strings.Contains(out, "pipe-aliases: 1 aliases") {
		t.Errorf("pipe alias: exit %d: %s", code, out)
	}
	if out, code := check("ignore = [\"pipe-aliases\"]\n" + store); code != 0 || !strings.Contains(out, "ignored: pipe-aliases") {
		t.Errorf("ignored: exit %d: %s", code, out)
	}
}
