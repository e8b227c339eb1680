//go:build !dmz

package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// damagedStore has a wrong quota sum, which can be mended, and a blob with a
// wrong hash, which cannot.
func damagedStore(t *testing.T, damage ...string) string {
	t.Helper()
	dsn := newTestStore(t)
	good(t, "store", "user", "add", "alice", "--alias", "alice@example.com", "--store", dsn)
	file := writeFile(t, "message.eml", "Subject: hello\n\nworld\n")
	good(t, "deliver", "--lmtp", serveStore(t, dsn), "--to", "alice@example.com", file)
	execSQL(t, dsn, damage...)
	return dsn
}

const (
	wrongSum  = "UPDATE dbmail_users SET curmail_size = 5 WHERE userid = 'alice'"
	wrongHash = "UPDATE dbmail_mimeparts SET hash = '0123456789012345678901234567890123456789' WHERE id = 1"
)

func TestVerify(t *testing.T) {
	dsn := damagedStore(t, wrongSum)
	found := "quota: user alice: curmail_size is 5, the messages have 25\n"
	gatepost(t, "store", "verify", "--store", dsn).expect(t, 1, found+"1 problem.\n", "")
	gatepost(t, "store", "verify", "alice", "--store", dsn).expect(t, 1, found, "")
	gatepost(t, "store", "verify", "--repair", "--store", dsn).expect(t, 0, found+"1 problem, 1 mended.\n", "would mend: user alice: ")
	gatepost(t, "store", "verify", "--store", dsn).expect(t, 0, "No problems.\n", "")
	gatepost(t, "store", "verify", "nobody", "--store", dsn).expect(t, 1, "", "not found")
}

func TestVerifyWhatCannotBeMended(t *testing.T) {
	dsn := damagedStore(t, wrongSum, wrongHash)
	var problems []struct {
		Kind, What, Mend string
		Mended           bool
	}
	r := gatepost(t, "store", "verify", "--repair", "--json", "--store", dsn)
	decode(t, r.out, &problems)
	if r.code != 1 || len(problems) != 2 {
		t.Fatalf("exit status %d, %+v", r.code, problems)
	}
	for _, p := range problems {
		if p.Mended != (p.Kind == "quota") {
			t.Errorf("%+v", p)
		}
	}
	r = gatepost(t, "store", "verify", "--repair", "--store", dsn)
	r.expect(t, 1, "1 problem, 0 mended.\n", "")
	if r.err != "" {
		t.Errorf("a plan for nothing: %q", r.err)
	}
}

func TestVerifyAsksOnATerminal(t *testing.T) {
	for _, tc := range []struct {
		name, answer string
		args         []string
		code         int
		asked        bool
	}{
		{"no", "n\n", nil, 1, true},
		{"nothing", "\n", nil, 1, true},
		{"yes", "yes\n", nil, 0, true},
		{"told before", "", []string{"--yes"}, 0, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			dsn := damagedStore(t, wrongSum)
			keyboard, screen := terminal(t)
			if _, err := io.WriteString(keyboard, tc.answer); err != nil {
				t.Fatal(err)
			}
			r := gatepostWith(t, screen, append([]string{"store", "verify", "--repair", "--store", dsn}, tc.args...)...)
			if asked := strings.Contains(r.err, "Do that? [y/N]"); r.code != tc.code || asked != tc.asked {
				t.Errorf("exit status %d, asked %v\n%s%s", r.code, asked, r.out, r.err)
			}
			gatepost(t, "store", "verify", "--store", dsn).expect(t, tc.code, "", "")
		})
	}
}

// terminal makes a pseudo-terminal: what is typed into the first, the program
// reads from the second.
func terminal(t *testing.T) (keyboard, screen *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	screen, err = os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { screen.Close() })
	return keyboard, screen
}
