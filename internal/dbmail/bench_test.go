package dbmail

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"gatepost/internal/testbed"
	"gatepost/schema"
)

// BenchmarkDeliver stores messages of 4 KB from 1, 8 and 32 sessions.
func BenchmarkDeliver(b *testing.B) {
	for _, size := range []int{4 << 10, 100 << 10} {
		for _, sessions := range []int{1, 8, 32} {
			b.Run(fmt.Sprintf("size=%dk/sessions=%d", size>>10, sessions), func(b *testing.B) {
				s := benchStore(b)
				var users []uint64
				for i := range 50 {
					u, err := s.AddUser(context.Background(), fmt.Sprintf("user%d", i), 0, nil)
					if err != nil {
						b.Fatal(err)
					}
					users = append(users, u.ID)
				}
				body := strings.Repeat("all work and no play makes jack a dull boy, says the proverb, again.\n", size/70)
				var n atomic.Int64
				b.SetParallelism((sessions + 1) / 2)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						k := n.Add(1)
						d := mail(plain(int(k))+fmt.Sprint(k)+body, "nora@sender.test", users[k%50])
						if out := s.Deliver(d); out[0].Err != nil {
							b.Error(out[0].Err)
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
				b.ReportMetric(float64(s.metrics.Messages.Load())/float64(s.metrics.Groups.Load()), "msg/group")
			})
		}
	}
}

func benchStore(b *testing.B) *Store {
	b.Helper()
	ctx := context.Background()
	dsn, err := ParseDSN(testbed.MariaDB(b).StoreDSN(b))
	if err != nil {
		b.Fatal(err)
	}
	db, err := OpenDB(ctx, dsn, "")
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if _, err := schema.Apply(ctx, db, schema.MySQL, schema.Options{Own: true}); err != nil {
		b.Fatal(err)
	}
	s, err := Open(ctx, dsn, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	return s
}
