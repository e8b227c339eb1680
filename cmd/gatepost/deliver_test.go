//go:build !dmz

package main

import (
	"fmt"
	"strings"
	"testing"

	"gatepost/cmd/gatepost/lmtp"
)

func TestDeliver(t *testing.T) {
	dsn := newTestStore(t)
	good(t, "store", "user", "add", "alice", "--alias", "alice@example.com", "--store", dsn)
	good(t, "store", "user", "add", "small", "--alias", "small@example.com", "--quota", "10", "--store", dsn)
	// A forward without a smarthost is deferred.
	good(t, "store", "alias", "add", "away@example.com", "x@example.org", "--store", dsn)
	server := serveStore(t, dsn)
	config := writeFile(t, "lmtpd.toml", fmt.Sprintf("listen = [\"systemd:lmtp\", %q]\n[store]\ndsn = %q\n", server, dsn))
	passed := writeFile(t, "passed.toml", fmt.Sprintf("listen = [\"systemd:lmtp\"]\n[store]\ndsn = %q\n", dsn))
	message := "Subject: hello\n\nworld, which is more than ten octets\n"
	for _, tc := range []struct {
		name, to string
		code     int
		want     []string
	}{
		{"accepted", "alice", 0, []string{"alice@example.com  accepted  250 2.0.0 "}},
		{"unknown", "nobody", 1, []string{"nobody@example.com  rejected  550 5.1.1 no such user here"}},
		{"full at the end", "small", 1, []string{"small@example.com  rejected  552 5.2.2 "}},
		{"deferred", "away", 75, []string{"away@example.com  deferred  451 4.3."}},
		{"accepted and deferred", "alice away", 75, []string{"alice@example.com  accepted", "away@example.com   deferred"}},
		{"all three", "away alice nobody", 1, []string{"away@example.com    deferred", "alice@example.com   accepted", "nobody@example.com  rejected"}},
		{"twice", "alice alice", 0, []string{"alice@example.com  accepted  250", "alice@example.com  accepted  250"}},
	} {
		for _, where := range [][]string{{"--lmtp", server}, {"--config", config}} {
			t.Run(tc.name+" "+where[0], func(t *testing.T) {
				args := append([]string{"deliver", "--from", "s@example.net"}, where...)
				for user := range strings.FieldsSeq(tc.to) {
					args = append(args, "--to", user+"@example.com")
				}
				r := gatepostWith(t, strings.NewReader(message), append(args, "-")...)
				lines := strings.Split(strings.TrimSuffix(r.out, "\n"), "\n")
				if r.code != tc.code || len(lines) != len(tc.want) || r.err != "" {
					t.Fatalf("exit status %d\n%s%s", r.code, r.out, r.err)
				}
				for i, line := range lines {
					if !strings.HasPrefix(line, tc.want[i]) {
						t.Errorf("line %q, want %q…", line, tc.want[i])
					}
				}
			})
		}
	}

	var replies []lmtp.Reply
	r := gatepostWith(t, strings.NewReader(message), "deliver", "--json", "--lmtp", server, "--to", "nobody@example.com", "--to", "alice@example.com", "-")
	decode(t, r.out, &replies)
	if r.code != 1 || len(replies) != 2 || replies[0].Code != 550 || replies[0].Enhanced != "5.1.1" || replies[0].Stage != "RCPT" || !replies[1].Accepted() {
		t.Errorf("--json: exit status %d, %+v", r.code, replies)
	}
	anyPort := writeFile(t, "any.toml", fmt.Sprintf("listen = [\"inet:127.0.0.1:0\"]\n[store]\ndsn = %q\n", dsn))
	gatepost(t, "deliver", "--config", anyPort, "--to", "a@b", "-").expect(t, 78, "", "name the address with --lmtp")
	gatepost(t, "deliver", "--config", passed, "--to", "a@b", "-").expect(t, 78, "", "name the address with --lmtp")
}

func TestVerdict(t *testing.T) {
	accepted := lmtp.Reply{Stage: "content", Code: 250}
	rejected := lmtp.Reply{Stage: "RCPT", Code: 550}
	deferred := lmtp.Reply{Stage: "RCPT", Code: 451}
	silent := lmtp.Reply{Stage: "content"}
	odd := lmtp.Reply{Stage: "RCPT", Code: 250} // never got to a final reply
	for _, tc := range []struct {
		replies []lmtp.Reply
		want    int
	}{
		{[]lmtp.Reply{accepted, accepted}, 0},
		{[]lmtp.Reply{accepted, silent}, 75},
		{[]lmtp.Reply{accepted, odd}, 75},
		{[]lmtp.Reply{deferred, accepted}, 75},
		{[]lmtp.Reply{deferred, rejected}, 1},
	} {
		code := 0
		if f, ok := verdict(tc.replies).(*failure); ok {
			code = f.code
		}
		if code != tc.want {
			t.Errorf("%v: exit status %d, want %d", tc.replies, code, tc.want)
		}
	}
}
