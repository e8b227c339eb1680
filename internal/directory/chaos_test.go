package directory

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// TestChaos lets faults of all kinds strike one after the other, and together,
// on two ways to a server, while many search. Each answer is the truth.
func TestChaos(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	known := truths(t, s.URI())
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	proxies := []*faultProxy{startFaultProxy(t, s.Addr()), startFaultProxy(t, s.Addr())}
	p := openPool(t, Settings{URIs: []string{proxies[0].uri(), proxies[1].uri()}, Timeout: 5 * time.Second, MaxIdle: 50 * time.Millisecond,
		Bind: Bind{Method: BindSimple, DN: "uid=user1,ou=people,dc=example,dc=com", Password: Password("secret1")}, pace: hurry})
	var all sync.WaitGroup
	var ended atomic.Bool
	var asked, answered atomic.Int64
	for client := range 20 {
		all.Go(func() {
			for i := client; !ended.Load(); i++ {
				q := known[i%len(known)]
				got, err := findIn(p, q.request)
				asked.Add(1)
				switch {
				case err == nil && got != q.answer:
					t.Errorf("%s: answered %q instead of %q", q.request.Filter, got, q.answer)
				case err == nil:
					answered.Add(1)
				case errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) || errors.Is(err, ErrNoBase):
					time.Sleep(time.Millisecond)
				default:
					t.Errorf("%s: an error without a reason: %v", q.request.Filter, err)
				}
			}
		})
	}
	var said string
	for range 60 {
		one := plan{at: allPoints[random.IntN(len(allPoints))], what: allFaults[random.IntN(len(allFaults))],
			code: resultCodes[random.IntN(len(resultCodes))], bytes: random.IntN(120), times: random.IntN(6) - 1}
		if one.at == insideMessage {
			one.what = ends[random.IntN(len(ends))]
		}
		proxies[random.IntN(2)].set(one)
		said += fmt.Sprintf("%v, %d times, code %d\n", one, one.times, one.code)
		from := asked.Load()
		until(t, "some searches have met it", func() bool { return asked.Load() > from+int64(random.IntN(80)) })
	}
	for _, one := range proxies {
		one.set(plan{})
	}
	from := answered.Load()
	until(t, "all is answered again", func() bool { return answered.Load() > from+500 })
	ended.Store(true)
	all.Wait()
	for _, one := range proxies {
		if _, most, _ := one.counts(); most > MaxConnections {
			t.Errorf("%d connections at once", most)
		}
	}
	if t.Failed() {
		t.Logf("the faults were\n%s", said)
	}
}
