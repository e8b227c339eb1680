package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"unicode"

	"gatepost/internal/daemon"
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
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	for _, row := range rows {
		for len(row) > 0 && row[len(row)-1] == "" {
			row = row[:len(row)-1] // no blanks at the end of a line
		}
		for i, cell := range row {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, clean(cell))
		}
		fmt.Fprint(t, "\n")
	}
	return t.Flush()
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

// sizeFlag is a number of bytes on the command line: "10M", "0".
type sizeFlag struct {
	bytes *int64
	set   *bool
}

// Set implements pflag.Value.
func (f sizeFlag) Set(text string) error {
	var size daemon.Size
	if err := size.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	*f.bytes = int64(size)
	if f.set != nil {
		*f.set = true
	}
	return nil
}

// String implements pflag.Value.
func (f sizeFlag) String() string {
	if f.bytes == nil || *f.bytes == 0 {
		return ""
	}
	return daemon.Size(*f.bytes).String()
}

// Type implements pflag.Value.
func (f sizeFlag) Type() string { return "SIZE" }

// plural is "1 message", "2 messages".
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
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
