package ldapmap_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// people is a directory of many users behind a wall, and an ldapmap that asks
// it. The first users are known: they are asked for before anything happens.
// Each of the others is asked for once.
type people struct {
	dir    string
	slapd  *testbed.SlapdServer
	wall   *wall
	socket string
	table  string // for main.cf
	next   atomic.Int64
}

const (
	known  = 100
	fresh  = 6000
	nobody = 50 // that are asked for again and again
	// lookupDeadline is that of a request, and what no answer may take longer
	// than.
	lookupDeadline = 5 * time.Second
)

func personal(n int) string { return fmt.Sprintf("user%05d@example.com", n) }

// newPeople starts all; config is for ldapmap.toml.
func newPeople(t *testing.T, config string) *people {
	t.Helper()
	dir, err := os.MkdirTemp("", "gp") // Postfix's user has to get in
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var ldif strings.Builder
	ldif.WriteString("dn: dc=example,dc=com\nobjectClass: dcObject\nobjectClass: organization\no: Example\ndc: example\n\n")
	for n := range known + fresh {
		fmt.Fprintf(&ldif, "dn: cn=user%05d,dc=example,dc=com\nobjectClass: inetOrgPerson\ncn: user%05d\nsn: x\nmail: %s\n\n", n, n, personal(n))
	}
	p := &people{dir: dir, slapd: testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(ldif.String()), Index: []string{"mail eq"}})}
	p.wall = newWall(t, p.slapd.Addr())
	tables := filepath.Join(dir, "tables")
	if err := os.Mkdir(tables, 0o755); err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		filepath.Join(tables, "users.cf"): "server_host = ldap://" + p.wall.addr() + "\nsearch_base = dc=example,dc=com\nbind = no\n" +
			"query_filter = (mail=%s)\nresult_attribute = mail\n# gatepost: class = relay_recipient\n# gatepost: mydestination =\n",
		filepath.Join(dir, "ldapmap.toml"): fmt.Sprintf("tables = %q\ndeadline = %q\n%s", tables, lookupDeadline, config),
	} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.socket = filepath.Join(dir, "socket")
	startLDAPMap(t, "--config", filepath.Join(dir, "ldapmap.toml"), "--listen", "unix:"+p.socket+"?mode=0666")
	p.table = "socketmap:unix:" + p.socket + ":users"
	p.next.Store(known)
	return p
}

// unseen gives a user that nobody has asked for yet; false when there is none
// left.
func (p *people) unseen() (string, bool) {
	n := p.next.Add(1) - 1
	return personal(int(n)), n < known+fresh
}

// asker is one socketmap client.
type asker struct {
	conn net.Conn
	buf  []byte
}

func (p *people) dial() (*asker, error) {
	conn, err := net.Dial("unix", p.socket)
	return &asker{conn, make([]byte, 1024)}, err
}

// ask makes one look-up in the table of users.
func (a *asker) ask(key string) (status, data string, took time.Duration, err error) {
	request := "users " + key
	_ = a.conn.SetDeadline(time.Now().Add(10 * lookupDeadline))
	began := time.Now()
	if _, err := fmt.Fprintf(a.conn, "%d:%s,", len(request), request); err != nil {
		return "", "", 0, err
	}
	n, err := a.conn.Read(a.buf) // replies are small and come in one piece
	took = time.Since(began)
	if err != nil {
		return "", "", took, err
	}
	_, reply, ok := strings.Cut(strings.TrimSuffix(string(a.buf[:n]), ","), ":")
	if !ok {
		return "", "", took, fmt.Errorf("reply %q", a.buf[:n])
	}
	status, data, _ = strings.Cut(reply, " ")
	return status, data, took, nil
}
