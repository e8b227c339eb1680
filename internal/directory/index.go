package directory

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Database is one of an OpenLDAP server, as cn=config describes it
// (slapd-config(5)).
type Database struct {
	DN      string   // of its configuration
	Suffix  string   // that holds the base asked for
	lines   []string // olcDbIndex, as they stand
	indexes map[string]databaseIndex
}

type databaseIndex struct {
	line  string
	types []string
}

// ErrNoConfig says that nothing is known of the indexes: cn=config is not
// there, or not ours to read, or the database has no such thing.
var ErrNoConfig = errors.New("the server's indexes cannot be read")

// ReadDatabase asks a server's cn=config for the database that holds a base.
func ReadDatabase(ctx context.Context, s Searcher, base string) (*Database, error) {
	answer, err := s.Search(ctx, &Request{Base: "cn=config", Scope: ScopeOne, Filter: "(olcDatabase=*)",
		Attributes: []string{"olcDatabase", "olcSuffix", "olcDbIndex"}, Table: "check", NoCache: true})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoConfig, err)
	}
	var found *Entry
	var suffix string
	for _, e := range answer.Entries {
		for _, dn := range valuesOf(e, []string{"olcSuffix"}) {
			if belowDN(foldDN(base), foldDN(dn)) && (found == nil || len(dn) > len(suffix)) {
				found, suffix = e, dn
			}
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%w: cn=config shows no database that holds %q", ErrNoConfig, base)
	}
	kind := strings.Join(valuesOf(found, []string{"olcDatabase"}), "")
	if !strings.HasSuffix(kind, "mdb") && !strings.HasSuffix(kind, "hdb") && !strings.HasSuffix(kind, "bdb") && !strings.HasSuffix(kind, "wt") {
		return nil, fmt.Errorf("%w: %s keeps no indexes of its own", ErrNoConfig, kind)
	}
	d := &Database{DN: found.DN, Suffix: suffix, indexes: map[string]databaseIndex{}, lines: valuesOf(found, []string{"olcDbIndex"})}
	d.read()
	return d, nil
}

// read takes the lines "attr[,attr…] [type[,type…]]"; types of the attribute
// "default" are those of lines without.
func (d *Database) read() {
	var general []string
	for _, line := range d.lines {
		fields := strings.Fields(line)
		if len(fields) == 0 {
			continue
		}
		types := general
		if len(fields) > 1 {
			types = strings.Split(strings.ToLower(fields[1]), ",")
		}
		for _, name := range strings.Split(fields[0], ",") {
			if strings.EqualFold(name, "default") {
				general = types
				continue
			}
			base, _, _ := strings.Cut(strings.ToLower(name), ";")
			d.indexes[base] = databaseIndex{line, types}
		}
	}
}

// Has says whether a comparison has its index. An index of a type is one of
// all that are derived from it, too.
func (d *Database) Has(comparison Needs, schema *Schema) bool {
	if comparison.Index == "" {
		return false
	}
	own := schema.lineage(comparison.Attribute)
	for _, name := range own {
		index, ok := d.indexes[name]
		if ok && (slices.Contains(index.types, comparison.Index) ||
			comparison.Index == "sub" && slices.ContainsFunc(index.types, func(t string) bool { return strings.HasPrefix(t, "sub") }) ||
			comparison.Index == "approx" && slices.Contains(index.types, "eq")) {
			return true
		}
	}
	return false
}

// Mend gives the LDIF that adds the index for a comparison, for ldapmodify(1).
func (d *Database) Mend(comparison Needs, schema *Schema) string {
	name := comparison.Attribute
	text := fmt.Sprintf("dn: %s\nchangetype: modify\n", d.DN)
	types := comparison.Index
	for _, known := range schema.lineage(name) {
		index, ok := d.indexes[known]
		if !ok || !strings.EqualFold(known, name) || len(index.types) == 0 {
			continue
		}
		// A second line for the attribute would be refused.
		fields := strings.Fields(index.line)
		if strings.Contains(fields[0], ",") {
			rest := strings.Join(slices.DeleteFunc(strings.Split(fields[0], ","), func(n string) bool { return strings.EqualFold(n, known) }), ",")
			return text + fmt.Sprintf("delete: olcDbIndex\nolcDbIndex: %s\n-\nadd: olcDbIndex\nolcDbIndex: %s\nolcDbIndex: %s %s,%s\n",
				index.line, strings.Join(append([]string{rest}, fields[1:]...), " "), name, strings.Join(index.types, ","), types)
		}
		return text + fmt.Sprintf("delete: olcDbIndex\nolcDbIndex: %s\n-\nadd: olcDbIndex\nolcDbIndex: %s %s,%s\n",
			index.line, name, strings.Join(index.types, ","), types)
	}
	return text + fmt.Sprintf("add: olcDbIndex\nolcDbIndex: %s %s\n", name, types)
}
