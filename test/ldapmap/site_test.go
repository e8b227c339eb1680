package ldapmap_test

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// table is one lookup table of the site: what is in it, and its map class.
type table struct {
	class   string
	options string // further lines of its file
	data    map[string]string
}

// site is a directory, and Postfix with all tables in it.
type site struct {
	dir    string
	tables map[string]table
	slapd  *testbed.SlapdServer
	socket string
}

// newSite loads the tables into a slapd and starts ldapmap on them: as NAME
// with its class, and as NAME.exact without. Lines are what the classes have
// to know of Postfix.
func newSite(t *testing.T, tables map[string]table, lines string) *site {
	t.Helper()
	dir, err := os.MkdirTemp("", "gp") // Postfix's user has to get in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &site{dir: dir, tables: tables}
	s.slapd = testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(s.ldif()), Index: []string{"displayName,employeeType eq"}})
	for name, table := range tables {
		cf := "server_host = " + s.slapd.URI() + "\nsearch_base = dc=example,dc=com\nbind = no\nquery_filter = (&(employeeType=" + name +
			")(displayName=%s))\nresult_attribute = description\n"
		s.write(t, name+".cf", cf+"# gatepost: class = "+table.class+"\n"+table.options+lines)
		s.write(t, name+".exact.cf", cf)
	}
	s.socket = filepath.Join(s.dir, "socket")
	startLDAPMap(t, "--tables", s.dir, "--listen", "unix:"+s.socket+"?mode=0660&group=postfix")
	return s
}

func (s *site) write(t *testing.T, name, text string) {
	t.Helper()
	path := filepath.Join(s.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	// Postfix waits while a table is younger than a second.
	past := time.Now().Add(-time.Hour)
	if err := os.Chtimes(path, past, past); err != nil {
		t.Fatal(err)
	}
}

func (s *site) ldif() string {
	var b strings.Builder
	b.WriteString("dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n")
	n := 0
	for _, name := range slices.Sorted(maps.Keys(s.tables)) {
		for _, key := range slices.Sorted(maps.Keys(s.tables[name].data)) {
			n++
			fmt.Fprintf(&b, "dn: cn=%d,dc=example,dc=com\nobjectClass: inetOrgPerson\ncn: %d\nsn: x\nemployeeType: %s\ndisplayName:: %s\n",
				n, n, name, base64.StdEncoding.EncodeToString([]byte(key)))
			for _, result := range strings.Split(s.tables[name].data[key], "|") {
				fmt.Fprintf(&b, "description:: %s\n", base64.StdEncoding.EncodeToString([]byte(result)))
			}
			b.WriteString("\n")
		}
	}
	return b.String()
}

// The ways in which Postfix can use a table of ours, and its own.
const (
	byLDAP      = "ldap:"
	bySocketmap = "socketmap:"
	byUnionmap  = "unionmap:"
)

// use gives the table as a value of main.cf.
func (s *site) use(way, name string) string {
	switch way {
	case byLDAP:
		return "ldap:" + filepath.Join(s.dir, name+".cf")
	case bySocketmap:
		return "socketmap:unix:" + s.socket + ":" + name
	}
	return "unionmap:{inline:{no@such.invalid=x},socketmap:unix:" + s.socket + ":" + name + ".exact}"
}

// buildLDAPMap makes the program once for all tests.
var buildLDAPMap = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gatepost-ldapmap")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "gatepost-ldapmap")
	if out, err := exec.Command("go", "build", "-o", path, "gatepost/cmd/gatepost-ldapmap").CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return path, nil
})

// startLDAPMap runs the daemon until the test's end and gives its first
// address.
func startLDAPMap(t *testing.T, args ...string) (*exec.Cmd, string) {
	t.Helper()
	path, err := buildLDAPMap()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(path, args...)
	pipe, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 16)
	var log []string
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(listening)
		re := regexp.MustCompile(`msg=listening address=(?:inet|unix):(\S+)`)
		for sc := bufio.NewScanner(pipe); sc.Scan(); {
			if len(log) < 200 {
				log = append(log, sc.Text())
			}
			if m := re.FindStringSubmatch(sc.Text()); m != nil {
				listening <- m[1]
			}
		}
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(strings.Join(log, "\n"))
		}
	})
	addr, ok := <-listening
	if !ok {
		t.Fatalf("gatepost-ldapmap does not start:\n%s", strings.Join(log, "\n"))
	}
	return cmd, addr
}
