package ldapmap

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const plainTable = "server_host = ldap://127.0.0.1:1\nsearch_base = dc=example,dc=com\n" // two lines

// tree writes files and gives their directory.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Every configuration error has its broken configuration here.
func TestConfigProblems(t *testing.T) {
	for _, c := range []struct {
		name, toml, cf string
		want           string // part of the only problem; empty for none
	}{
		{"good", "tables = \"DIR\"\n", plainTable, ""},
		{"unknown key", "tables = \"DIR\"\nlistens = 1\n", plainTable, "ldapmap.toml:2: listens: unknown key"},
		{"address", "tables = \"DIR\"\nlisten = [\"tcp:1\"]\n", plainTable, "ldapmap.toml:2: listen: "},
		{"control", "tables = \"DIR\"\ncontrol = \"inet:127.0.0.1:1\"\n", plainTable, "ldapmap.toml:2: control: "},
		{"connections", "tables = \"DIR\"\nmax_connections = 0\n", plainTable, "ldapmap.toml:2: max_connections: "},
		{"idle", "tables = \"DIR\"\nidle_timeout = \"0s\"\n", plainTable, "ldapmap.toml:2: idle_timeout: "},
		{"deadline", "tables = \"DIR\"\ndeadline = \"100s\"\n", plainTable, "ldapmap.toml:2: deadline: "},
		{"stale rights", "tables = \"DIR\"\n[cache]\nmax_stale_authorisation = \"1h\"\n", plainTable, "ldapmap.toml:3: cache.max_stale_authorisation: "},
		{"log", "tables = \"DIR\"\n[log]\nlevel = \"loud\"\n", plainTable, "ldapmap.toml:3: log.level: "},
		{"metrics", "tables = \"DIR\"\n[metrics]\nlisten = \"x\"\n", plainTable, "ldapmap.toml:3: metrics.listen: "},
		{"mydestination", "tables = \"DIR\"\n[postfix]\nmydestination = [\"$myhostname\"]\n", plainTable, "ldapmap.toml:3: postfix.mydestination: "},
		{"interfaces", "tables = \"DIR\"\n[postfix]\ninet_interfaces = [\"mail.example.com\"]\n", plainTable, "ldapmap.toml:3: postfix.inet_interfaces: "},
		{"propagation", "tables = \"DIR\"\n[postfix]\npropagate_unmatched_extensions = [\"all\"]\n", plainTable, "ldapmap.toml:3: postfix.propagate_unmatched_extensions: "},
		{"delimiter", "tables = \"DIR\"\n[postfix]\nrecipient_delimiter = \"@\"\n", plainTable, "ldapmap.toml:3: postfix.recipient_delimiter: "},
		{"no directory", "tables = \"DIR/none\"\n", plainTable, "DIR/none: the tables cannot be read: "},
		{"no tables", "tables = \"DIR\"\n", "", "DIR: there are no tables; "},
		{"nothing", "max_connections = 1\n", plainTable, "ldapmap.toml: there are no tables; "},
		{"no file", "[table.x]\nclass = \"exact\"\n", plainTable, "ldapmap.toml:1: table.x: it has no file"},
		{"file missing", "[table.x]\nfile = \"DIR/y.cf\"\n", plainTable, "DIR/y.cf: cannot be read: "},
		{"preset", "[table.x]\npreset = \"transport\"\n", plainTable, "ldapmap.toml:2: table.x.preset: \"transport\" is not known; want one of: virtual_alias, "},
		{"preset and file", "[table.x]\npreset = \"domain\"\nfile = \"DIR/t.cf\"\n", plainTable, "ldapmap.toml:2: table.x.preset: a table has a file or a preset"},
		{"preset without directory.toml", "[table.x]\npreset = \"sender_login\"\n[postfix]\nmydestination = []\n", plainTable, "DIR/directory.toml: cannot be read: "},
		{"name", "[table.\"a:b\"]\nfile = \"DIR/t.cf\"\n", plainTable, "\"a:b\" cannot be the name of a table"},
		{"parameter", "tables = \"DIR\"\n", plainTable + "bind = maybe\n", "DIR/t.cf:3: bind: "},
		{"class in the file", "tables = \"DIR\"\n", plainTable + "# gatepost: class = aliases\n", "DIR/t.cf:3: class: \"aliases\" is not known; want one of: exact, "},
		{"class in ldapmap.toml", "tables = \"DIR\"\n[table.t]\nclass = \"aliases\"\n", plainTable, "ldapmap.toml:3: table.t.class: \"aliases\" is not known"},
		{"comment", "tables = \"DIR\"\n", plainTable + "# gatepost: klass = exact\n", "DIR/t.cf:3: klass: there is no such key"},
		{"comment of Postfix", "tables = \"DIR\"\n", plainTable + "# gatepost: mydestination = $mydomain\n", "DIR/t.cf:3: mydestination: \"$mydomain\" is not the name"},
		{"class without mydestination", "tables = \"DIR\"\n", plainTable + "# gatepost: class = mailbox\n", "DIR/t.cf:3: class: mailbox looks up bare users"},
		{"class with mydestination", "tables = \"DIR\"\n", plainTable + "# gatepost: class = mailbox\n# gatepost: mydestination =\n", ""},
		{"class with mydestination in ldapmap.toml", "tables = \"DIR\"\n[postfix]\nmydestination = []\n", plainTable + "# gatepost: class = mailbox\n", ""},
		{"list", "tables = \"DIR\"\n", plainTable + "# gatepost: class = domain\n# gatepost: list = domains\n", "DIR/t.cf:4: list: \"domains\" is not known"},
		{"list of another class", "tables = \"DIR\"\n", plainTable + "# gatepost: class = access\n# gatepost: list = relay_domains\n", "DIR/t.cf:4: list: it is for class domain"},
		{"authorises", "tables = \"DIR\"\n", plainTable + "# gatepost: authorises = often\n", "DIR/t.cf:3: authorises: "},
		{"table's deadline", "tables = \"DIR\"\n", plainTable + "# gatepost: deadline = 5\n", "DIR/t.cf:3: deadline: \"5\" is not a duration"},
	} {
		files := map[string]string{"ldapmap.toml": ""}
		if c.cf != "" {
			files["t.cf"] = c.cf
		}
		dir := tree(t, files)
		path := filepath.Join(dir, "ldapmap.toml")
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(c.toml, "DIR", dir)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, _, _, problems := LoadConfig(path, "")
		switch {
		case c.want == "" && len(problems) > 0:
			t.Errorf("%s: %v", c.name, problems)
		case c.want != "" && (len(problems) != 1 || !strings.Contains(problems[0].String(), strings.ReplaceAll(c.want, "DIR", dir))):
			t.Errorf("%s: %v, want %s", c.name, problems, c.want)
		}
	}
}

