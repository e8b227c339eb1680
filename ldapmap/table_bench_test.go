package ldapmap

import (
	"context"
	"testing"

	"gatepost/internal/directory"
)

// A look-up whose answer is in the cache costs little more than this.
func BenchmarkTable(b *testing.B) {
	f := &benchDirectory{&directory.Answer{Entries: []*directory.Entry{entry("cn=a", "maildrop", "alice@mx.example.com")}}}
	table := NewTable(parse(b, "search_base = dc=example,dc=com", "query_filter = (&(objectClass=x)(mail=%s))"), f)
	b.ReportAllocs()
	for b.Loop() {
		if _, found, err := table.Lookup(b.Context(), "alice@example.com"); err != nil || !found {
			b.Fatal(found, err)
		}
	}
}

// benchDirectory always gives the same.
type benchDirectory struct{ answer *directory.Answer }

func (d *benchDirectory) Search(context.Context, *directory.Request) (*directory.Answer, error) {
	return d.answer, nil
}
