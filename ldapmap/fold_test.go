package ldapmap

import "testing"

func TestFold(t *testing.T) {
	for key, want := range map[string]string{
		"":                     "",
		"alice@example.com":    "alice@example.com",
		"Alice@EXAMPLE.Com":    "alice@example.com",
		"STRAßE@X":             "strasse@x",
		"ẞ":                    "ss",
		"ΣΊΣΥΦΟΣ":              "σίσυφοσ",
		"σίσυφος":              "σίσυφοσ",
		"\u212Aelvin":          "kelvin", // Kelvin sign
		"İstanbul":             "i\u0307stanbul",
		"ıstanbul":             "ıstanbul",
		"ÉCOLE":                "école",
		"E\u0301cole":          "e\u0301cole", // not composed
		"ﬃ":                    "ffi",
		"ŉ":                    "ʼn",
		"📧@X":                  "📧@x",
		"\"Quoted User\"@X":    "\"quoted user\"@x",
		"ПОЧТА@Example.NET":    "почта@example.net",
		"user\u00ad@x\u200d.Y": "user\u00ad@x\u200d.y", // nothing is taken out
	} {
		if got, ok := Fold(key); got != want || !ok {
			t.Errorf("%q: %q, %v; want %q", key, got, ok, want)
		}
	}
	for _, key := range []string{"\xff", "j\xfcrgen", "A\xc0\xaf", "\xed\xa0\x80"} {
		if got, ok := Fold(key); ok || got != key {
			t.Errorf("%q: %q, %v", key, got, ok)
		}
	}
}
