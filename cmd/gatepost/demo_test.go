//go:build !dmz

package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"gatepost/cmd/gatepost/samples"
)

// binaries builds the programs as make build does, into one directory.
func binaries(t *testing.T, args ...string) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.CommandContext(t.Context(), "go", append([]string{"build", "-o", dir + "/"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return dir
}

// golden compares with a file of testdata; GOLDEN=write in the environment
// writes the file instead.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if os.Getenv("GOLDEN") == "write" {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (GOLDEN=write writes it):\n%s", path, got)
	}
}

func TestDemo(t *testing.T) {
	bin := binaries(t, "gatepost/cmd/gatepost", "gatepost/cmd/gatepost-lmtpd", "gatepost/cmd/gatepost-ldapmap")
	tmp := t.TempDir()
	demo := func(args ...string) *exec.Cmd {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
		t.Cleanup(cancel)
		cmd := exec.CommandContext(ctx, filepath.Join(bin, "gatepost"), append([]string{"demo"}, args...)...)
		cmd.Env = append(os.Environ(), "TMPDIR="+tmp)
		return cmd
	}
	nothingLeft := func(t *testing.T) {
		t.Helper()
		left, err := os.ReadDir(tmp)
		if err != nil || len(left) > 0 {
			t.Errorf("left behind: %v, %v", left, err)
		}
	}

	t.Run("once", func(t *testing.T) {
		cmd := demo("--once")
		var complaint bytes.Buffer
		cmd.Stderr = &complaint
		out, err := cmd.Output()
		if err != nil || complaint.Len() > 0 {
			t.Fatalf("%v\n%s%s", err, out, complaint.String())
		}
		text := regexp.MustCompile(`inet:127\.0\.0\.1:\d+`).ReplaceAllString(string(out), "inet:127.0.0.1:PORT")
		text = regexp.MustCompile(`ldap://127\.0\.0\.1:\d+`).ReplaceAllString(text, "ldap://127.0.0.1:PORT")
		text = regexp.MustCompile(`answered \d+ search(es)?, the longest in [0-9.]+ ms`).ReplaceAllString(text, "answered N searches, the longest in N ms")
		text = regexp.MustCompile(regexp.QuoteMeta(tmp)+`/gatepost-demo-\d+`).ReplaceAllString(text, "DIR")
		golden(t, "demo.golden", text)
		nothingLeft(t)
	})

	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run("serves until "+sig.String(), func(t *testing.T) {
			cmd := demo()
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			var log bytes.Buffer
			cmd.Stderr = &log
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			server, config, control := serving(t, stdout)
			// It serves: the very commands that it names work.
			file := writeFile(t, "message.eml", "Subject: one more\n\nbody\n")
			gatepost(t, "deliver", "--lmtp", server, "--to", "alice@example.com", file).expect(t, 0, "accepted", "")
			gatepost(t, "store", "ls", "alice", "--config", config).expect(t, 0, "one more", "")
			gatepost(t, "lookup", "--control", control, "lists", "team@example.com").expect(t, 0, "OK alice@example.com,bob@example.com,alice@example.com", "")
			gatepost(t, "directory", "show", "--config", config, "alice@example.org").expect(t, 0, "alice, number 10001: ", "")
			gatepost(t, "lookup", "--control", control, "recipients", "dave@example.com").expect(t, 1, "NOTFOUND", "")
			gatepost(t, "store", "verify", "--config", config).expect(t, 0, "No problems.", "")
			if err := cmd.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			if err := cmd.Wait(); err != nil {
				t.Errorf("after %v: %v\n%s", sig, err, log.String())
			}
			nothingLeft(t)
		})
	}
}

// serving reads the demonstration's output up to its end and gives the server,
// the configuration file and the control socket that it names.
func serving(t *testing.T, out io.Reader) (server, config, control string) {
	t.Helper()
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		if _, rest, ok := strings.Cut(line, " deliver --lmtp "); ok {
			server, _, _ = strings.Cut(rest, " ")
		}
		if _, rest, ok := strings.Cut(line, " lookup --control "); ok {
			control, _, _ = strings.Cut(rest, " ")
		}
		if _, rest, ok := strings.Cut(line, " store ls alice --config "); ok {
			return server, rest, control
		}
	}
	t.Fatal("the demonstration ended before it served")
	return "", "", ""
}

