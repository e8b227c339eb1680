package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/internal/testbed"
	"gatepost/schema/ldap"
	"gatepost/test/rig"
)

// startSlapd starts a directory that holds the users of the stores.
func startSlapd(t testing.TB) *testbed.SlapdServer {
	t.Helper()
	o := testbed.SlapdOptions{Schema: []string{"/etc/ldap/schema/dyngroup.schema"}, Index: []string{"mail,mailAlternateAddress,uid,member eq"}}
	dir := rig.Scratch(t)
	for _, name := range []string{"ldapns", "mailmember", "dbmail", "gatepost"} { // what the preset dbmail needs
		text, err := ldap.Schema(name)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".schema")
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		o.Schema = append(o.Schema, path)
	}
	var b bytes.Buffer
	b.WriteString("dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n\n")
	for i := range users {
		fmt.Fprintf(&b, "dn: uid=%[1]s,dc=example,dc=com\nobjectClass: inetOrgPerson\nobjectClass: dbmailUser\nuid: %[1]s\ncn: %[1]s\nsn: %[1]s\n"+
			"uidNumber: %[2]d\nmail: %[1]s@example.org\nmailQuota: 0\naccountStatus: active\n\n", userName(i), firstNumber+i)
	}
	o.LDIF = b.Bytes()
	return testbed.Slapd(t, o)
}

// firstNumber is the uidNumber of user 0: beyond those that a store gives its
// own users.
const firstNumber = 10_000

// directoryConfig takes the server's URI. The cache is as it is shipped.
const directoryConfig = "uris = [%q]\nbase = \"dc=example,dc=com\"\n"

// startWithDirectory runs lmtpd with recipients out of the directory, on a
// store that holds no user.
func (b *bench) startWithDirectory(t testing.TB, dsn string) (*rig.Process, string) {
	t.Helper()
	directory := filepath.Join(rig.Scratch(t), "directory.toml")
	if err := os.WriteFile(directory, fmt.Appendf(nil, directoryConfig, b.slapd.URI()), 0o600); err != nil {
		t.Fatal(err)
	}
	config := strings.Replace(fmt.Sprintf(lmtpdConfig, dsn), "recipients = \"sql\"\n", fmt.Sprintf("recipients = \"directory\"\ndirectory = %q\n", directory), 1)
	return startConfigured(t, config, b.program[0], b.program[1:]...)
}

// warm sends one message to every user, so that each has been looked up and
// has a row and an INBOX.
func (l *load) warm(ctx context.Context, addr string) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.close()
	s := l.newSender(cell{Size: 1 << 10, Recipients: 1})
	for i := 0; i < users && ctx.Err() == nil; i++ {
		t, _ := s.next()
		if _, err := c.deliver(t, l.names([]int{i})); err != nil {
			return fmt.Errorf("%s: %w", userName(i), err)
		}
	}
	return ctx.Err()
}
