package imports

import (
	"strings"
	"testing"
)

func TestImports(t *testing.T) {
	g, err := load("", "./...")
	if err != nil {
		t.Fatal(err)
	}
	if len(g.ours()) < 5 {
		t.Fatalf("only %d packages of ours found: %v", len(g.ours()), g.ours())
	}
	for _, breach := range check(g, false) {
		t.Error(breach)
	}
}

// TestImportsDMZ looks at the command-line tool as it is built for the gateway.
func TestImportsDMZ(t *testing.T) {
	g, err := load("dmz", "./cmd/gatepost")
	if err != nil {
		t.Fatal(err)
	}
	for _, breach := range check(g, true) {
		t.Error(breach)
	}
}

// TestCheckFails proves that each rule can be broken.
func TestCheckFails(t *testing.T) {
	sql := []string{"database/sql"}
	for _, test := range []struct {
		name string
		dmz  bool
		g    graph
		want string // what the one breach says; empty for none
	}{
		{"healthy", false, graph{
			"gatepost/cmd/gatepost-lmtpd":   {"gatepost/lmtpd", "os"},
			"gatepost/cmd/gatepost-policyd": {"gatepost/policyd"},
			"gatepost/cmd/gatepost":         {"gatepost/schema", "gatepost/lmtpd", "gatepost/ldapmap", demoLDAP},
			demoLDAP:                        {"testing"},
			"gatepost/ldapmap":              {"gatepost/internal/directory"},
			"gatepost/lmtpd":                {"gatepost/internal/dbmail", "gatepost/internal/daemon"},
			"gatepost/lmtpd/quota":          {"gatepost/internal/dbmail"},
			"gatepost/internal/dbmail":      sql,
			"gatepost/schema":               sql,
			"gatepost/policyd":              {"gatepost/policyd/rights", "gatepost/internal/directory"},
			"gatepost/policyd/rights":       {"gatepost/internal/directory"},
			"gatepost/policyd/milter":       {"gatepost/policyd/rights"},
			"gatepost/internal/directory":   {"github.com/go-ldap/ldap/v3"},
			"gatepost/internal/testbed":     {"database/sql", "testing"},
			"github.com/go-ldap/ldap/v3":    {"github.com/google/uuid"},
			"github.com/google/uuid":        {"database/sql/driver"},
		}, ""},
		{"internal uses a daemon", false, graph{
			"gatepost/internal/zone": {"gatepost/policyd"}, "gatepost/policyd": nil,
		}, "internal/zone uses the daemon policyd: gatepost/internal/zone → gatepost/policyd"},
		{"daemon uses a daemon through others", false, graph{
			"gatepost/lmtpd": {"gatepost/x"}, "gatepost/x": {"gatepost/ldapmap"}, "gatepost/ldapmap": nil,
		}, "the daemon lmtpd uses the daemon ldapmap: gatepost/lmtpd → gatepost/x → gatepost/ldapmap"},
		{"milter uses policyd", false, graph{
			"gatepost/policyd/milter": {"gatepost/policyd"}, "gatepost/policyd": nil,
		}, "the daemon policyd/milter uses the daemon policyd"},
		{"rights uses the milter", false, graph{
			"gatepost/policyd/rights": {"gatepost/policyd/milter"}, "gatepost/policyd/milter": nil,
		}, "the daemon policyd/rights uses the daemon policyd/milter"},
		{"program links a foreign daemon", false, graph{
			"gatepost/cmd/gatepost-milter": {"gatepost/policyd"}, "gatepost/policyd": nil,
		}, "cmd/gatepost-milter links the daemon policyd"},
		{"SQL in the DMZ", false, graph{
			"gatepost/ldapmap": {"example.com/cache"}, "example.com/cache": sql,
		}, "ldapmap reaches SQL: gatepost/ldapmap → example.com/cache → database/sql"},
		{"driver alone", false, graph{
			"gatepost/ldapmap": {"example.com/cache"}, "example.com/cache": {"modernc.org/sqlite/lib"},
		}, "ldapmap reaches SQL"},
		{"SQL outside the store", false, graph{"gatepost/lmtpd": sql},
			"lmtpd talks SQL itself"},
		{"SQL in the gateway's tool", true, graph{
			"gatepost/cmd/gatepost": {"gatepost/schema"}, "gatepost/schema": nil,
			"gatepost/lmtpd": {"example.com/cache"}, "example.com/cache": sql,
		}, "lmtpd of the DMZ build reaches SQL"},
		{"go-ldap outside directory", false, graph{"gatepost/ldapmap": {"github.com/go-ldap/ldap/v3"}},
			"ldapmap imports github.com/go-ldap/ldap/v3"},
		{"the demonstration's directory in a daemon", false, graph{"gatepost/ldapmap": {demoLDAP}, demoLDAP: {"testing"}},
			"ldapmap imports " + demoLDAP},
		{"the demonstration's directory on the gateway", true, graph{"gatepost/cmd/gatepost": {demoLDAP}},
			"cmd/gatepost imports " + demoLDAP},
		{"collectors", false, graph{"gatepost/internal/daemon": {collectors}},
			"internal/daemon reaches prometheus/collectors"},
		{"testbed in a program", false, graph{
			"gatepost/cmd/gatepost": {"gatepost/internal/testbed"}, "gatepost/internal/testbed": {"testing"},
		}, "cmd/gatepost links what is for tests"},
	} {
		t.Run(test.name, func(t *testing.T) {
			breaches := check(test.g, test.dmz)
			switch {
			case test.want == "" && len(breaches) > 0:
				t.Errorf("found %q", breaches)
			case test.want != "" && (len(breaches) != 1 || !strings.HasPrefix(breaches[0], test.want)):
				t.Errorf("found %q, want one that says %q", breaches, test.want)
			}
		})
	}
}
