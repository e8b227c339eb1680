//go:build !dmz

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongUsage(t *testing.T) {
	dsn := newTestStore(t)
	for _, tc := range []struct{ args, want string }{
		{"frobnicate", `"frobnicate" is no command of gatepost; see: gatepost --help`},
		{"store frobnicate", `"frobnicate" is no command of gatepost store; see: gatepost store --help`},
		{"store user frobnicate", `"frobnicate" is no command of gatepost store user`},
		{"store ls", "want: gatepost store ls USER [MAILBOX]"},
		{"store ls a b c --store x", "want: gatepost store ls USER [MAILBOX]"},
		{"store ls --frobnicate", "unknown flag: --frobnicate"},
		{"store ls alice", "say which store, with --store DSN or --config FILE"},
		{"store ls alice --store postgres://x", `store DSN "postgres://x": unknown kind`},
		{"store ls alice --store mysql://u:secret@h/d", "it carries a password"},
		{"store ls alice --store sqlite:x --config y", "none of the others can be"},
		{"store cat five --store " + dsn, `"five" is no message_idnr`},
		{"store user add a --quota 10X --store " + dsn, `"10X" is not a size`},
		{"store user set a --active maybe --store " + dsn, "want true or false"},
		{"store user set a --store " + dsn, "say what to change, with --quota or --active"},
		{"schema apply", "say which store, with --store DSN"},
		{"schema diff now --store " + dsn, "want: gatepost schema diff"},
		{"schema apply --prefix a;b --store " + dsn, `table prefix "a;b"`},
		{"schema print", "say which SQL"},
		{"schema print --dialect oracle", `--dialect "oracle" is not known; want mysql or sqlite`},
		{"schema print ldap --prefix x_", "--prefix has no meaning"},
		{"deliver message", `required flag(s) "to" not set`},
		{"deliver --to a@b", "want: gatepost deliver"},
		{"deliver --to a@b --lmtp inet:x:24 --config y z", "none of the others can be"},
		{"deliver --to a@b --cert c z", "missing [key]"},
		{"deliver --to a@b --lmtp somewhere z", "--lmtp: "},
		{"deliver --to a@b --lmtp systemd:lmtp z", "nobody can connect to that"},
		{"deliver --to a>b z", "angle bracket"},
	} {
		r := gatepost(t, strings.Fields(tc.args)...)
		t.Run(tc.args, func(t *testing.T) {
			r.expect(t, 2, "", tc.want)
			if r.out != "" || strings.Contains(r.err, "secret") {
				t.Errorf("output %q, error %q", r.out, r.err)
			}
		})
	}
}

func TestGroupsShowTheirCommands(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"", "deliver"}, {"store", "verify"}, {"schema", "apply"}, {"store user", "show"},
	} {
		gatepost(t, strings.Fields(tc.args)...).expect(t, 2, "", tc.want)
	}
	gatepost(t, "--help").expect(t, 0, "deliver", "")
	gatepost(t, "--version").expect(t, 0, "gatepost version ", "")
}

func TestStoresThatDoNotOpen(t *testing.T) {
	dir := t.TempDir()
	empty := "sqlite:" + writeFile(t, "empty.db", "")
	open := writeFile(t, "password", "secret")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	broken := writeFile(t, "lmtpd.toml", "hostname = 7\n")
	for _, tc := range []struct {
		args string
		code int
		want string
	}{
		{"store user list --store sqlite:" + dir + "/none.db", 78, "no such file or directory; make the store with: gatepost schema apply"},
		{"schema diff --store sqlite:" + dir + "/none.db", 78, "no such file or directory; make the store with: gatepost schema apply"},
		{"schema apply --store sqlite:" + dir + "/no/store.db", 78, "make the store: open"},
		{"store user list --store " + empty, 78, "there are no DBMail tables"},
		{"store user list --store mysql://u@127.0.0.1:1/d", 75, "connection refused"},
		{"schema diff --store mysql://u@/d?socket=" + dir + "/none", 75, "connect to " + dir + "/none"},
		{"store user list --store mysql://u@h/d?password_file=" + open, 78, "is open to every user"},
		{"schema apply --store mysql://u@h/d?password_file=" + open, 78, "is open to every user"},
		{"store user list --config " + dir + "/none.toml", 78, "none.toml"},
		{"store user list --config " + broken, 78, broken + ":1: hostname"},
		{"deliver --to a@b --config " + broken + " -", 78, broken + ":1: hostname"},
		{"deliver --to a@b --lmtp inet:127.0.0.1:1 -", 75, "connection refused; nothing was delivered"},
		{"deliver --to a@b --lmtp unix:" + dir + "/none -", 75, "nothing was delivered"},
		{"deliver --to a@b --cert " + broken + " --key " + broken + " -", 78, "read --cert and --key"},
		{"deliver --to a@b " + dir + "/none.eml", 1, "read the message"},
	} {
		t.Run(tc.args, func(t *testing.T) {
			r := gatepost(t, strings.Fields(tc.args)...)
			if r.code != tc.code || !strings.Contains(r.err, tc.want) || r.out != "" {
				t.Errorf("exit status %d, output %q, error %q", r.code, r.out, r.err)
			}
		})
	}
	if found, _ := filepath.Glob(filepath.Join(dir, "none.db*")); len(found) > 0 {
		t.Errorf("made %v", found)
	}
}
