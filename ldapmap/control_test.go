package ldapmap

import (
	"errors"
	"net/url"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/daemon"
	"gatepost/internal/testbed"
)

// controlled opens the tables of files and gives their control socket.
func controlled(t *testing.T, files map[string]string) *daemon.ControlClient {
	t.Helper()
	_, plan, _, problems := LoadConfig("", tree(t, files))
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	live := plan.Open(nil, NewMetrics(prometheus.NewRegistry()), discard())
	t.Cleanup(func() { live.Close(nil) })
	a, err := daemon.ParseControl("unix:" + filepath.Join(t.TempDir(), "control"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := daemon.Listen(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	c := daemon.NewControl(discard())
	RegisterControl(c, func() *Live { return live })
	done := make(chan error, 1)
	go func() { done <- c.Serve(t.Context(), l) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	client, err := daemon.NewControlClient(a)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

const controlLDIF = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
dc: example
o: example

dn: cn=alice,dc=example,dc=com
objectClass: inetOrgPerson
cn: alice
sn: alice
mail: alice@example.com
`

func TestControl(t *testing.T) {
	server := testbed.Slapd(t, testbed.SlapdOptions{LDIF: []byte(controlLDIF), Index: []string{"mail eq"}})
	cf := "server_host = " + server.URI() + "\nbind = no\nsearch_base = dc=example,dc=com\nquery_filter = (mail=%s)\nresult_attribute = cn\n"
	client := controlled(t, map[string]string{"users.cf": cf, "relay.cf": cf + "# gatepost: class = relay_recipient\n# gatepost: mydestination =\n# gatepost: recipient_delimiter = +\n"})
	lookup := func(table, key string, more ...string) *Explanation {
		t.Helper()
		q := url.Values{"table": {table}, "key": {key}}
		for _, name := range more {
			q.Set(name, "1")
		}
		var e Explanation
		if err := client.Get(t.Context(), "/lookup", q, &e); err != nil {
			t.Fatal(err)
		}
		return &e
	}
	last := func(e *Explanation) ExplainedQuery { return e.Tried[len(e.Tried)-1].Searches[0] }

	e := lookup("relay", "Alice+x@example.com")
	if e.Reply != (Reply{"OK", "alice"}) || e.Class != RelayRecipient || len(e.Tried) != 2 || last(e).Server != server.URI() || last(e).Cached {
		t.Errorf("%+v", e)
	}
	if e = lookup("relay", "alice@example.com"); !last(e).Cached {
		t.Errorf("asked again: %+v", e)
	}
	if e = lookup("relay", "alice@example.com", "no_cache"); last(e).Cached {
		t.Errorf("no_cache from the cache: %+v", e)
	}
	// A changed entry is seen when its key has been flushed.
	change := func(cn string) {
		t.Helper()
		if err := server.Modify("dn: cn=alice,dc=example,dc=com\nchangetype: modify\nadd: cn\ncn: " + cn + "\n"); err != nil {
			t.Fatal(err)
		}
	}
	flush := func(o FlushOrder) (f Flushed) {
		t.Helper()
		if err := client.Post(t.Context(), "/flush", o, &f); err != nil {
			t.Fatal(err)
		}
		return f
	}
	want := "alice"
	for _, o := range []FlushOrder{{Table: "relay", Key: "alice@example.com"}, {Table: "relay"}, {DN: "CN=alice, dc=example,dc=com"}, {}} {
		added := string(rune('a' + len(want)))
		change(added)
		if e = lookup("relay", "alice@example.com"); e.Reply.Text != want {
			t.Errorf("%+v: changed before the flush: %+v", o, e)
		}
		want += "," + added
		if f := flush(o); f.Answers == 0 || (f.Lookup != nil) != (o.Key != "") {
			t.Errorf("%+v: %+v", o, f)
		}
		if e = lookup("relay", "alice@example.com"); e.Reply.Text != want {
			t.Errorf("%+v: not changed after the flush, want %s: %+v", o, want, e)
		}
	}
	lookup("users", "alice@example.com")
	if f := flush(FlushOrder{Table: "relay"}); f.Answers == 0 {
		t.Error(f)
	}
	if e = lookup("users", "alice@example.com"); !last(e).Cached {
		t.Errorf("flushed with another table: %+v", e)
	}

	var tables []TableInfo
	if err := client.Get(t.Context(), "/tables", nil, &tables); err != nil {
		t.Fatal(err)
	}
	if len(tables) != 2 || tables[0].Name != "relay" || tables[0].Class != RelayRecipient || tables[1].Class != Exact ||
		!strings.HasSuffix(tables[1].File, "/users.cf") || tables[1].Servers[0] != server.URI() || tables[1].Deadline != 10_000 {
		t.Errorf("%+v", tables)
	}
	var stats []DirectoryInfo
	if err := client.Get(t.Context(), "/stats", nil, &stats); err != nil {
		t.Fatal(err)
	}
	if len(stats) != 1 || strings.Join(stats[0].Tables, " ") != "relay users" || len(stats[0].Servers) != 1 || stats[0].Servers[0].State != "up" ||
		stats[0].Servers[0].Searches == 0 || stats[0].Cache.Hits == 0 || stats[0].Cache.Misses == 0 || stats[0].Doubt.Empties == 0 {
		t.Errorf("%+v", stats)
	}

	for _, tc := range []struct {
		err    error
		status int
		want   string
	}{
		{client.Get(t.Context(), "/lookup", url.Values{"table": {"x"}, "key": {"a"}}, &e), 404, `there is no table "x"; there are: relay, users`},
		{client.Post(t.Context(), "/flush", FlushOrder{Table: "x"}, &tables), 404, "there is no table"},
		{client.Post(t.Context(), "/flush", FlushOrder{Key: "x"}, &tables), 400, "of which table"},
		{client.Post(t.Context(), "/flush", FlushOrder{Table: "users", DN: "dc=x"}, &tables), 400, "give it alone"},
	} {
		var fault *daemon.ControlError
		if !errors.As(tc.err, &fault) || fault.Status != tc.status || !strings.Contains(fault.What, tc.want) {
			t.Errorf("%v, want %d %s", tc.err, tc.status, tc.want)
		}
	}
}
