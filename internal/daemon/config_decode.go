package daemon

import (
	"encoding"
	"fmt"
	"math"
	"net/netip"
	"reflect"
	"slices"
	"strings"
)

// Strings is a setting that takes one string or an array of them:
// recipients = "sql", recipients = ["directory", "sql"].
type Strings []string

// decoder carries a tree of TOML values into a struct. go-toml's own decoding
// ends at the first wrong type, and an administrator should not mend a file
// one error at a time.
type decoder struct {
	config *Config
	known  map[string]reflect.Type // all keys that the struct has
}

// table sets the fields of a struct from a TOML table.
func (d *decoder) table(key string, table map[string]any, into reflect.Value) {
	fields := tableFields(into.Type())
	for _, name := range sortedKeys(table) {
		field, ok := fields[name]
		if !ok {
			d.unknown(key, name, fields)
			continue
		}
		target, err := into.FieldByIndexErr(field.Index)
		if err != nil { // an embedded pointer that is nil
			d.bad(join(key, name), "cannot be set here")
			continue
		}
		d.value(join(key, name), table[name], target)
	}
}

// value sets one target of any kind.
func (d *decoder) value(key string, value any, into reflect.Value) {
	if into.Kind() == reflect.Pointer {
		if into.IsNil() {
			into.Set(reflect.New(into.Type().Elem()))
		}
		d.value(key, value, into.Elem())
		return
	}
	if reader, ok := into.Addr().Interface().(encoding.TextUnmarshaler); ok {
		d.text(key, value, reader)
		return
	}
	switch into.Kind() {
	case reflect.Struct:
		if table, ok := value.(map[string]any); ok {
			d.table(key, table, into)
			return
		}
	case reflect.Map:
		if table, ok := value.(map[string]any); ok {
			d.mapping(key, table, into)
			return
		}
	case reflect.Slice:
		if list, ok := value.([]any); ok {
			d.list(key, list, into)
			return
		}
		if _, ok := into.Interface().(Strings); ok {
			if s, ok := value.(string); ok {
				into.Set(reflect.ValueOf(Strings{s}))
				return
			}
		}
	case reflect.Interface:
		if into.NumMethod() == 0 {
			into.Set(reflect.ValueOf(value))
			return
		}
	default:
		if d.scalar(key, value, into) {
			return
		}
	}
	d.bad(key, "is %s, not %s; %s", kindOf(value), wanted(into.Type()), example(key, into.Type()))
}

// scalar sets a string, boolean or number, and says whether the value is one.
func (d *decoder) scalar(key string, value any, into reflect.Value) bool {
	switch v := value.(type) {
	case string:
		if into.Kind() == reflect.String {
			into.SetString(v)
			return true
		}
	case bool:
		if into.Kind() == reflect.Bool {
			into.SetBool(v)
			return true
		}
	case float64:
		if into.CanFloat() {
			into.SetFloat(v)
			return true
		}
	case int64:
		switch {
		case into.CanFloat():
			into.SetFloat(float64(v))
		case into.CanInt() && !into.OverflowInt(v):
			into.SetInt(v)
		case into.CanUint() && v >= 0 && !into.OverflowUint(uint64(v)):
			into.SetUint(uint64(v))
		case into.CanInt() || into.CanUint():
			low, high := limits(into.Type())
			d.bad(key, "%d is out of range; write a whole number from %s to %s", v, low, high)
		default:
			return false
		}
		return true
	}
	return false
}

// text sets a value that reads itself from text; a number is taken as it is
// written, so that a size may be given without quotes.
func (d *decoder) text(key string, value any, into encoding.TextUnmarshaler) {
	var text string
	switch v := value.(type) {
	case string:
		text = v
	case int64, float64:
		text = fmt.Sprint(v)
	default:
		d.bad(key, "is %s, not a string; write it in quotes", kindOf(value))
		return
	}
	if prefix, ok := into.(*netip.Prefix); ok {
		into = (*network)(prefix)
	}
	if err := into.UnmarshalText([]byte(text)); err != nil {
		d.bad(key, "%v", err)
	}
}

