package lmtpd_test

import (
	"context"
	"fmt"
	"maps"
	"net/smtp"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// fate is what Postfix's log says became of one recipient at one attempt.
type fate struct {
	queueID, rcpt, dsn, status, why string
}

func (f fate) String() string { return fmt.Sprintf("%s %s (%s)", f.dsn, f.status, f.why) }

// said is lmtpd's part of why.
func (f fate) said() string {
	_, said, _ := strings.Cut(f.why, " said: ")
	return said
}

// delivered is the line that Postfix's lmtp client logs for each recipient
// and attempt.
var delivered = regexp.MustCompile(`/lmtp\[\d+\]: (\w+): to=<([^>]*)>,.* dsn=([\d.]+), status=(\w+) \((.*)\)`)

// fates reads them from the log, in order, by recipient.
func fates(log string) map[string][]fate {
	out := map[string][]fate{}
	for _, m := range delivered.FindAllStringSubmatch(log, -1) {
		f := fate{m[1], m[2], m[3], m[4], m[5]}
		out[f.rcpt] = append(out[f.rcpt], f)
	}
	return out
}

// postfixFor starts a Postfix that hands example.org to an LMTP server,
// "inet:HOST:PORT" or "unix:/path", and soon tries again what was deferred.
func postfixFor(t *testing.T, lmtp string, more map[string]string) *testbed.PostfixServer {
	t.Helper()
	main := map[string]string{
		"virtual_mailbox_domains": "example.org",
		"virtual_transport":       "lmtp:" + lmtp,
	}
	maps.Copy(main, more)
	return postfixWith(t, testbed.PostfixOptions{Main: main})
}

// postfixWith starts a Postfix that soon tries again what was deferred.
func postfixWith(t *testing.T, o testbed.PostfixOptions) *testbed.PostfixServer {
	t.Helper()
	main := map[string]string{
		"minimal_backoff_time": "1s",
		"maximal_backoff_time": "2s",
		"queue_run_delay":      "1s",
		"transport_retry_time": "1s",
		"in_flow_delay":        "0s",
		// A killed lmtpd comes back at once: do not give up on it.
		"default_destination_concurrency_failed_cohort_limit": "0",
		"initial_destination_concurrency":                     "20",
	}
	maps.Copy(main, o.Main)
	o.Main = main
	p := testbed.Postfix(t, o)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Postfix:\n%s", tail(p.Log(), 60))
		}
	})
	return p
}

// post hands a message (LF lines) to Postfix.
func post(t *testing.T, p *testbed.PostfixServer, from string, to []string, text string) {
	t.Helper()
	if err := smtp.SendMail(p.SMTPAddr(), nil, from, to, []byte(crlf(text))); err != nil {
		t.Fatalf("submit: %v", err)
	}
}

// queueEmpties waits until Postfix has nothing left to deliver.
func queueEmpties(t *testing.T, p *testbed.PostfixServer) {
	t.Helper()
	looks := 0
	eventually(t, "Postfix's queue is empty", func() (bool, string) {
		// With times as short as ours qmgr(8) may come by a message that is
		// just being deferred ("skipped, still being delivered"); it then
		// lies in the incoming queue until somebody asks.
		if looks++; looks%50 == 0 {
			if err := p.Flush(); err != nil {
				return false, err.Error()
			}
		}
		q, err := p.Queue()
		if err != nil {
			return false, err.Error()
		}
		if len(q) == 0 {
			return true, ""
		}
		return false, fmt.Sprintf("%d messages, one of them: %+v", len(q), q[0])
	})
}

// hurry has Postfix look through its queue until it is told to stop, for what
// qmgr(8) came by too early (see queueEmpties) while a test waits for it.
func hurry(p *testbed.PostfixServer) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var done sync.WaitGroup
	done.Go(func() {
		tick := time.NewTicker(3 * time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				_ = p.Flush() // the next one will do
			}
		}
	})
	return func() { cancel(); done.Wait() }
}

func crlf(text string) string { return strings.ReplaceAll(text, "\n", "\r\n") }
