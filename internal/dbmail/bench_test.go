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

// BenchmarkDirectoryUsers delivers as BenchmarkDeliver does, each message after
// the question whose it is: to users of the store's own, and to the
// directory's.
func BenchmarkDirectoryUsers(b *testing.B) {
	for _, kind := range []string{"sql", "directory"} {
		for _, sessions := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/sessions=%d", kind, sessions), func(b *testing.B) {
				s := benchStore(b)
				ctx := context.Background()
				ask := func(k int64) (u User, err error) {
					r, err := s.Lookup(ctx, fmt.Sprintf("user%d@example.org", k))
					if err == nil {
						u = r.Users[0]
					}
					return u, err
				}
				if kind == "directory" {
					ask = func(k int64) (User, error) {
						users, errs := s.Identify(ctx, []*Identity{{ID: uint64(10000 + k), Login: fmt.Sprintf("user%d", k), UUID: fmt.Sprintf("uuid-%d", k)}})
						return users[0], errs[0]
					}
				}
				for k := range int64(50) {
					if kind == "sql" {
						if _, err := s.AddUser(ctx, fmt.Sprintf("user%d", k), 0, []string{fmt.Sprintf("user%d@example.org", k)}); err != nil {
							b.Fatal(err)
						}
					}
					u, err := ask(k)
					if err != nil {
						b.Fatal(err)
					}
					if out := s.Deliver(to(u, int(k))); out[0].Err != nil { // the row and INBOX
						b.Fatal(out[0].Err)
					}
				}
				var n atomic.Int64
				b.SetParallelism((sessions + 1) / 2)
				b.ResetTimer()
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						k := n.Add(1)
						u, err := ask(k % 50)
						if err != nil {
							b.Error(err)
							return
						}
						if out := s.Deliver(to(u, int(k)+1000)); out[0].Err != nil {
							b.Error(out[0].Err)
						}
					}
				})
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
			})
		}
	}
}

// to makes a delivery of 4 KB to a user.
func to(u User, n int) *Delivery {
	d := mail(plain(n)+strings.Repeat("all work and no play makes jack a dull boy, says the proverb, again.\n", 58), "nora@sender.test")
	d.Targets = []Target{{UserID: u.ID, Identity: u.Identity}}
	return d
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
