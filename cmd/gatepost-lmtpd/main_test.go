package main

import (
	"bufio"
	"context"
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

	"gatepost/internal/dbmail"
	"gatepost/schema"
)

// build makes the program once for all tests.
var build = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatepost-lmtpd")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "gatepost-lmtpd")
	out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

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
	if path, err := build(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
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

// daemonProcess is a running gatepost-lmtpd.
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
	d := &daemonProcess{t: t, cmd: exec.Command(program(t), args...), done: make(chan struct{})}
	d.cond = sync.NewCond(&d.mu)
	pipe, err := d.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		sc := bufio.NewScanner(pipe)
		for sc.Scan() {
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

// waitLog waits for a log line that matches and gives its first group.
func (d *daemonProcess) waitLog(pattern string) string {
	d.t.Helper()
	re := regexp.MustCompile(pattern)
	timer := time.AfterFunc(20*time.Second, func() {
		d.mu.Lock()
		d.cond.Broadcast()
		d.mu.Unlock()
	})
	defer timer.Stop()
	deadline := time.Now().Add(20 * time.Second)
	d.mu.Lock()
	defer d.mu.Unlock()
	for seen := 0; ; {
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
		d.cond.Wait()
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
	d := start(t, "--config", config, "--listen", "inet:127.0.0.1:0")
	addr := d.waitLog(`msg=listening address=inet:(\S+)`)
	metrics := d.waitLog(`msg=metrics address=inet:(\S+)`)

	// It runs without its store, says so, and defers.
	d.waitLog(`store is not available`)
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
	d.waitLog(`msg="store is open"`)
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
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.waitLog(`reload refused`)
	if r := lhlo(t, addr); !strings.Contains(r, "220 first.example.org") {
		t.Errorf("after a bad reload: %q", r)
	}
	write(fmt.Sprintf(good, "second.example.org"))
	if err := d.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	d.waitLog(`msg=reloaded`)
	if r := lhlo(t, addr); !strings.Contains(r, "220 second.example.org") {
		t.Errorf("after a reload: %q", r)
	}
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	<-d.done
	if code := d.cmd.ProcessState.ExitCode(); code != 0 {
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
