package openldap

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/ldapmap"
)

// TestTables: ldapmap answers Postfix with what cn=ldapmap may read: the table
// of contrib/postfix, and those that need no file.
func TestTables(t *testing.T) {
	s := byFile(t)
	setPasswords(t, s)
	dir := t.TempDir()
	sample := replace(t, read(t, "../postfix/ldapmap/tables/aliases.cf"), "ldap://ldap.example.com", s.URI(), "bind = no",
		"version = 3\nbind = yes\nbind_dn = "+who["ldapmap"]+"\nbind_pw = "+password("ldapmap"))
	write(t, filepath.Join(dir, "aliases.cf"), sample)
	config := filepath.Join(dir, "ldapmap.toml")
	text := fmt.Sprintf("tables = %q\ndirectory = %q\n[postfix]\nmydestination = []\nrecipient_delimiter = \"+\"\n", dir, directoryFile(t, s, "ldapmap", ""))
	for _, class := range []string{"virtual_alias", "relay_recipient", "mailbox", "sender_login", "domain"} {
		text += fmt.Sprintf("[table.%s]\npreset = %q\nclass = %q\n", class, class, class)
		if class == "domain" {
			text += "list = \"relay_domains\"\n"
		}
	}
	write(t, config, text)
	_, plan, _, problems := ldapmap.LoadConfig(config, "")
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	live := plan.Open(nil, ldapmap.NewMetrics(prometheus.NewRegistry()), slog.New(slog.DiscardHandler))
	t.Cleanup(func() { live.Close(nil) })
	for request, want := range map[string]string{
		"aliases alice@example.com":              "OK alice@example.com",
		"aliases nobody@example.com":             "NOTFOUND ",
		"virtual_alias alice@example.org":        "OK alice@example.com",
		"virtual_alias postmaster@example.org":   "OK alice@example.com,bob@example.com",
		"virtual_alias dan@example.com":          "OK dan@example.com,dan@example.net",
		"virtual_alias shell@example.com":        "OK bob@example.com",
		"virtual_alias nobody@example.com":       "NOTFOUND ",
		"relay_recipient team@example.com":       "OK OK",
		"relay_recipient carol@example.com":      "NOTFOUND ",
		"mailbox bob@example.com":                "OK bob",
		"mailbox scanner@example.com":            "NOTFOUND ",
		"sender_login alice@example.com":         "OK alice,bob",
		"sender_login nobody@example.com":        "NOTFOUND ",
		"domain xn--bcher-kva.example":           "OK xn--bcher-kva.example",
		"domain example.net":                     "NOTFOUND ",
		"relay_recipient sentinel@example.com":   "NOTFOUND ",
		"virtual_alias friends@example.org":      "OK gail@example.net,hans@xn--bcher-kva.example",
		"virtual_alias *@example.com":            "NOTFOUND ",
		"sender_login bob@example.org":           "OK bob",
		"virtual_alias abuse+detail@example.com": "OK alice+detail@example.com,bob+detail@example.com",
	} {
		table, key, _ := strings.Cut(request, " ")
		e := live.Maps[table].Explain(t.Context(), key, true)
		if got := e.Reply.Status + " " + e.Reply.Text; got != want {
			t.Errorf("%s: %s (%s), want %s", request, got, e.Why, want)
		}
	}
	for _, f := range plan.Check(t.Context(), "") {
		if f.Level == ldapmap.LevelBad || f.Level == ldapmap.LevelUnknown {
			t.Errorf("%+v", f)
		}
	}
	unindexed(t, s)
}

// TestReadmeNamesFiles: nothing lies here of which nobody says what it is for.
func TestReadmeNamesFiles(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	text := read(t, "README.md")
	for _, f := range files {
		if !strings.HasSuffix(f.Name(), ".go") && f.Name() != "README.md" && !strings.Contains(text, "`"+f.Name()+"`") {
			t.Errorf("README.md does not name %s", f.Name())
		}
	}
}
