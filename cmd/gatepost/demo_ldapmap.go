//go:build !dmz

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"gatepost/internal/daemon"
	"gatepost/ldapmap"
)

// demoMaps are a gatepost-ldapmap over the directory.
type demoMaps struct {
	directory *demoDirectory
	daemon    *demoDaemon
	address   daemon.Address
	control   string
	dir       string // of the tables
}

// demoTables are ldap_table(5) files, as they stand in /etc/postfix.
var demoTables = map[string]string{
	"aliases": `query_filter = (mailAlternateAddress=%s)
result_attribute = mail
# gatepost: class = virtual_alias
`,
	"lists": `query_filter = (&(objectClass=gatepostList)(mail=%s))
result_attribute = rfc822MailMember
special_result_attribute = member
leaf_result_attribute = mail
# gatepost: class = virtual_alias
`,
	"recipients": `query_filter = (|(mail=%s)(mailAlternateAddress=%s))
result_attribute = cn
# gatepost: class = mailbox
`,
}

// demoPostfix is what the classes have to know of Postfix.
const demoPostfix = "# gatepost: recipient_delimiter = +\n# gatepost: mydestination =\n# gatepost: myorigin = mx.example.com\n"

// startLdapmap starts the daemon over the directory.
func (d *demo) startLdapmap(ctx context.Context) (m *demoMaps, err error) {
	m = &demoMaps{directory: d.directory, dir: filepath.Join(d.dir, "tables"), control: "unix:" + filepath.Join(d.dir, "control")}
	defer func() {
		if err != nil && m.daemon != nil {
			m.daemon.stop()
		}
	}()
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		return nil, err
	}
	for name, text := range demoTables {
		text = "server_host = " + m.directory.uri + "\nbind = no\nsearch_base = dc=example,dc=com\n" + text + demoPostfix
		if err := os.WriteFile(filepath.Join(m.dir, name+".cf"), []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	config := filepath.Join(d.dir, "ldapmap.toml")
	toml := fmt.Sprintf("listen = [\"inet:127.0.0.1:0\"]\ntables = %q\ncontrol = %q\n", m.dir, m.control)
	if err := os.WriteFile(config, []byte(toml), 0o600); err != nil {
		return nil, err
	}
	if m.daemon, err = startDaemon("gatepost-ldapmap", filepath.Join(d.dir, "ldapmap.log"), "--config", config); err != nil {
		return nil, err
	}
	m.address, err = m.daemon.address(ctx)
	return m, err
}

// show looks addresses up as Postfix does, and explains the answers.
func (m *demoMaps) show(ctx context.Context, out io.Writer) error {
	fmt.Fprintf(out, "\ngatepost-ldapmap listens on %s; its tables, %s/*.cf, ask a directory at %s\n", m.address, m.dir, m.directory.uri)
	conn, err := m.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	fmt.Fprintln(out, "\nPostfix asks over the socketmap protocol, and why it gets what it gets:")
	for _, key := range []string{"aliases Postmaster+x@Example.com", "lists team@example.com", "recipients bob.builder@example.org", "recipients nobody@example.com"} {
		if err := m.lookup(ctx, out, conn, key); err != nil {
			return err
		}
	}
	return nil
}

// showOutage looks up what is known, and what is not, while the directory is
// away.
func (m *demoMaps) showOutage(ctx context.Context, out io.Writer) error {
	conn, err := m.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	for _, key := range []string{"lists team@example.com", "recipients carol@example.com"} {
		if err := m.lookup(ctx, out, conn, key); err != nil {
			return err
		}
	}
	return nil
}

func (m *demoMaps) dial() (net.Conn, error) {
	return net.Dial("tcp", net.JoinHostPort(m.address.Host, m.address.Port))
}

// lookup asks as Postfix does, after it has asked for the explanation, which
// is then of a look-up that nobody had made before.
func (m *demoMaps) lookup(ctx context.Context, out io.Writer, conn net.Conn, request string) error {
	table, key, _ := strings.Cut(request, " ")
	var e ldapmap.Explanation
	err := askControl(m.control, func(c *daemon.ControlClient) error {
		return c.Get(ctx, "/lookup", url.Values{"table": {table}, "key": {key}}, &e)
	})
	if err != nil {
		return err
	}
	reply, err := askSocketmap(conn, request)
	if err != nil {
		return fmt.Errorf("ask gatepost-ldapmap: %w", err)
	}
	fmt.Fprintf(out, "  %s  →  %s\n", clean(request), clean(reply))
	var rows [][]string
	for _, t := range e.Tried {
		if t.Again && !t.Found {
			continue // the same key, and it is in doubt still
		}
		rows = append(rows, []string{"    " + t.Key, triedWhat(&t), searched(&t)})
	}
	return printTable(out, rows...)
}

// searched sums the searches for a key up.
func searched(t *ldapmap.TriedKey) string {
	if len(t.Searches) == 0 {
		return ""
	}
	entries, cached := 0, 0
	for _, s := range t.Searches {
		entries += s.Entries
		if s.Cached || s.Stale {
			cached++
		}
	}
	text := t.Searches[0].Filter
	if more := len(t.Searches) - 1; more > 0 {
		text += fmt.Sprintf(" and %s of members", pluralOf(more, "search", "searches"))
	}
	text += ": " + pluralOf(entries, "entry", "entries")
	switch {
	case t.Searches[0].Why != "":
		return t.Searches[0].Filter + ": no answer"
	case cached == len(t.Searches):
		text += ", remembered"
	}
	return text
}

// askSocketmap sends one request and reads the reply, each a netstring
// (socketmap_table(5)).
func askSocketmap(conn net.Conn, request string) (string, error) {
	if err := conn.SetDeadline(time.Now().Add(demoStartTimeout)); err != nil {
		return "", err
	}
	if _, err := fmt.Fprintf(conn, "%d:%s,", len(request), request); err != nil {
		return "", err
	}
	in := bufio.NewReader(conn) // there is one reply to one request: nothing is left in it
	length, err := in.ReadString(':')
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(strings.TrimSuffix(length, ":"), 10, 17)
	if err != nil {
		return "", err
	}
	reply := make([]byte, n+1)
	if _, err := io.ReadFull(in, reply); err != nil {
		return "", err
	}
	if reply[n] != ',' {
		return "", errors.New("the reply is no netstring")
	}
	return strings.TrimSpace(string(reply[:n])), nil
}
