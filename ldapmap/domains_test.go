package ldapmap

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestDomains(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"list":  "# no.example\n  one.example, .two.example\n!three.example\n",
		"more":  "@/list\nfour.example",
		"loop":  "@/loop",
		"table": "  nothing before\nOne.example x\ntwo.example\n # comment\n  continued\nthree.example\tx y\nfour.example\n",
	} {
		text = strings.ReplaceAll(text, "@", dir)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	asked := []string{"one.example", "two.example", "x.two.example", "three.example", "four.example"}
	for _, c := range []struct{ list, want string }{ // + matches, - does not, ! fails, for each asked
		{"one.example two.example", "++---"},
		{"ONE.example\t,TWO.example", "++---"},
		{"!one.example one.example two.example", "-+---"},
		{"!!one.example", "+----"},
		{".two.example", "-----"},
		{"@/list", "+----"},
		{"!@/list three.example", "---+-"},
		{"@/more", "+---+"},
		{"texthash:@/table", "-+-+-"},
		{"hash:@/table", "++-+-"},
		{"!hash:@/table one.example four.example", "----+"},
		{"proxy:btree:@/table", "++-+-"},
		{"one.example fail:x", "+!!!!"},
		{"[a:b] one.example", "+----"},
		{",", "-----"},
	} {
		l, err := newDomainList(strings.ReplaceAll(c.list, "@", dir))
		if err != nil {
			t.Errorf("%q: %v", c.list, err)
			continue
		}
		got := ""
		for _, domain := range asked {
			yes, err := l.match(domain)
			switch {
			case err != nil && !yes:
				got += "!"
			case yes:
				got += "+"
			default:
				got += "-"
			}
		}
		if got != c.want || !l.given {
			t.Errorf("%q: %s, want %s", c.list, got, c.want)
		}
	}
	for _, list := range []string{"!", "a !", "/nonexistent", "@", "@/loop", "texthash:/nonexistent", "hash:@", "pcre:@/table", "inline:{a=b}", "texthash:"} {
		if _, err := newDomainList(strings.ReplaceAll(list, "@", dir)); err == nil {
			t.Errorf("%q: no error", list)
		}
	}
	if l, err := newDomainList(""); err != nil || l.given {
		t.Errorf("no list: %+v, %v", l, err)
	}
	l, err := newDomainList(fmt.Sprintf("hash:%s/table", dir))
	if err != nil || len(l.notes) != 2 {
		t.Errorf("notes: %q, %v", l.notes, err)
	}
}
