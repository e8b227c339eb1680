// Package imports holds the module to its import rules: which machine's
// program contains which code. The rules are about what programs link; what
// only tests use is outside them.
package imports

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

const (
	module     = "gatepost/"
	sqlPackage = "database/sql" // database/sql/driver, types only, is no breach
	ldapModule = "github.com/go-ldap/"
	// demoLDAP is the directory server of gatepost demo. It brings packages of
	// the Go library and of others that are for tests, which are not counted.
	demoLDAP   = "github.com/jimlambrt/gldap"
	collectors = "github.com/prometheus/client_golang/prometheus/collectors"
)

// daemons are the package trees that serve a protocol. The milter asks the
// same question as policyd at a later stage, so both may use policyd/rights;
// a longer name owns what is below it.
var daemons = []string{"ldapmap", "policyd", "policyd/rights", "policyd/milter", "lmtpd"}

// mayUse lists what a daemon may import of the others.
var mayUse = map[string][]string{
	"policyd":        {"policyd/rights"},
	"policyd/milter": {"policyd/rights"},
}

// mainOf says which daemons a program may link.
var mainOf = map[string][]string{
	"cmd/gatepost-ldapmap": {"ldapmap"},
	"cmd/gatepost-policyd": {"policyd", "policyd/rights"},
	"cmd/gatepost-milter":  {"policyd/milter", "policyd/rights"},
	"cmd/gatepost-lmtpd":   {"lmtpd"},
}

// holdsSQL are the packages that may import database/sql or a driver: those
// that talk SQL, and the operator's tool, which opens the database that schema
// fills. reachesSQL may reach them.
var (
	holdsSQL   = []string{"internal/dbmail", "schema", "cmd/gatepost"}
	reachesSQL = append([]string{"lmtpd", "cmd/gatepost-lmtpd"}, holdsSQL...)
)

// forTests are the trees of tests, benchmarks and the lab.
var forTests = []string{"internal/testbed", "test", "contrib/lab"}

// sqlDrivers are modules that only the store's packages may link.
var sqlDrivers = []string{"github.com/go-sql-driver/mysql", "modernc.org/sqlite"}

// check returns every breach of the rules, with the chain of imports that
// makes it. With dmz the graph is of the build for the gateway, in which
// nothing may reach SQL.
func check(g graph, dmz bool) []string {
	var breaches []string
	breach := func(format string, args ...any) { breaches = append(breaches, fmt.Sprintf(format, args...)) }
	own := maps.Clone(g)
	delete(own, demoLDAP)
	for _, pkg := range g.ours() {
		name := strings.TrimPrefix(pkg, module)
		if within(name, forTests) {
			continue
		}
		for _, other := range daemons {
			chain := g.chain(pkg, func(p string) bool {
				return p != pkg && owner(strings.TrimPrefix(p, module)) == other && strings.HasPrefix(p, module)
			})
			switch {
			case chain == nil:
			case strings.HasPrefix(name, "internal/") || name == "schema":
				breach("%s uses the daemon %s: %s", name, other, chain)
			case owner(name) != "" && owner(name) != other && !slices.Contains(mayUse[owner(name)], other):
				breach("the daemon %s uses the daemon %s: %s", owner(name), other, chain)
			case mainOf[name] != nil && !slices.Contains(mainOf[name], other):
				breach("%s links the daemon %s: %s", name, other, chain)
			}
		}
		if chain := g.chain(pkg, isSQL); chain != nil {
			switch {
			case dmz:
				breach("%s of the DMZ build reaches SQL: %s", name, chain)
			case !within(name, reachesSQL):
				breach("%s reaches SQL: %s", name, chain)
			}
		}
		for _, imported := range g[pkg] {
			switch {
			case isSQL(imported) && !within(name, holdsSQL):
				breach("%s talks SQL itself, which only %s may: it imports %s", name, strings.Join(holdsSQL, ", "), imported)
			case imported == demoLDAP && (dmz || name != "cmd/gatepost"):
				breach("%s imports %s, which only the demonstration may", name, imported)
			case strings.HasPrefix(imported, ldapModule) && !within(name, []string{"internal/directory"}):
				breach("%s imports %s, which only internal/directory may", name, imported)
			}
		}
		if chain := g.chain(pkg, func(p string) bool { return p == collectors }); chain != nil {
			breach("%s reaches prometheus/collectors, which links database/sql: %s", name, chain)
		}
		if chain := own.chain(pkg, isForTests); chain != nil {
			breach("%s links what is for tests: %s", name, chain)
		}
	}
	return breaches
}

func isSQL(pkg string) bool { return pkg == sqlPackage || within(pkg, sqlDrivers) }

func isForTests(pkg string) bool {
	name, ours := strings.CutPrefix(pkg, module)
	return pkg == "testing" || ours && within(name, forTests)
}

// within says whether the package is one of the trees or below one.
func within(pkg string, trees []string) bool {
	return slices.ContainsFunc(trees, func(tree string) bool { return pkg == tree || strings.HasPrefix(pkg, tree+"/") })
}

// owner gives the daemon to which a package of ours belongs, or "".
func owner(name string) string {
	longest := ""
	for _, d := range daemons {
		if within(name, []string{d}) && len(d) > len(longest) {
			longest = d
		}
	}
	return longest
}
