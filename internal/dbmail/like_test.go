package dbmail

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func likeText(text, pattern string) bool {
	return like([]rune(foldText(text)), []rune(foldText(pattern)))
}

func TestLike(t *testing.T) {
	for _, c := range []struct {
		text, pattern string
		want          bool
	}{
		{"", "", true},
		{"", "%", true},
		{"", "_", false},
		{"a", "", false},
		{"Invoice 17", "invoice%", true},
		{"Your invoice 17", "invoice%", false},
		{"Your invoice 17", "%INVOICE%", true},
		{"Your invoice 17", "%invoice", false},
		{"100% wool", `100\%%`, true},
		{"100 percent wool", `100\%%`, false},
		{"a_b", `a\_b`, true},
		{"axb", `a\_b`, false},
		{"axb", "a_b", true},
		{`a\b`, `a\\b`, true},
		{`a\`, `a\`, true},
		{"ab", `\a\b`, true},
		{"a\r\n\tb", "a%b", true},
		{"aXbXc", "a%X%c", true},
		{"aaab", "%aab", true},
		{"mississippi", "m%iss%ip%i", true},
		{"mississippi", "m%iss%ipp", false},
		{"Grüße", "GRUSE", true},
		{"Grüße", "gr_sse", false},
		{"école", "E%", true},
		{"ИТОГ", "итог", true},
		{"й", "и", false},
		{"日本", "__", true},
		{"a ", "a", false},
		{" <nora@sender.test>", "%nora@sender.test%", true},
		{" <nora@sender.test>", "nora@sender.test", false},
	} {
		if got := likeText(c.text, c.pattern); got != c.want {
			t.Errorf("%q LIKE %q: %v", c.text, c.pattern, got)
		}
	}
}

// The server is the judge, of chosen and of random pairs.
func TestLikeAsTheServer(t *testing.T) {
	s := mariaStore(t, Options{})
	type pair struct{ text, pattern string }
	var pairs []pair
	texts := []string{"", "a", "A b", `\`, `a\%`, "%", "_", "é", "Ärger", "straße", "100%", "a\r\nb", "λόγος", "итог", "й", "日本", "aab"}
	for _, text := range texts {
		for _, pattern := range []string{"", "%", "_", `\`, `\\`, `\%`, `%\`, `%\%`, `\_`, "a%", "%a", "A_B", "%r%", "e", "arger", "STRASE", "stra_e", "ΛΟΓΟΣ", "ИТОГ", "и", "__", "%%", "%_", "_%", "a a"} {
			pairs = append(pairs, pair{text, pattern})
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func(letters []rune, n int) string {
		var b strings.Builder
		for range random.IntN(n) {
			b.WriteRune(letters[random.IntN(len(letters))])
		}
		return b.String()
	}
	for range 3000 {
		pairs = append(pairs, pair{pick([]rune(`aAbä%_\`), 8), pick([]rune(`aaB%%__\á`), 7)})
	}
	// Every letter that people write filters with, against its neighbours.
	for r := rune(0xC0); r < 0x220; r++ {
		for _, base := range "aceinosuyz" {
			pairs = append(pairs, pair{string(r), string(base)})
		}
	}
	for _, span := range [][2]rune{{0x386, 0x3CF}, {0x400, 0x460}} {
		for r := span[0]; r < span[1]; r++ {
			for _, other := range "αεηιουωИеукг" {
				pairs = append(pairs, pair{string(r), string(other)})
			}
		}
	}
	_ = chunked(pairs, 200, func(pairs []pair) error {
		var args []any
		got := make([]bool, len(pairs))
		var dest []any
		for i, p := range pairs {
			args = append(args, p.text, p.pattern)
			dest = append(dest, &got[i])
		}
		query := "SELECT " + strings.TrimSuffix(strings.Repeat("? LIKE ?,", len(pairs)), ",")
		if err := s.db.QueryRow(query, args...).Scan(dest...); err != nil {
			t.Fatal(err)
		}
		for i, p := range pairs {
			if want := likeText(p.text, p.pattern); got[i] != want {
				t.Errorf("%q LIKE %q: the server says %v", p.text, p.pattern, got[i])
			}
		}
		return nil
	})
}

// slowLike is what LIKE means, word by word.
func slowLike(text, pattern []rune) bool {
	switch {
	case len(pattern) == 0:
		return len(text) == 0
	case pattern[0] == '%':
		for i := range len(text) + 1 {
			if slowLike(text[i:], pattern[1:]) {
				return true
			}
		}
		return false
	case pattern[0] == '_':
		return len(text) > 0 && slowLike(text[1:], pattern[1:])
	case pattern[0] == '\\' && len(pattern) > 1:
		pattern = pattern[1:]
	}
	return len(text) > 0 && text[0] == pattern[0] && slowLike(text[1:], pattern[1:])
}

func FuzzLike(f *testing.F) {
	f.Add("Your invoice", "%inv_ice%")
	f.Add(`a\%b`, `a\\\%_`)
	f.Add("aaaaaaaa", "%a%a%a")
	f.Fuzz(func(t *testing.T, text, pattern string) {
		if len(text) > 40 || len(pattern) > 12 {
			return
		}
		a, p := []rune(foldText(text)), []rune(foldText(pattern))
		if got, want := like(a, p), slowLike(a, p); got != want {
			t.Errorf("%q LIKE %q: %v, want %v", text, pattern, got, want)
		}
		if utf8.ValidString(text) && len(a) != utf8.RuneCountInString(text) {
			t.Errorf("folding changes the number of characters of %q", text)
		}
	})
}
