//go:build !dmz

package main

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/dbmail"
	"gatepost/internal/testbed"
	"gatepost/lmtpd"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }

// result is what a command line gave.
type result struct {
	code     int
	out, err string
}

// gatepost runs a command line in this process, with nothing on its standard
// input.
func gatepost(t *testing.T, args ...string) result {
	t.Helper()
	return gatepostWith(t, strings.NewReader(""), args...)
}

func gatepostWith(t *testing.T, in io.Reader, args ...string) result {
	t.Helper()
	var out, errors bytes.Buffer
	code := run(t.Context(), args, in, &out, &errors)
	return result{code, out.String(), errors.String()}
}

// good runs a command line that has to succeed, and gives its output.
func good(t *testing.T, args ...string) string {
	t.Helper()
	r := gatepost(t, args...)
	if r.code != 0 || r.err != "" {
		t.Fatalf("gatepost %s: exit status %d\n%s%s", strings.Join(args, " "), r.code, r.out, r.err)
	}
	return r.out
}

// expect compares an exit status and parts of the outputs.
func (r result) expect(t *testing.T, code int, out, err string) {
	t.Helper()
	if r.code != code || !strings.Contains(r.out, out) || !strings.Contains(r.err, err) {
		t.Errorf("exit status %d, output %q, error %q;\nwant %d, %q, %q", r.code, r.out, r.err, code, out, err)
	}
	if code != 0 && strings.HasPrefix(r.err, "gatepost: ") && strings.Count(r.err, "\n") != 1 {
		t.Errorf("complaint %q is not one line", r.err)
	}
}

func sqliteDSN(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "store.db") }

// newTestStore makes a store and gives its DSN.
func newTestStore(t *testing.T) string {
	t.Helper()
	dsn := sqliteDSN(t)
	good(t, "schema", "apply", "--add-own", "--store", dsn)
	return dsn
}

// execSQL does to a store what no command of ours would.
func execSQL(t *testing.T, text string, statements ...string) {
	t.Helper()
	dsn, err := dbmail.ParseDSN(text)
	if err != nil {
		t.Fatal(err)
	}
	db, err := dbmail.OpenDB(t.Context(), dsn, "")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, s := range statements {
		if _, err := db.ExecContext(t.Context(), s); err != nil {
			t.Fatal(err)
		}
	}
}

// serveStore runs a real LMTP server over a store and gives its address.
func serveStore(t *testing.T, dsn string) string {
	t.Helper()
	config := lmtpd.DefaultConfig()
	config.Store.DSN = dsn
	return serve(t, &config)
}

func serve(t *testing.T, config *lmtpd.Config) string {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	certificates, err := config.Certificates(log)
	if err != nil {
		t.Fatal(err)
	}
	store, err := config.OpenStore(t.Context(), log)
	if err != nil {
		t.Fatal(err)
	}
	settings, err := config.Settings(store, nil, certificates, log, lmtpd.NewMetrics(prometheus.NewRegistry()))
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := lmtpd.NewServer(settings)
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	t.Cleanup(func() {
		// t.Context has ended by now, so that nobody is waited for.
		_ = server.Shutdown(t.Context())
		<-done
		store.Close()
	})
	return "inet:" + l.Addr().String()
}

// writeFile writes a file into a fresh directory and gives its path.
func writeFile(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// decode reads JSON output, strictly.
func decode(t *testing.T, text string, into any) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
}
