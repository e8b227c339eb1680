package main

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"sync"
	"testing"
	"time"

	"gatepost/test/rig"
)

const (
	memoryConnections = 1000
	memoryClients     = 16 // that fill the cache
	memoryAim         = 64 << 20
)

// memoryReport is ldapmap's memory with a full cache and idle connections.
type memoryReport struct {
	Machine     machine `json:"machine"`
	Connections int     `json:"connections"`
	Entries     float64 `json:"cache_entries"`
	Bytes       float64 `json:"cache_octets"`
	Evictions   float64 `json:"cache_evictions"` // 0: the cache is not full
	Started     int64   `json:"started_octets"`
	Full        int64   `json:"full_octets"`
	Resident    int64   `json:"resident_octets"` // with the connections
	Peak        int64   `json:"peak_octets"`
	Aims        []aim   `json:"aims"`
}

// measureMemory asks for more than the cache takes and then opens connections.
func measureMemory(say func(string, ...any)) (*memoryReport, error) {
	r := &memoryReport{Machine: thisMachine(), Connections: memoryConnections}
	return r, rig.Within(func(t testing.TB) {
		slapd := startSlapd(t)
		tables := writeTables(t, slapd.URI())
		config := filepath.Join(rig.Scratch(t), "ldapmap.toml")
		text := fmt.Sprintf("tables = %q\n[metrics]\nlisten = \"inet:127.0.0.1:0\"\n", tables)
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, socket := startLDAPMap(t, tables, []string{buildLDAPMap(t), "--config", config})
		metrics := "http://" + d.Logged(t, regexp.MustCompile(`msg=metrics address=inet:(\S+)`)) + "/metrics"
		resident := func() int64 {
			n, err := d.Resident()
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
		r.Started = resident()
		begin := time.Now()
		if err := fill(socket); err != nil {
			t.Fatalf("fill the cache: %v", err)
		}
		r.Full = resident()
		say("cache full after %v, %d MiB", time.Since(begin).Round(time.Millisecond), r.Full>>20)
		for n := range memoryConnections {
			conn, err := askSocketmap(nil, socket, exactTable, mailOf(n))
			if err != nil {
				t.Fatalf("connection %d: %v", n+1, err)
			}
			defer conn.Close()
		}
		r.Resident = resident()
		var err error
		if r.Peak, err = d.Peak(); err != nil {
			t.Fatal(err)
		}
		if err := r.read(metrics); err != nil {
			t.Fatal(err)
		}
		if r.Evictions == 0 {
			t.Fatalf("the cache holds %.0f answers in %.0f octets and has never dropped one: it is not full", r.Entries, r.Bytes)
		}
		r.Aims = []aim{{What: "resident MiB", Want: memoryAim >> 20, Got: float64(r.Resident) / (1 << 20), Most: true, Met: r.Resident <= memoryAim}}
	})
}

// fill asks for everybody, and for as many who do not exist.
func fill(socket string) error {
	errs := make([]error, memoryClients)
	var done sync.WaitGroup
	for n := range memoryClients {
		done.Go(func() {
			var conn net.Conn
			for i := n; i < users; i += memoryClients {
				for _, address := range []string{mailOf(i), alternateOf(i), missing(i)} {
					if conn, errs[n] = askSocketmap(conn, socket, exactTable, address); errs[n] != nil {
						return
					}
				}
			}
			conn.Close()
		})
	}
	done.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// askSocketmap makes one look-up, on a new connection if there is none, and
// wants it answered either way.
func askSocketmap(conn net.Conn, socket, table, address string) (net.Conn, error) {
	if conn == nil {
		var err error
		if conn, err = net.Dial("unix", socket); err != nil {
			return nil, err
		}
	}
	_ = conn.SetDeadline(time.Now().Add(patience))
	request := table + " " + address
	if _, err := fmt.Fprintf(conn, "%d:%s,", len(request), request); err != nil {
		return conn, err
	}
	buf := make([]byte, 512)
	n, err := conn.Read(buf)
	if err != nil {
		return conn, err
	}
	if !answered.Match(buf[:n]) {
		return conn, fmt.Errorf("%s: %q", address, buf[:n])
	}
	return conn, nil
}

var answered = regexp.MustCompile(`^\d+:(OK|NOTFOUND) `)

// read takes the cache's own figures from the daemon's metrics.
func (r *memoryReport) read(url string) error {
	answer, err := http.Get(url)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return err
	}
	for name, into := range map[string]*float64{"cache_entries": &r.Entries, "cache_bytes": &r.Bytes, "cache_evictions_total": &r.Evictions} {
		if *into, err = metric(text, "gatepost_directory_"+name); err != nil {
			return err
		}
	}
	return nil
}

// metric finds a value without labels in Prometheus' text format.
func metric(text []byte, name string) (float64, error) {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("the daemon tells nothing of %s", name)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// print writes the report for people.
func (r *memoryReport) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\nldapmap with %.0f answers of %.1f MiB in its cache (%.0f were dropped for want of room) and %d connections:\n"+
		"%.1f MiB resident; %.1f MiB at its peak, %.1f MiB before the connections, %.1f MiB when it had started\n",
		r.Machine, r.Entries, r.Bytes/(1<<20), r.Evictions, r.Connections, mebibytes(r.Resident), mebibytes(r.Peak), mebibytes(r.Full), mebibytes(r.Started))
	printAims(w, r.Aims)
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
