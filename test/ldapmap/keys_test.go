package ldapmap_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/testbed"
	"gatepost/ldapmap"
)

// recorder is a table in which nothing is, and that remembers what it was
// asked for.
type recorder struct {
	mu   sync.Mutex
	keys map[string][]string // by table
}

type recorded struct {
	*recorder
	table string
}

func (r recorded) Lookup(_ context.Context, key string) (string, bool, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.keys[r.table] = append(r.keys[r.table], key)
	return "", false, nil
}

func (r *recorder) take(table string) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	keys := r.keys[table]
	r.keys[table] = nil
	return keys
}

// serveTables runs ldapmap's server with tables of class exact, on a socket
// that Postfix may reach.
func serveTables(t *testing.T, tables map[string]ldapmap.Lookuper) string {
	t.Helper()
	metrics := ldapmap.NewMetrics(prometheus.NewRegistry())
	settings := &ldapmap.Settings{Maps: map[string]*ldapmap.Map{}, IdleTimeout: time.Minute, Drain: time.Second,
		Log: slog.New(slog.DiscardHandler), Metrics: metrics}
	for name, table := range tables {
		settings.Maps[name] = ldapmap.NewMap(name, ldapmap.NewKeys(ldapmap.Exact, ldapmap.DefaultPostfix()), table, 5*time.Second, metrics)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ldapmap.NewServer(settings).Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// feature is a parameter of Postfix, and the class for it.
type feature struct {
	name  string // the table's too
	class ldapmap.Class
	keys  func(sender, recipient string) []string // that it is asked for
}

func ofSender(s, _ string) []string    { return []string{s} }
func ofRecipient(_, r string) []string { return []string{r} }
func ofBoth(s, r string) []string      { return []string{s, r} }
func ofDomain(_, r string) []string    { return []string{r[strings.LastIndexByte(r, '@')+1:]} }
func always(key string) func(_, _ string) []string {
	return func(_, _ string) []string { return []string{key} }
}

var features = []feature{
	{"virtual_alias_maps", ldapmap.VirtualAlias, ofRecipient},
	{"recipient_canonical_maps", ldapmap.Canonical, ofRecipient},
	{"sender_canonical_maps", ldapmap.Canonical, ofSender},
	{"recipient_bcc_maps", ldapmap.RelayRecipient, ofRecipient},
	{"relocated_maps", ldapmap.RelayRecipient, ofBoth},
	{"relay_recipient_maps", ldapmap.RelayRecipient, ofRecipient},
	{"local_recipient_maps", ldapmap.RelayRecipient, ofRecipient},
	{"virtual_mailbox_maps", ldapmap.Mailbox, ofRecipient},
	{"smtpd_sender_login_maps", ldapmap.SenderLogin, ofSender},
	{"check_recipient_access", ldapmap.Access, ofRecipient},
	{"check_sender_access", ldapmap.Access, ofSender},
	{"check_helo_access", ldapmap.Access, always("mail.client.Example.NET")},
	{"check_client_access", ldapmap.Access, always("127.0.0.1")},
	{"transport_maps", ldapmap.Transport, ofBoth},
	{"relay_domains", ldapmap.Domain, ofDomain},
	{"mydestination", ldapmap.Domain, ofDomain},
	{"virtual_alias_domains", ldapmap.Domain, ofDomain},
	{"virtual_mailbox_domains", ldapmap.Domain, ofDomain},
}

var recordedAddresses = []string{
	"user@sub.relay.test", "user+ext@sub.relay.test", "User+Ext@Sub.Relay.Test",
	"user@local.test", "user+ext@local.test", "user@origin.test", "user+ext@origin.test",
	"user@vmail.test", "user+ext@vmail.test", "user-ext@vmail.test", "u+e+f@relay.test", "u-e+f@relay.test", "+ext@relay.test",
	`"quoted user"@sub.relay.test`, `"quoted user+ext"@sub.relay.test`, `"quoted user+ext"@local.test`, `"a\\b+c"@relay.test`,
	`"user+e x"@relay.test`, `"user@part+e"@relay.test`, `"a..b+c"@relay.test`, `".a"@relay.test`,
	"postmaster+x@relay.test", "mailer-daemon@relay.test", "Mailer-Daemon@local.test", "double-bounce@relay.test",
	"owner-list@relay.test", "list-request@local.test",
	"user@[127.0.0.1]", "user+ext@[127.0.0.1]", "user@[192.0.2.7]",
	"user@elsewhere.example", "user+ext@a.b.c.elsewhere.example", "o'neil=x@relay.test",
}

// TestKeys compares the keys that Postfix asks a table for, whose keys are
// fixed as those of ldap: are, with those that our class of that feature asks
// for.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		name    string
		main    map[string]string
		postfix func(*ldapmap.Postfix)
	}{
		{"defaults", nil, func(*ldapmap.Postfix) {}},
		{"extensions", map[string]string{"recipient_delimiter": "+"},
			func(p *ldapmap.Postfix) { p.RecipientDelimiter = "+" }},
		{"two delimiters, parents with dots", map[string]string{"recipient_delimiter": "+-", "parent_domain_matches_subdomains": ""},
			func(p *ldapmap.Postfix) { p.RecipientDelimiter, p.ParentDomainMatchesSubdomains = "+-", nil }},
		{"dash, transports without dots", map[string]string{"recipient_delimiter": "-", "owner_request_special": "no",
			"parent_domain_matches_subdomains": "transport_maps, relay_domains"},
			func(p *ldapmap.Postfix) {
				p.RecipientDelimiter, p.OwnerRequestSpecial = "-", false
				p.ParentDomainMatchesSubdomains = []string{"transport_maps", "relay_domains"}
			}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := ldapmap.DefaultPostfix()
			p.Mydestination, p.Myorigin, p.InetInterfaces = []string{"local.test"}, "origin.test", []string{"127.0.0.1"}
			c.postfix(&p)
			compareKeys(t, p, c.main)
		})
	}
}

