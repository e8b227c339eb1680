package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"
)

// printJSON writes a value for programs, indented for those who look at it.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printTable writes rows in aligned columns. Cells may come from anywhere.
func printTable(w io.Writer, rows ...[]string) error {
	columns := 0
	for _, row := range rows {
		columns = max(columns, len(row))
	}
	var text bytes.Buffer
	t := tabwriter.NewWriter(&text, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		for i := range columns { // all rows alike, or columns end at a short one
			if i < len(row) {
				_, _ = io.WriteString(t, clean(row[i])) // into memory
			}
			_, _ = io.WriteString(t, "\t")
		}
		_, _ = io.WriteString(t, "\n")
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for line := range strings.Lines(text.String()) {
		if _, err := io.WriteString(w, strings.TrimRight(line, " \n")+"\n"); err != nil {
			return err
		}
	}
	return nil
}

// clean makes foreign text fit for a terminal: what mail brings along must
// neither move the cursor nor turn the line around.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '\uFFFD'
	}, s)
}

// pluralOf is "1 entry", "2 entries".
func pluralOf(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// size is a number of bytes for people: exact, with a round one beside it
// from a kibibyte on.
func size(bytes int64) string {
	const units = "KMGT"
	v, unit := float64(bytes), -1
	for v >= 1024 && unit < len(units)-1 {
		v, unit = v/1024, unit+1
	}
	if unit < 0 {
		return fmt.Sprint(bytes)
	}
	return fmt.Sprintf("%.1f%c", v, units[unit])
}
