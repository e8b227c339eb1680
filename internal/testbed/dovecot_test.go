package testbed_test

import (
	"fmt"
	"net"
	"net/textproto"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

func TestDovecotDelivers(t *testing.T) {
	dovecot := testbed.Dovecot(t)
	conn, err := net.Dial("tcp", dovecot.LMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	lmtp := textproto.NewConn(conn)
	expect := func(code int) {
		t.Helper()
		if _, line, err := lmtp.ReadResponse(code); err != nil {
			t.Fatalf("%v %q\n%s", err, line, dovecot.Log())
		}
	}
	expect(220)
	for _, step := range []struct {
		command string
		code    int
	}{
		{"LHLO test", 250},
		{"MAIL FROM:<a@example.org>", 250},
		{"RCPT TO:<anybody>", 250},
		{"RCPT TO:<else@example.com>", 250},
		{"DATA", 354},
	} {
		fmt.Fprintf(conn, "%s\r\n", step.command)
		expect(step.code)
	}
	fmt.Fprint(conn, "Subject: one\r\n\r\nbody\r\n.\r\n")
	expect(250)
	expect(250)
	for _, who := range []string{"anybody", "else@example.com"} {
		files, _ := filepath.Glob(filepath.Join(dovecot.MailDir(), who, "new", "*"))
		if len(files) != 1 {
			t.Errorf("%d messages for %s", len(files), who)
			continue
		}
		if text, err := os.ReadFile(files[0]); err != nil || !strings.HasSuffix(string(text), "Subject: one\n\nbody\n") {
			t.Errorf("%s got %q, %v", who, text, err)
		}
	}
}