func TestDemoWithoutDaemon(t *testing.T) {
	bin := binaries(t, "gatepost/cmd/gatepost")
	out, err := exec.CommandContext(t.Context(), filepath.Join(bin, "gatepost"), "demo", "--once").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "build it with: make build") {
		t.Errorf("%v: %s", err, out)
	}
}

// TestDMZ runs the tool as it is built for the gateway: it delivers, and there
// is no store to be seen.
func TestDMZ(t *testing.T) {
	bin := binaries(t, "-tags", "dmz", "gatepost/cmd/gatepost")
	dsn := newTestStore(t)
	good(t, "store", "user", "add", "alice", "--alias", "alice@example.com", "--store", dsn)
	server := serveStore(t, dsn)
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"deliver --lmtp " + server + " --to alice@example.com -", 0, "accepted"},
		{"deliver --lmtp " + server + " --to nobody@example.com -", 1, "rejected"},
		{"deliver --config x --to alice@example.com -", 2, "unknown flag: --config"},
		{"store ls alice", 2, `"store" is no command of gatepost`},
		{"demo", 2, `"demo" is no command of gatepost`},
		{"lookup /none/x.cf alice@example.com", 78, "/none/x.cf: cannot be read"},
		{"directory show --directory /none/directory.toml alice", 78, "/none/directory.toml"},
		{"directory show --store x alice", 2, "unknown flag: --store"},
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "gatepost"), strings.Fields(tc.args)...)
		cmd.Stdin = strings.NewReader("Subject: x\n\nfrom the gateway\n")
		out, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != tc.code || !strings.Contains(string(out), tc.want) {
			t.Errorf("%s: %v\n%s", tc.args, err, out)
		}
	}
	info, err := exec.CommandContext(t.Context(), "go", "version", "-m", filepath.Join(bin, "gatepost")).Output()
	if err != nil {
		t.Fatal(err)
	}
	for module := range strings.FieldsSeq(string(info)) {
		if slices.Contains([]string{"modernc.org/sqlite", "github.com/go-sql-driver/mysql", "github.com/jimlambrt/gldap"}, module) {
			t.Errorf("%s is linked", module)
		}
	}
}

func TestMatches(t *testing.T) {
	e := &samples.Entry{DN: "uid=a", Attributes: []samples.Attribute{{Name: "mail", Values: []string{"a@x", "(b)*@x"}}, {Name: "uid", Values: []string{"a"}}}}
	for filter, want := range map[string]bool{
		"(mail=A@X)": true, "(MAIL=a@x)": true, "(mail=b)": false, `(mail=\28b\29\2a@x)`: true, "(mail=*)": true, "(sn=*)": false,
		"(&(uid=a)(mail=a@x))": true, "(&(uid=a)(mail=c))": false, "(|(uid=b)(mail=a@x))": true, "(|(uid=b)(mail=c))": false,
		"(!(uid=b))": true, "(!(uid=a))": false, "(&)": true, "(|)": false, "(&(|(uid=*)(!(uid=*)))(!(&(sn=*))))": true,
	} {
		if got, err := matches(e, filter); err != nil || got != want {
			t.Errorf("%s: %v, %v", filter, got, err)
		}
	}
	for _, filter := range []string{"", "(", "()", "(uid)", "uid=a", "(uid=a", "(uid=a))", "(&(uid=a)", "(uid>=a)", "(uid=a*)", "(!)", "(uid:dn:=a)"} {
		if _, err := matches(e, filter); err == nil {
			t.Errorf("%q is taken", filter)
		}
	}
}

func TestListeningAddress(t *testing.T) {
	for _, tc := range []struct{ line, want string }{
		{"time=2026-01-01T00:00:00.000Z level=INFO msg=listening address=inet:127.0.0.1:1234\n", "inet:127.0.0.1:1234"},
		{"time=2026-01-01T00:00:00.000Z level=INFO msg=metrics address=inet:127.0.0.1:1234\n", ""},
		{"level=INFO msg=listening address=nonsense\n", ""},
		{"", ""},
	} {
		a, ok := listeningAddress(tc.line)
		if ok != (tc.want != "") || ok && a.String() != tc.want {
			t.Errorf("%q: %v, %v", tc.line, a, ok)
		}
	}
}
