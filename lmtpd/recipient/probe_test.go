package recipient

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// probeLDIF is the directory that DBMail was probed with.
var probeLDIF = person("lena", 10001, "mail: lena@example.org", "mail: lena.alias@example.org", "mailAlternateAddress: lena.alt@example.org") +
	person("mika", 10002, "mailQuota: 300") +
	person("both", 10003, "mailForwardingAddress: both@elsewhere.example") +
	person("catchall", 10004, "mail: @catch.example.org") +
	forwarder("fw", "fw@elsewhere.example")

// ours are our answers where they are not "the user": the address as probed.
var ours = map[string]string{
	"lena@example.org":                "lena/10001",
	"lena.alias@example.org":          "lena/10001",
	"lena":                            "lena/10001",
	"LENA@example.org":                "lena/10001",
	"lena.alt@example.org":            "lena/10001",
	"mika@example.org":                "mika/10002",
	"fw@example.org":                  ">fw@elsewhere.example",
	"both@example.org":                "both/10003 >both@elsewhere.example",
	"nobody@example.org":              "unknown",
	"x@catch.example.org":             "catchall/10004",
	"10001":                           "unknown",
	"lena+Box@example.org":            "lena/10001 detail:Box",
	"alice@example.org":               "unknown",
	"__@!internal_delivery_user!@__":  "unknown",
	"anyone":                          "unknown",
	"*":                               "unknown",
	"lena*":                           "unknown",
	"*)(uid=mika":                     "unknown",
	"lena@example.org)(objectClass=*": "unknown",
	"a(b@example.org":                 "unknown",
}

// probed is a line of a probe: an address and DBMail's reply, "<EOF>" where it
// died.
var probed = regexp.MustCompile(`^   (\S.*?) {2,}(\d{3} .*|<EOF>)$`)

// TestProbes gives each RCPT of the recorded probes our answer. Where it
// accepts what DBMail refuses, or the other way, differences.md says why.
func TestProbes(t *testing.T) {
	s := newSite(t, siteOptions{ldif: probeLDIF})
	explained, err := os.ReadFile(filepath.Join("testdata", "differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	differences := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)` \\|").FindAllStringSubmatch(string(explained), -1) {
		differences[m[1]] = true
	}
	seen, differ := map[string]bool{}, map[string]bool{}
	for _, name := range []string{"ldap-probe.txt", "ldap-probe-rcpt.txt"} {
		text, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			m := probed.FindStringSubmatch(strings.TrimRight(line, "\n"))
			if m == nil {
				continue
			}
			address, reply := m[1], m[2]
			want, known := ours[address]
			got := ask(t, s, address)
			if !known || got != want {
				t.Errorf("%s: %q: %s, want %q", name, address, got, want)
			}
			seen[address] = true
			accepted := got != "unknown"
			if accepted != strings.HasPrefix(reply, "250 ") || reply == "<EOF>" {
				differ[address] = true
			}
		}
	}
	for address := range ours {
		if !seen[address] {
			t.Errorf("%q is in no probe", address)
		}
	}
	for address := range differ {
		if !differences[address] {
			t.Errorf("differences.md does not explain %q", address)
		}
	}
	for address := range differences {
		if !differ[address] {
			t.Errorf("differences.md explains %q, which is no difference", address)
		}
	}
}
