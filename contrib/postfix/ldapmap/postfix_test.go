// Package ldapmap has lines for Postfix; its test runs a real Postfix with them.
package ldapmap

import (
	"bufio"
	"fmt"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

const ldif = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: cn=alice,dc=example,dc=com
objectClass: inetOrgPerson
cn: alice
sn: a
uid: alice
mail: alice@example.com
mail: alice.a@example.com
`

// lines reads settings in the syntax of postconf(5).
func lines(t *testing.T, path string) map[string]string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	settings := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if name, value, ok := strings.Cut(line, "="); ok && line[0] != '#' {
			settings[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return settings
}

// tables gives, for each name in our lines, a table file.
func tables(t *testing.T, uri string) map[string]string {
	t.Helper()
	sample, err := os.ReadFile("tables/aliases.cf")
	if err != nil {
		t.Fatal(err)
	}
	aliases := strings.Replace(string(sample), "ldap://ldap.example.com", uri, 1)
	if aliases == string(sample) {
		t.Fatal("the sample table has another server")
	}
	table := func(class, filter, result string) string {
		return fmt.Sprintf("server_host = %s\nsearch_base = dc=example,dc=com\nbind = no\nquery_filter = %s\nresult_attribute = uid\nresult_format = %s\n# gatepost: class = %s\n", uri, filter, result, class)
	}
	return map[string]string{
		"aliases":   aliases,
		"domains":   table("domain\n# gatepost: list = virtual_mailbox_domains", "(&(uid=alice)(mail=*@%s))", "x"),
		"mailboxes": table("mailbox", "(mail=%s)", "x"),
		"relays":    table("domain\n# gatepost: list = relay_domains", "(&(uid=alice)(mail=*@mx.%s))", "x"),
		"relayed":   table("relay_recipient", "(mail=%s)", "x"),
		"logins":    table("sender_login", "(mail=%s)", "%s"),
		"routes":    table("transport", "(mail=%s)", "discard:"),
	}
}

func TestLinesForPostfix(t *testing.T) {
	for _, extra := range []string{"", "unionmap.cf"} {
		t.Run("main.cf "+extra, func(t *testing.T) { testLines(t, extra) })
	}
}

func testLines(t *testing.T, extra string) {
	slapd := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(ldif)})
	settings := lines(t, "main.cf")
	files := tables(t, slapd.URI())
	for name, value := range settings {
		if table := value[strings.LastIndexByte(value, ':')+1:]; files[table] == "" {
			t.Errorf("%s = %s: the test has no such table", name, value)
		}
	}
	if extra != "" {
		for name, value := range lines(t, extra) {
			settings[name] = value
		}
		files["aliases"] = strings.Replace(files["aliases"], "# gatepost: class = virtual_alias\n", "", 1)
	}
	settings["smtpd_relay_restrictions"] = "reject_unauth_destination"
	settings["mynetworks"] = "192.0.2.0/24"
	settings["recipient_delimiter"] = "+"
	settings["default_transport"], settings["virtual_transport"] = "discard:", "discard:"
	p := testbed.Postfix(t, testbed.PostfixOptions{Main: settings})
	queue := filepath.Join(filepath.Dir(p.ConfigDir()), "q")
	start(t, filepath.Join(queue, "gatepost"), files)

	c := dial(t, p.SMTPAddr())
	c.must("EHLO client.example")
	for recipient, want := range map[string]string{"alice.a@example.com": "250", "Alice.A+x@Example.com": "250", "nobody@example.com": "550", "alice@example.org": "554"} {
		c.must("MAIL FROM:<sender@example.net>")
		reply := c.say("RCPT TO:<" + recipient + ">")
		if !strings.HasPrefix(reply, want) {
			t.Errorf("%s: %s, want %s", recipient, reply, want)
		}
		if want == "250" {
			c.must("DATA")
			c.must("Subject: x\r\n\r\nx\r\n.")
		} else {
			c.must("RSET")
		}
	}
	for end := time.Now().Add(30 * time.Second); strings.Count(p.Log(), ": removed\n") < 2; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal(p.Log())
		}
	}
	for _, want := range []string{"to=<alice@example.com>, orig_to=<alice.a@example.com>", "to=<alice+x@example.com>, orig_to=<Alice.A+x@Example.com>"} {
		if !strings.Contains(p.Log(), want) {
			t.Errorf("no %s in\n%s", want, p.Log())
		}
	}
	if strings.Contains(p.Log(), "warning") {
		t.Error(p.Log())
	}
}

// start runs ldapmap on a socket in the directory, where Postfix looks for it.
func start(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	work := t.TempDir()
	program, conf := filepath.Join(work, "gatepost-ldapmap"), filepath.Join(work, "ldapmap.d")
	if out, err := exec.Command("go", "build", "-o", program, "gatepost/cmd/gatepost-ldapmap").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	if err := os.Mkdir(conf, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(conf, name+".cf"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config := filepath.Join(work, "ldapmap.toml")
	if err := os.WriteFile(config, []byte("tables = \""+conf+"\"\n[postfix]\nmydestination = []\nrecipient_delimiter = \"+\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "--config", config, "--listen", "unix:"+filepath.Join(dir, "ldapmap")+"?mode=0660&group=postfix")
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	listening := make(chan bool, 1)
	go func() {
		for sc := bufio.NewScanner(pipe); sc.Scan(); {
			if strings.Contains(sc.Text(), "msg=listening") {
				listening <- true
			}
		}
		close(listening)
	}()
	if !<-listening {
		t.Fatal("gatepost-ldapmap does not start")
	}
}

type client struct {
	t    *testing.T
	text *textproto.Conn
}

func dial(t *testing.T, addr string) *client {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	c := &client{t, textproto.NewConn(conn)}
	if _, _, err := c.text.ReadResponse(220); err != nil {
		t.Fatal(err)
	}
	return c
}

// say sends a command and gives the reply.
func (c *client) say(command string) string {
	c.t.Helper()
	if err := c.text.PrintfLine("%s", command); err != nil {
		c.t.Fatal(err)
	}
	code, message, err := c.text.ReadResponse(0)
	if err != nil {
		c.t.Fatal(err)
	}
	return fmt.Sprintf("%d %s", code, message)
}

func (c *client) must(command string) {
	c.t.Helper()
	if reply := c.say(command); reply[0] != '2' && reply[0] != '3' {
		c.t.Fatalf("%s: %s", command, reply)
	}
}
