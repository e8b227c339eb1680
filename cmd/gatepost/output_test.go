//go:build !dmz

package main

import (
	"bytes"
	"testing"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"Grüße, Анна 🙂":    "Grüße, Анна 🙂",
		"a\x1b[2Jb":        "a\uFFFD[2Jb",
		"a\tb\nc\rd\x00":   "a\uFFFDb\uFFFDc\uFFFDd\uFFFD",
		"\u009b31mred":     "\uFFFD31mred",
		"evil\u202egnp":    "evil\uFFFDgnp", // right-to-left override
		"not UTF-8: \xff.": "not UTF-8: \uFFFD.",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestPrintTable(t *testing.T) {
	var b bytes.Buffer
	if err := printTable(&b, []string{"  a", "1"}, []string{"  long"}, []string{"  b", "22", "x"}, []string{"  ü", "", "y"}); err != nil {
		t.Fatal(err)
	}
	want := "" +
		"  a     1\n" +
		"  long\n" +
		"  b     22  x\n" +
		"  ü         y\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

func TestSize(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0", 1023: "1023", 1024: "1.0K", 1536: "1.5K", 10 << 20: "10.0M", 3 << 40: "3.0T", 5 << 50: "5120.0T"} {
		if got := size(bytes); got != want {
			t.Errorf("size(%d) = %s, want %s", bytes, got, want)
		}
	}
}
