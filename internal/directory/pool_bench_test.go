package directory

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"gatepost/internal/testbed"

	"github.com/go-ldap/ldap/v3"
)

// BenchmarkPool asks one slapd from 50 goroutines at once: through the pool,
// and as 50 processes would, each with a connection of its own.
func BenchmarkPool(b *testing.B) {
	s := poolSlapd(b, testbed.SlapdOptions{LDIF: peopleLDIF(1000)})
	var n atomic.Int64
	address := func() string { return fmt.Sprintf("user%d@example.com", n.Add(1)%1000) }
	b.Run("shared", func(b *testing.B) {
		p := openPool(b, Settings{URIs: []string{s.URI()}})
		if err := p.Ready(context.Background()); err != nil {
			b.Fatal(err)
		}
		b.SetParallelism(25)
		b.ReportAllocs()
		b.ResetTimer()
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				a, err := p.Search(context.Background(), mailRequest(address()))
				if err != nil || len(a.Entries) != 1 {
					b.Errorf("%v, %v", a, err)
					return
				}
			}
		})
	})
	b.Run("one each", func(b *testing.B) {
		b.SetParallelism(25)
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			c, err := ldap.DialURL(s.URI())
			if err != nil {
				b.Error(err)
				return
			}
			defer c.Close()
			for pb.Next() {
				r, err := c.Search(ldap.NewSearchRequest("dc=example,dc=com", 2, 0, 0, 10, false,
					"(mail="+address()+")", []string{"uid", "mail"}, nil))
				if err != nil || len(r.Entries) != 1 {
					b.Errorf("%v, %v", r, err)
					return
				}
			}
		})
	})
}

// BenchmarkCodec is the part of a search that is ours: making the request and
// reading an answer of one entry.
func BenchmarkCodec(b *testing.B) {
	r := mailRequest("user7@example.com")
	b.Run("request", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := encodeSearch(r, 10); err != nil {
				b.Fatal(err)
			}
		}
	})
}
