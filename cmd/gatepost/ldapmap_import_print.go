package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"gatepost/ldapmap"
)

// print shows the plan as text that can be copied.
func (p *importPlan) print(w io.Writer) error {
	var b bytes.Buffer
	line := func(format string, args ...any) { fmt.Fprintf(&b, "%s\n", clean(fmt.Sprintf(format, args...))) }
	if len(p.places) == 0 {
		line("# There is no ldap: table in main.cf and master.cf.")
	}
	for _, note := range p.Notes {
		line("# note: %s", note)
	}
	if len(p.Tables) > 0 {
		p.printTables(line)
		p.printChanges(line)
	}
	if len(p.Left) > 0 {
		line("")
		line("# ---- stays as it is")
		for _, l := range p.Left {
			line("# %s: %s: %s", l.Place, l.Table, l.Why)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (p *importPlan) printTables(line func(string, ...any)) {
	line("# ---- %s", defaultLdapmap)
	line("[postfix]")
	for _, kv := range []struct {
		key   string
		value any
	}{
		{"recipient_delimiter", p.Postfix.RecipientDelimiter},
		{"mydestination", p.Postfix.Mydestination},
		{"myorigin", p.Postfix.Myorigin},
		{"inet_interfaces", p.Postfix.InetInterfaces},
		{"parent_domain_matches_subdomains", p.Postfix.ParentDomainMatchesSubdomains},
		{"propagate_unmatched_extensions", p.Postfix.PropagateUnmatchedExtensions},
		{"owner_request_special", p.Postfix.OwnerRequestSpecial},
		{"double_bounce_sender", p.Postfix.DoubleBounceSender},
	} {
		line("%s = %s", kv.key, tomlValue(kv.value))
	}
	for _, t := range p.Tables {
		line("")
		for _, place := range t.For {
			line("# for %s", place)
		}
		for _, why := range t.Refused {
			line("# REFUSED: %s", why)
		}
		for _, warning := range t.Warnings {
			line("# note: %s", warning)
		}
		line("[table.%s]", tomlKey(t.Name))
		line("file = %s", tomlValue(t.File))
		line("class = %s", tomlValue(string(t.Class)))
		if t.List != "" {
			line("list = %s", tomlValue(t.List))
		}
	}
	for _, t := range p.Tables {
		if t.Content != "" {
			line("")
			line("# ---- %s, from main.cf's %s_*", t.File, t.source)
			for l := range strings.Lines(t.Content) {
				line("%s", strings.TrimSuffix(l, "\n"))
			}
		}
	}
}

func (p *importPlan) printChanges(line func(string, ...any)) {
	classes := false
	for _, t := range p.Tables {
		classes = classes || t.Class != ldapmap.Exact
	}
	line("")
	line("# ---- main.cf and master.cf: what changes")
	if classes {
		line("# The lines that begin with #or: have Postfix try the keys: one round trip for")
		line("# each, and class = \"exact\" for the table.")
	}
	for _, c := range p.Changes {
		line("")
		line("# was: %s", c.Old)
		if c.Union == c.Class {
			line("# No class is for this place, so that Postfix tries the keys.")
		}
		line("%s", c.line(c.Class))
		if c.Union != c.Class {
			line("#or: %s", c.line(c.Union))
		}
	}
}

// tomlValue writes a string, a list of strings or a boolean. JSON's strings
// are TOML's basic ones (TOML 1.0), but for \u007f, which no value has.
func tomlValue(v any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if list, ok := v.([]string); ok {
		var parts []string
		for _, one := range list {
			parts = append(parts, tomlValue(one))
		}
		return "[" + strings.Join(parts, ", ") + "]"
	}
	_ = e.Encode(v) // strings and booleans always can be
	return strings.TrimSuffix(b.String(), "\n")
}

// tomlKey quotes a key where it is no bare one.
func tomlKey(key string) string {
	if strings.Trim(key, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") == "" {
		return key
	}
	return tomlValue(key)
}
