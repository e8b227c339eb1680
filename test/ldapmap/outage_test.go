package ldapmap_test

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// socketmapClient asks one table.
type socketmapClient struct {
	conn net.Conn
	buf  []byte
}

func (c *socketmapClient) ask(table, key string) (string, error) {
	request := table + " " + key
	if _, err := fmt.Fprintf(c.conn, "%d:%s,", len(request), request); err != nil {
		return "", err
	}
	n, err := c.conn.Read(c.buf) // replies are short, and come in one piece
	if err != nil {
		return "", err
	}
	_, reply, _ := strings.Cut(string(c.buf[:n]), ":")
	return strings.TrimSuffix(reply, ","), nil
}

func connect(t *testing.T, addr string) *socketmapClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	return &socketmapClient{conn, make([]byte, 4096)}
}

// TestOutage asks for addresses that exist, over and over, while slapd is
// killed, stopped and started again. Those that were known stay known, and of
// none is ever said that it does not exist.
func TestOutage(t *testing.T) {
	const known, clients = 200, 8
	people := map[string]string{}
	for i := range 20 * known {
		people[fmt.Sprintf("user%d@example.org", i)] = "x"
	}
	slapd := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte((&site{tables: map[string]table{"x": {data: people}}}).ldif()), Index: []string{"displayName eq"}})
	dir := t.TempDir()
	cf := "server_host = " + slapd.URI() + "\nsearch_base = dc=example,dc=com\nbind = no\ntimeout = 5\nquery_filter = (displayName=%s)\nresult_attribute = description\n" +
		"# gatepost: class = relay_recipient\n# gatepost: mydestination =\n# gatepost: recipient_delimiter = +\n"
	config := filepath.Join(t.TempDir(), "ldapmap.toml")
	for path, text := range map[string]string{filepath.Join(dir, "people.cf"): cf, config: "tables = \"" + dir + "\"\n[cache]\npositive_ttl = \"200ms\"\nnegative_ttl = \"100ms\"\n"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, addr := startLDAPMap(t, "--config", config, "--listen", "inet:127.0.0.1:0")
	first := connect(t, addr)
	for i := range known {
		if r, err := first.ask("people", fmt.Sprintf("user%d@example.org", i)); err != nil || r != "OK x" {
			t.Fatalf("%s, %v", r, err)
		}
	}

	var stop atomic.Bool
	var ok, temp, slow atomic.Int64
	var all sync.WaitGroup
	for range clients {
		c := connect(t, addr)
		all.Go(func() {
			for !stop.Load() {
				key := fmt.Sprintf("user%d@example.org", rand.IntN(known))
				began := time.Now()
				r, err := c.ask("people", key)
				if took := time.Since(began); took > 6*time.Second {
					slow.Add(1)
				}
				switch {
				case err != nil:
					t.Error(err)
					return
				case r == "OK x":
					ok.Add(1)
				case strings.HasPrefix(r, "TEMP "):
					temp.Add(1)
				default:
					t.Errorf("%s: %s", key, r)
					return
				}
			}
		})
	}
	next := known
	unknown := func() string { // exists, and nobody has asked for it
		next++
		r, err := first.ask("people", fmt.Sprintf("user%d@example.org", next))
		if err != nil {
			t.Fatal(err)
		}
		if r != "OK x" && !strings.HasPrefix(r, "TEMP ") {
			t.Errorf("user%d: %s", next, r)
		}
		return r
	}
	goOn := func(answers int64) {
		before := ok.Load()
		waitFor(t, "answers", func() bool { return ok.Load() >= before+answers || t.Failed() })
	}
	outage := func(name string, begin func(), end func() error) {
		goOn(500)
		tempBefore := temp.Load()
		begin()
		waitFor(t, "the outage", func() bool { return strings.HasPrefix(unknown(), "TEMP ") })
		goOn(500)
		for range 3 {
			unknown()
		}
		goOn(500)
		if err := end(); err != nil {
			t.Fatal(err)
		}
		ended := time.Now()
		waitFor(t, "recovery", func() bool { return unknown() == "OK x" })
		t.Logf("%s: back after %v, %d temporary errors for what was known", name, time.Since(ended).Round(time.Millisecond), temp.Load()-tempBefore)
		if n := temp.Load() - tempBefore; n > 0 {
			t.Errorf("%s: %d temporary errors for addresses that were known", name, n)
		}
	}
	outage("killed", slapd.Kill, slapd.Restart)
	outage("stopped", slapd.Pause, func() error { slapd.Resume(); return nil })
	stop.Store(true)
	all.Wait()
	if slow.Load() > 0 {
		t.Errorf("%d look-ups took longer than the table's timeout", slow.Load())
	}
}