func compareKeys(t *testing.T, p ldapmap.Postfix, more map[string]string) {
	rec := &recorder{keys: map[string][]string{}}
	tables := map[string]ldapmap.Lookuper{}
	for _, f := range features {
		tables[f.name] = recorded{rec, f.name}
	}
	addr := serveTables(t, tables)
	union := func(name string) string {
		return "unionmap:{inline:{no@such.invalid=x},socketmap:inet:" + addr + ":" + name + "}"
	}
	main := map[string]string{
		"mydestination": "local.test, " + union("mydestination"), "myorigin": "origin.test",
		"relay_domains":           "relay.test, sub.relay.test, " + union("relay_domains"),
		"virtual_mailbox_domains": "vmail.test, " + union("virtual_mailbox_domains"),
		"virtual_alias_domains":   union("virtual_alias_domains"),
		"smtpd_helo_restrictions": "check_helo_access " + union("check_helo_access"),
		"smtpd_relay_restrictions": "check_client_access " + union("check_client_access") + ", check_recipient_access " + union("check_recipient_access") +
			", check_sender_access " + union("check_sender_access") + ", reject_unauthenticated_sender_login_mismatch, permit_mynetworks, reject",
		"smtpd_reject_unlisted_recipient": "no", "smtpd_delay_reject": "yes",
		"smtpd_sasl_auth_enable": "yes", "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "inet:" + fakeSASL(t),
		"default_transport": "discard:", "relay_transport": "discard:", "local_transport": "discard:", "virtual_transport": "discard:",
	}
	for _, f := range features {
		if strings.HasSuffix(f.name, "_maps") {
			main[f.name] = union(f.name)
		}
	}
	for name, value := range more {
		main[name] = value
	}
	seen := map[string]bool{}
	for _, listed := range []string{"no", "yes"} {
		main["smtpd_reject_unlisted_recipient"] = listed
		server := testbed.Postfix(t, testbed.PostfixOptions{Main: main})
		accepted := 0
		for _, recipient := range recordedAddresses {
			for _, f := range features {
				rec.take(f.name)
			}
			sender := "from." + strings.TrimLeft(recipient, `".`)
			if strings.HasPrefix(recipient, `"`) {
				sender = `"from ` + strings.TrimPrefix(recipient, `"`)
			}
			s := dialSMTP(t, server.SMTPAddr())
			s.must("EHLO mail.client.Example.NET")
			s.must("MAIL FROM:<%s>", sender)
			reply := s.say("RCPT TO:<%s>", recipient)
			if listed == "no" && reply[0] != '2' {
				t.Errorf("%s: %s", recipient, reply)
			}
			if reply[0] == '2' {
				s.must("DATA")
				s.must("Subject: x\r\n\r\nx\r\n.")
				accepted++
			}
			s.must("QUIT")
			// The queue manager looks at it too.
			waitFor(t, "delivery", func() bool { return strings.Count(server.Log(), ": removed") == accepted })
			for _, f := range features {
				got := rec.take(f.name)
				compareFeature(t, p, f, sender, recipient, got)
				seen[f.name] = seen[f.name] || len(got) > 0
			}
		}
		server.Stop()
		if log := server.Log(); strings.Contains(log, "fatal") || strings.Contains(log, "panic") {
			t.Error(log)
		}
	}
	if len(seen) != len(features) {
		t.Errorf("only these tables were asked: %v", seen)
	}
	for name, asked := range seen {
		if !asked {
			t.Errorf("%s was not asked", name)
		}
	}
}

