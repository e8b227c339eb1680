// Package lmtpd_test tries gatepost-lmtpd as it is used: the built program,
// a real Postfix in front of it, a real MariaDB behind it, and proxies between
// them that stop a conversation at a chosen moment, so that what stands on
// either side can be killed just then.
package lmtpd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// program is the path of the gatepost-lmtpd that TestMain has built.
var program string

func TestMain(m *testing.M) { os.Exit(run(m)) }

func run(m *testing.M) int {
	dir, err := os.MkdirTemp("", "gatepost-lmtpd")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "gatepost-lmtpd")
	args := []string{"build", "-o", program}
	if raceDetector {
		args = append(args, "-race") // the daemon under test is watched too
	}
	if out, err := exec.Command("go", append(args, "gatepost/cmd/gatepost-lmtpd")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build gatepost-lmtpd: %v\n%s", err, out)
		return 1
	}
	return testbed.Main(m)
}

// patience bounds every wait. Two loaded cores and the race detector make
// everything slow; nothing here measures time.
const patience = 2 * time.Minute

// eventually waits until the condition holds and fails the test with what the
// condition says last when it never does.
func eventually(t *testing.T, what string, condition func() (bool, string)) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	end := time.After(patience)
	for {
		ok, state := condition()
		if ok {
			return
		}
		select {
		case <-tick.C:
		case <-end:
			t.Fatalf("never: %s; last seen: %s", what, state)
		}
	}
}

// shortDir makes a directory whose path leaves room for a socket's name
// (107 bytes), which that of t.TempDir may not.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gpt")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { // Postfix has its own users
		t.Fatal(err)
	}
	return dir
}