// list sets a slice, of which nothing that was in it remains.
func (d *decoder) list(key string, list []any, into reflect.Value) {
	slice := reflect.MakeSlice(into.Type(), len(list), len(list))
	for i, value := range list {
		d.value(fmt.Sprintf("%s[%d]", key, i), value, slice.Index(i))
	}
	into.Set(slice)
}

// mapping adds to a map whose keys are the administrator's, such as the
// sections [check.NAME].
func (d *decoder) mapping(key string, table map[string]any, into reflect.Value) {
	if into.IsNil() {
		into.Set(reflect.MakeMap(into.Type()))
	}
	for _, name := range sortedKeys(table) {
		index := reflect.ValueOf(name).Convert(into.Type().Key())
		element := reflect.New(into.Type().Elem()).Elem()
		if old := into.MapIndex(index); old.IsValid() {
			element.Set(old)
		}
		d.value(join(key, name), table[name], element)
		into.SetMapIndex(index, element)
	}
}

// bad adds a problem with a key's value.
func (d *decoder) bad(key, format string, args ...any) {
	d.config.Problem(key, format, args...)
	d.config.bad[key] = true
}

// network reads an allow-list entry: a prefix, or an address alone.
type network netip.Prefix

func (n *network) UnmarshalText(text []byte) error {
	if addr, err := netip.ParseAddr(string(text)); err == nil && addr.Zone() == "" {
		*n = network(netip.PrefixFrom(addr, addr.BitLen()))
		return nil
	}
	prefix, err := netip.ParsePrefix(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a network; write ADDRESS/BITS or an address, such as \"10.0.0.0/8\" or \"2001:db8::1\"", text)
	}
	if prefix != prefix.Masked() {
		return fmt.Errorf("%q has bits set beyond its length; write %q for the network or %q for the host", text, prefix.Masked(), prefix.Addr())
	}
	*n = network(prefix)
	return nil
}

func sortedKeys(table map[string]any) []string {
	keys := make([]string, 0, len(table))
	for key := range table {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// kindOf names the type of a TOML value.
func kindOf(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "a whole number"
	case float64:
		return "a number"
	case []any:
		return "an array"
	case map[string]any:
		return "a table"
	}
	return "a date or time"
}

// wanted names the type of a setting.
func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "a boolean"
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.Slice:
		if t == reflect.TypeFor[Strings]() {
			return "a string or an array of strings"
		}
		return "an array"
	case reflect.Struct, reflect.Map:
		return "a table"
	}
	return "a whole number"
}

// example shows how to write a setting of the type.
func example(key string, t reflect.Type) string {
	name := key[len(parent(key)):]
	name = strings.TrimPrefix(name, ".")
	if strings.HasPrefix(name, "[") {
		return "write " + sampleOf(t) + " in its place"
	}
	if t.Kind() == reflect.Struct || t.Kind() == reflect.Map {
		return "write a section [" + key + "]"
	}
	if t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct && !readsText(t.Elem()) {
		return "write sections [[" + key + "]]"
	}
	return "write " + name + " = " + sampleOf(t)
}

func sampleOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return `"…"`
	case reflect.Bool:
		return "true or false"
	case reflect.Float32, reflect.Float64:
		return "0.5"
	case reflect.Slice:
		return "[" + sampleOf(t.Elem()) + "]"
	case reflect.Struct, reflect.Map:
		return "{ key = value }"
	}
	return "10"
}

// limits gives the range of an integer type.
func limits(t reflect.Type) (low, high string) {
	bits := t.Bits()
	if t.Kind() >= reflect.Uint && t.Kind() <= reflect.Uintptr {
		return "0", fmt.Sprint(min(uint64(math.MaxUint64)>>(64-bits), math.MaxInt64))
	}
	return fmt.Sprint(int64(-1) << (bits - 1)), fmt.Sprint(int64(math.MaxInt64) >> (64 - bits))
}