// compareFeature wants what was recorded to be nothing but whole walks.
func compareFeature(t *testing.T, p ldapmap.Postfix, f feature, sender, recipient string, got []string) {
	t.Helper()
	p.List = f.name
	var walks [][]string
	for _, key := range f.keys(sender, recipient) {
		walks = append(walks, keysOf(t, ldapmap.NewKeys(f.class, p), key))
		if f.class == ldapmap.VirtualAlias || f.class == ldapmap.Canonical {
			// smtpd asks these for the unquoted forms too, as it asks others.
			walks = append(walks, keysOf(t, ldapmap.NewKeys(ldapmap.RelayRecipient, p), key))
		}
	}
	got = slices.DeleteFunc(got, func(k string) bool {
		return k == "*" || k == "unknown" // transport_maps' wildcard; our client has no name
	})
	for rest := got; len(rest) > 0; {
		i := slices.IndexFunc(walks, func(w []string) bool { return len(w) <= len(rest) && slices.Equal(rest[:len(w)], w) })
		if i < 0 {
			t.Errorf("%s for %s and %s: Postfix asks for %q, we for %q", f.name, sender, recipient, got, walks)
			return
		}
		rest = rest[len(walks[i]):]
	}
}

// keysOf gives the keys of a walk that finds nothing.
func keysOf(t *testing.T, walk *ldapmap.Keys, key string) []string {
	t.Helper()
	table := &recorder{keys: map[string][]string{}}
	if _, found, err := walk.Lookup(t.Context(), recorded{table, ""}, key); found || err != nil {
		t.Fatal(found, err)
	}
	return table.take("")
}

// waitFor waits for something that Postfix does on its own time.
func waitFor(t testing.TB, what string, is func() bool, why ...func() string) {
	t.Helper()
	for end := time.Now().Add(60 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			for _, w := range why {
				what += "\n" + w()
			}
			t.Fatalf("not after 60 s: %s", what)
		}
	}
}

// fakeSASL lets Postfix believe that there is a Dovecot to authenticate with.
func fakeSASL(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { c.Close() })
			fmt.Fprint(c, "VERSION\t1\t1\nMECH\tPLAIN\tplaintext\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n")
		}
	}()
	return filepath.Base(l.Addr().String())
}
