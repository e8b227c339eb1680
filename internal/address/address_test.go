package address

import "testing"

func TestSplit(t *testing.T) {
	for _, c := range []struct {
		in, local, domain string
		ok                bool
	}{
		{"alice@example.org", "alice", "example.org", true},
		{"a@b@example.org", "a@b", "example.org", true},
		{"@example.org", "", "example.org", true},
		{"info@", "info", "", true},
		{"alice", "alice", "", false},
		{"", "", "", false},
	} {
		local, domain, ok := Split(c.in)
		if local != c.local || domain != c.domain || ok != c.ok {
			t.Errorf("Split(%q) = %q, %q, %v", c.in, local, domain, ok)
		}
	}
}

func TestCutDetail(t *testing.T) {
	for _, c := range []struct {
		in, base, detail string
		found            bool
	}{
		{"alice+Notes@example.org", "alice@example.org", "Notes", true},
		{"alice+a+b@example.org", "alice@example.org", "a+b", true},
		{"alice+@example.org", "alice@example.org", "", true},
		{"alice@example.org", "alice@example.org", "", false},
		{"+Box@example.org", "+Box@example.org", "", false},
		{"alice+Box", "alice+Box", "", false},
		{"alice@exa+mple.org", "alice@exa+mple.org", "", false},
		{"alice+x@y@example.org", "alice@example.org", "x@y", true},
	} {
		base, detail, found := CutDetail(c.in)
		if base != c.base || detail != c.detail || found != c.found {
			t.Errorf("CutDetail(%q) = %q, %q, %v", c.in, base, detail, found)
		}
	}
}

func FuzzCutDetail(f *testing.F) {
	f.Add("alice+Notes@example.org")
	f.Add("+@")
	f.Fuzz(func(t *testing.T, in string) {
		base, detail, found := CutDetail(in)
		if !found && (base != in || detail != "") {
			t.Errorf("CutDetail(%q) changed what it did not find: %q, %q", in, base, detail)
		}
		if found && len(base)+len(detail)+1 != len(in) {
			t.Errorf("CutDetail(%q) lost octets: %q, %q", in, base, detail)
		}
	})
}
