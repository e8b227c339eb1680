package ldapmap_test

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// Postfix closes its end of an idle socketmap connection after 10 s, once it
// looks; ldapmap closes its own after idle_timeout. Neither may cost a look-up.
const postfixIdle = 10 * time.Second

// TestIdleGaps leaves time between look-ups: less than Postfix's limit, more,
// and more than ours. The gaps are the matter of the test, so it waits for
// them.
func TestIdleGaps(t *testing.T) {
	const ours = 1500 * time.Millisecond
	patient := newPeople(t, "")
	hasty := newPeople(t, fmt.Sprintf("idle_timeout = %q\n", ours))
	for _, c := range []struct {
		name   string
		people *people
		gap    time.Duration
	}{
		{"shorter than Postfix's", patient, postfixIdle - time.Second},
		{"longer than Postfix's", patient, postfixIdle + time.Second},
		{"longer than ours", hasty, 2 * ours},
	} {
		server := testbed.Postfix(t, testbed.PostfixOptions{Main: map[string]string{
			"relay_domains": "example.com", "relay_recipient_maps": c.people.table, "transport_maps": c.people.table,
		}})
		if c.people == patient {
			// Unlike Postfix's daemons postmap dies of SIGPIPE when it writes to
			// a unix socket whose other end is closed.
			t.Run(c.name+", postmap", func(t *testing.T) {
				t.Parallel()
				postmapWithGap(t, server, c.people, c.gap)
			})
		}
		t.Run(c.name+", smtpd", func(t *testing.T) {
			t.Parallel()
			postfixWithGap(t, server, c.gap)
		})
	}
}

// postmapWithGap asks, waits and asks again, in one process.
func postmapWithGap(t *testing.T, server *testbed.PostfixServer, p *people, gap time.Duration) {
	cmd := exec.Command(testbed.Need(t, "postmap", "postfix"), "-c", server.ConfigDir(), "-q", "-", p.table)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints strings.Builder
	cmd.Stderr = &complaints
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for n := range 2 {
			if n > 0 {
				<-time.After(gap)
			}
			fmt.Fprintf(in, "%s\nnobody@example.com\n", personal(n))
		}
		in.Close()
	}()
	var want, got strings.Builder
	for n := range 2 {
		fmt.Fprintf(&want, "%s\t%s\n", personal(n), personal(n))
	}
	if _, err := io.Copy(&got, bufio.NewReader(out)); err != nil {
		t.Error(err)
	}
	err = cmd.Wait()
	if err != nil || complaints.Len() > 0 || got.String() != want.String() {
		t.Errorf("%v, %q, %q", err, complaints.String(), got.String())
	}
}

// postfixWithGap leaves a gap between two sessions. Both smtpd and
// trivial-rewrite are idle meanwhile, and notice it.
func postfixWithGap(t *testing.T, server *testbed.PostfixServer, gap time.Duration) {
	for session := range 2 {
		if session > 0 {
			<-time.After(gap)
		}
		s := dialSMTP(t, server.SMTPAddr())
		s.must("EHLO client.example")
		s.must("MAIL FROM:<a@sender.example>")
		// Others than before: both remember what they have asked for.
		if reply := s.say("RCPT TO:<%s>", personal(session)); !strings.HasPrefix(reply, "250 ") {
			t.Errorf("a user after %v: %s", gap, reply)
		}
		if reply := s.say("RCPT TO:<nobody%d@example.com>", session); !strings.HasPrefix(reply, "550 ") {
			t.Errorf("nobody after %v: %s", gap, reply)
		}
		s.must("QUIT")
	}
	for line := range strings.Lines(server.Log()) {
		if strings.Contains(line, "warning") || strings.Contains(line, "error:") || strings.Contains(line, "fatal") {
			t.Error(line)
		}
	}
}
