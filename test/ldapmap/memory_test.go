package ldapmap_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// TestMemory fills the cache over a thousand connections and looks at what the
// process takes.
func TestMemory(t *testing.T) {
	const connections, maxResident = 1000, 64 << 20
	slapd := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte((&site{tables: map[string]table{"x": {data: map[string]string{"alice": "alice@mail.example.org"}}}}).ldif()),
		Index: []string{"displayName eq"}})
	dir := t.TempDir()
	cf := "server_host = " + slapd.URI() + "\nsearch_base = dc=example,dc=com\nbind = no\nquery_filter = (|(displayName=alice)(displayName=%s))\nresult_attribute = description\n"
	if err := os.WriteFile(filepath.Join(dir, "all.cf"), []byte(cf), 0o600); err != nil {
		t.Fatal(err)
	}
	config := filepath.Join(t.TempDir(), "ldapmap.toml")
	if err := os.WriteFile(config, []byte("tables = \""+dir+"\"\n[metrics]\nlisten = \"unix:"+dir+"/metrics\"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd, addr := startLDAPMap(t, "--config", config, "--listen", "inet:127.0.0.1:0")
	conns := make([]net.Conn, connections)
	for i := range conns {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_ = c.SetDeadline(time.Now().Add(5 * time.Minute))
		conns[i] = c
	}
	const workers, rounds = 20, 60
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for round := range rounds {
				for i := w; i < connections; i += workers {
					request := fmt.Sprintf("all user-%d-%d@example.org", i, round)
					reply := "25:OK alice@mail.example.org,"
					fmt.Fprintf(conns[i], "%d:%s,", len(request), request)
					buf := make([]byte, len(reply))
					if _, err := readFull(conns[i], buf); err != nil || string(buf) != reply {
						t.Errorf("%s: %q, %v", request, buf, err)
						return
					}
				}
			}
		})
	}
	all.Wait()
	resident := residentOf(t, cmd.Process.Pid)
	cached := metricOf(t, dir+"/metrics", "gatepost_directory_cache_bytes")
	if evicted := metricOf(t, dir+"/metrics", "gatepost_directory_cache_evictions_total"); evicted == 0 {
		t.Errorf("the cache is not full: %.0f bytes", cached)
	}
	t.Logf("%d KiB resident with %d connections and %.0f KiB of answers", resident>>10, connections, cached/1024)
	if resident > maxResident {
		t.Errorf("more than %d MiB", maxResident>>20)
	}
}

func readFull(c net.Conn, buf []byte) (n int, err error) {
	for n < len(buf) && err == nil {
		var m int
		m, err = c.Read(buf[n:])
		n += m
	}
	return n, err
}

// residentOf gives the memory of a process in bytes.
func residentOf(t *testing.T, pid int) int {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no VmHWM in %s", status)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

// metricOf asks the metrics' socket for one value.
func metricOf(t *testing.T, socket, name string) float64 {
	t.Helper()
	c, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /metrics HTTP/1.0\r\n\r\n")
	for sc := bufio.NewScanner(c); sc.Scan(); {
		if value, ok := strings.CutPrefix(sc.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("no metric %s", name)
	return 0
}
