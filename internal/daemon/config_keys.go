package daemon

import (
	"encoding"
	"reflect"
	"slices"
	"strings"
)

// tableFields gives the settings of a struct by their TOML key, those of
// embedded structs included. Unexported fields and those tagged "-" are none.
func tableFields(t reflect.Type) map[string]reflect.StructField {
	fields := map[string]reflect.StructField{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("toml"), ",")
		if !f.IsExported() || name == "-" || (f.Anonymous && name == "") {
			continue
		}
		if name == "" {
			name = strings.ToLower(f.Name)
		}
		fields[name] = f
	}
	return fields
}

// knownKeys gives every dotted key that a struct has, as far as the struct
// fixes their names.
func knownKeys(t reflect.Type, prefix string) map[string]reflect.Type {
	known := map[string]reflect.Type{}
	for name, f := range tableFields(t) {
		key := join(prefix, name)
		known[key] = f.Type
		if f.Type.Kind() == reflect.Struct && !readsText(f.Type) {
			for k, v := range knownKeys(f.Type, key) {
				known[k] = v
			}
		}
	}
	return known
}

// readsText says whether values of the type are written as strings.
func readsText(t reflect.Type) bool {
	return reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]())
}

// unknown adds the problem of a key that no field has, with the key that was
// probably meant.
func (d *decoder) unknown(table, name string, fields map[string]reflect.StructField) {
	var here, elsewhere []string
	for field := range fields {
		here = append(here, field)
	}
	for key := range d.known {
		if strings.HasSuffix(key, "."+name) || key == name {
			elsewhere = append(elsewhere, key)
		}
	}
	slices.Sort(elsewhere)
	key := join(table, name)
	switch nearest := nearest(name, here); {
	case nearest != "":
		d.bad(key, "unknown key; did you mean %s?", nearest)
	case len(elsewhere) > 0 && parent(elsewhere[0]) == "":
		d.bad(key, "unknown key in [%s]; move it above the first section", table)
	case len(elsewhere) > 0:
		d.bad(key, "unknown key here; move it to the section [%s]", parent(elsewhere[0]))
	default:
		slices.Sort(here)
		d.bad(key, "unknown key; known here: %s", strings.Join(here, ", "))
	}
}

// nearest gives the name that differs by the fewest edits, if they are few for
// its length.
func nearest(name string, names []string) string {
	best, bestEdits := "", 1+max(1, len(name)/3)
	slices.Sort(names)
	for _, candidate := range names {
		if n := edits(name, candidate); n < bestEdits {
			best, bestEdits = candidate, n
		}
	}
	return best
}

// edits counts the insertions, deletions, replacements and swaps of neighbours
// that turn a into b.
func edits(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row := make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}