func TestPlan(t *testing.T) {
	dir := tree(t, map[string]string{
		"aliases.cf":         plainTable + "timeout = 3\n# gatepost: class = virtual_alias\n# gatepost: recipient_delimiter = -\n# gatepost: mydestination = a.test, b.test\n",
		"logins.cf":          plainTable + "timeout = 60\n",
		"virtual_domains.cf": plainTable + "bind = no\n# gatepost: class = domain\n",
		"mydestination.cf":   plainTable + "# gatepost: class = domain\n",
		".hidden.cf":         "not read",
		"other.txt":          "not read",
	})
	path := filepath.Join(dir, "ldapmap.toml")
	text := "tables = \"" + dir + "\"\ndeadline = \"20s\"\n[postfix]\nmydestination = [\"c.test\"]\nrecipient_delimiter = \"+\"\n[table.logins]\nclass = \"sender_login\"\n[table.aliases]\ndeadline = \"7s\"\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, plan, warnings, problems := LoadConfig(path, "")
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0].String(), "virtual_domains.cf: list: relay_domains is taken") {
		t.Errorf("warnings: %v", warnings)
	}
	byName := map[string]plannedTable{}
	for _, p := range plan.tables {
		byName[p.Name] = p
	}
	a, l, m := byName["aliases"], byName["logins"], byName["mydestination"]
	if a.keys.class != VirtualAlias || a.keys.postfix.RecipientDelimiter != "-" || !a.keys.local["b.test"] || a.keys.local["c.test"] || a.deadline != 7*time.Second || a.authorises {
		t.Errorf("aliases: %+v", a)
	}
	if l.keys.class != SenderLogin || l.keys.postfix.RecipientDelimiter != "+" || !l.keys.local["c.test"] || l.deadline != 20*time.Second || !l.authorises {
		t.Errorf("logins: %+v", l)
	}
	if m.keys.parents != noParents || byName["virtual_domains"].keys.parents != plainParents {
		t.Errorf("lists of domains: %v", m.keys.parents)
	}

	// Time-outs apart, three tables connect alike.
	metrics := NewMetrics(prometheus.NewRegistry())
	live := plan.Open(nil, metrics, discard())
	defer func() { live.Close(nil) }()
	if len(live.Maps) != 4 || len(live.groups) != 2 {
		t.Errorf("%d tables, %d directories", len(live.Maps), len(live.groups))
	}
	again := plan.Open(live, metrics, discard())
	for id, d := range live.groups {
		if again.groups[id] != d {
			t.Error("a reload that changes nothing connects anew")
		}
	}
	if c.Settings(live, Settings{}).Drain != 10*time.Second {
		t.Error(c.Settings(live, Settings{}))
	}
}
