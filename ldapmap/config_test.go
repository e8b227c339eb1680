package ldapmap

import (
	"flag"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/directory"
)

var update = flag.Bool("update", false, "write what was found as what is expected")

// parse reads a table that has to be good.
func parse(t testing.TB, lines ...string) *TableConfig {
	t.Helper()
	c, _, problems := ParseTable("test.cf", strings.NewReader(strings.Join(lines, "\n")))
	if problems != nil {
		t.Fatal(problems)
	}
	return c
}

func compare(t *testing.T, name string, got daemon.Problems) {
	t.Helper()
	path := filepath.Join("testdata", "files", name)
	if *update {
		if err := os.WriteFile(path, []byte(got.Error()+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Error()+"\n" != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", name, got.Error(), want)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	c, _, problems := ReadTable("testdata/files/broken.cf")
	if c != nil {
		t.Error("there is a table")
	}
	compare(t, "broken.expected", problems)
}

func TestWarnings(t *testing.T) {
	c, warnings, problems := ReadTable("testdata/files/warned.cf")
	if problems != nil {
		t.Fatal(problems)
	}
	if got := c.Comments["class"]; got != (Setting{"virtual_alias", 16}) {
		t.Errorf("class: %+v", got)
	}
	compare(t, "warned.expected", warnings)
}

func TestGoodFile(t *testing.T) {
	c, warnings, problems := ReadTable("testdata/files/good.cf")
	if warnings != nil || problems != nil {
		t.Fatalf("%v\n%v", warnings, problems)
	}
	settings := c.Settings()
	if password, err := settings.Bind.Password(); password != "a b=c # d" || err != nil {
		t.Errorf("password: %q, %v", password, err)
	}
	settings.Bind.Password = nil
	if want := (directory.Settings{
		URIs:     []string{"ldap://one.example.com:3389", "ldap://two.example.com:390", "ldaps://three.example.com"},
		StartTLS: true,
		Bind:     directory.Bind{Method: directory.BindSimple, DN: "cn=postfix,dc=example,dc=com"},
		Timeout:  7 * time.Second,
	}); !reflect.DeepEqual(settings, want) {
		t.Errorf("settings: %+v", settings)
	}
	if c.Name != "good" || c.scope != directory.ScopeOne || c.deref != 3 || c.expansionLimit != 100 || c.sizeLimit != 100 || c.recursionLimit != 9 {
		t.Errorf("%+v", c)
	}
	if got, want := [][]string{c.terminal, c.leaf, c.regular, c.special}, [][]string{{"maildrop"}, {"mail"}, {}, {"member", "memberURL"}}; !reflect.DeepEqual(got, want) {
		t.Errorf("attributes: %q", got)
	}
	if got := c.templates; got.Base.String() != "ou=%d,dc=example,dc=com" || got.Filter.String() != "(&    (mail=%s)    (objectClass=person)  )" || got.Result.String() != "%u@%d" {
		t.Errorf("templates: %s, %s, %s", got.Base, got.Filter, got.Result)
	}
	if got := c.Comments["class"].Value; got != "virtual_alias" {
		t.Errorf("class: %q", got)
	}
}

func TestDefaults(t *testing.T) {
	c := parse(t)
	if got := c.Settings(); got.URIs[0] != "ldap://localhost:389" || !got.NoVerify || got.StartTLS || got.Bind.Method != directory.BindSimple || got.Timeout != 10*time.Second {
		t.Errorf("settings: %+v", got)
	}
	if c.sizeLimit != 0 || c.expansionLimit != 0 || c.recursionLimit != 1000 || c.deref != 0 || c.scope != directory.ScopeSub {
		t.Errorf("%+v", c)
	}
	if got := c.templates; got.Base.String() != "" || got.Filter.String() != "(mailacceptinggeneralid=%s)" || got.Result.String() != "%s" {
		t.Errorf("templates: %s, %s, %s", got.Base, got.Filter, got.Result)
	}
	if !reflect.DeepEqual(c.regular, []string{"maildrop"}) || len(c.special)+len(c.leaf)+len(c.terminal) > 0 {
		t.Errorf("attributes: %q", c.regular)
	}
}

func TestSASL(t *testing.T) {
	c := parse(t, "server_host = ldapi://%2Frun%2Fldapi", "bind = sasl", "sasl_mechs = gssapi, external", "sasl_authz_id = u:postfix", "bind_dn = me")
	if got := c.Settings().Bind; got.Method != directory.BindSASL || got.Mechanism != "EXTERNAL" || got.Authz != "u:postfix" || got.User != "me" {
		t.Errorf("%+v", got)
	}
}

func TestPoolKey(t *testing.T) {
	base := []string{"server_host = a", "bind_dn = cn=x", "bind_pw = y", "timeout = 3"}
	one := parse(t, append(base, "query_filter = (a=%s)")...).PoolKey()
	if two := parse(t, append(base, "query_filter = (b=%s)", "scope = one")...).PoolKey(); one != two {
		t.Errorf("keys differ: %q, %q", one, two)
	}
	for _, line := range []string{"server_host = b", "bind_dn = cn=z", "bind_pw = z", "timeout = 4", "bind = no", "start_tls = yes", "server_port = 1"} {
		if other := parse(t, append(base, line)...).PoolKey(); other == one {
			t.Errorf("%s: the same key", line)
		}
	}
}

func TestTooLarge(t *testing.T) {
	if _, _, problems := ParseTable("x", strings.NewReader(strings.Repeat("#\n", maxFileSize))); len(problems) != 1 {
		t.Errorf("problems: %v", problems)
	}
	if _, _, problems := ReadTable("testdata/files/missing.cf"); len(problems) != 1 {
		t.Errorf("problems: %v", problems)
	}
}

func FuzzParseTable(f *testing.F) {
	for _, name := range []string{"broken.cf", "warned.cf", "good.cf"} {
		text, err := os.ReadFile(filepath.Join("testdata", "files", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Add("a\x00b=c\n=\n \n#gatepost:x\n\r\n")
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "domain") && strings.Contains(text, "/") {
			return // it would open files
		}
		c, _, problems := ParseTable("fuzz.cf", strings.NewReader(text))
		if (c == nil) != (len(problems) > 0) {
			t.Errorf("table: %v, problems: %v", c, problems)
		}
	})
}
