package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"

	"gatepost/test/rig"
)

// lmtpdConfig takes the DSN. The limits are raised for the memory mode.
const lmtpdConfig = `hostname = "lmtpd.example.org"
recipients = "sql"
listen = ["inet:127.0.0.1:0"]
max_message_size = "200M"

[store]
dsn = "%s"
`

var (
	listening = regexp.MustCompile(`msg=listening address=inet:(\S+)`)
	storeOpen = regexp.MustCompile(`msg="(store is open)"`)
)

// buildLmtpd builds the daemon as it is shipped.
func buildLmtpd(t testing.TB) string {
	t.Helper()
	program := filepath.Join(rig.Scratch(t), "gatepost-lmtpd")
	out, err := exec.Command("go", "build", "-o", program, "gatepost/cmd/gatepost-lmtpd").CombinedOutput()
	if err != nil {
		t.Fatalf("build gatepost-lmtpd: %v\n%s", err, out)
	}
	return program
}

// startLmtpd runs the daemon on a store and returns its address.
func startLmtpd(t testing.TB, dsn string, program string, args ...string) (*rig.Process, string) {
	t.Helper()
	return startConfigured(t, fmt.Sprintf(lmtpdConfig, dsn), program, args...)
}

// startConfigured runs the daemon with this configuration.
func startConfigured(t testing.TB, config, program string, args ...string) (*rig.Process, string) {
	t.Helper()
	dir := rig.Scratch(t)
	file := filepath.Join(dir, "lmtpd.toml")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	d := rig.Start(t, dir, program, append(args, "--config", file)...)
	addr := d.Logged(t, listening)
	d.Logged(t, storeOpen)
	return d, addr
}
