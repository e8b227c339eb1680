package directory

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// hurry makes tests of hanging servers quick.
var hurry = pace{quiet: 40 * time.Millisecond, hung: 300 * time.Millisecond, retry: 30 * time.Millisecond, refused: 60 * time.Millisecond}

// until waits for a condition.
func until(t testing.TB, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after 30 s still not: %s", what)
		}
	}
}

// truth is what a healthy server says to a search.
type truth struct {
	request *Request
	answer  string
}

// truths are searches of one, of many and of no entries.
func truths(t testing.TB, uri string) []truth {
	t.Helper()
	p := openPool(t, Settings{URIs: []string{uri}})
	ten := mailRequest("alias1*")
	ten.Filter = "(mail=alias1*)"
	requests := []*Request{mailRequest("user7@example.com"), ten, mailRequest("nobody@example.com")}
	var all []truth
	for _, r := range requests {
		answer, err := findIn(p, r)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, truth{r, answer})
	}
	if all[0].answer != user7 || strings.Count(all[1].answer, "\n") != 11 || all[2].answer != "" {
		t.Fatalf("the healthy server answers %v", all)
	}
	return all
}

// resultCodes of RFC 4511 that a server may answer with instead of success.
var resultCodes = []int{1, 2, 3, 4, 7, 8, 10, 11, 12, 21, 32, 34, 48, 49, 50, 51, 52, 53, 54, 80, 118, 4096}

// TestFaults injects each fault at each point and asks from several sides.
// There is the whole answer or an error, never less; and when the fault is
// over everything is answered again.
func TestFaults(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	known := truths(t, s.URI())
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	t.Logf("seed %d", seed)
	binds := []Bind{{}, {Method: BindSimple, DN: "uid=user1,ou=people,dc=example,dc=com", Password: Password("secret1")}}
	for _, at := range allPoints {
		for _, what := range allFaults {
			if at == insideMessage && !slices.Contains(ends, what) {
				continue // half a message and then others: nobody could tell
			}
			often := []int{1, 3, -1}
			if what == hangs || what == freezes { // these take their time
				often = often[random.IntN(3):][:1]
			}
			for _, times := range often {
				one := plan{at: at, what: what, times: times, bytes: random.IntN(120), code: resultCodes[random.IntN(len(resultCodes))]}
				bind := binds[random.IntN(2)]
				if at == atBind || at == atBindAnswer {
					bind = binds[1]
				}
				backup := random.IntN(2) == 0
				t.Run(fmt.Sprintf("%v/%d times,code %d,bytes %d,bind %d,backup %v", one, times, one.code, one.bytes, bind.Method, backup), func(t *testing.T) {
					t.Parallel()
					testFault(t, s, known, one, bind, backup)
				})
			}
		}
	}
}

func testFault(t *testing.T, s *testbed.SlapdServer, known []truth, one plan, bind Bind, backup bool) {
	proxy := startFaultProxy(t, s.Addr())
	uris := []string{proxy.uri()}
	if backup {
		uris = append(uris, s.URI())
	}
	p := openPool(t, Settings{URIs: uris, Bind: bind, Timeout: 5 * time.Second, ConnectTimeout: time.Second, pace: hurry})
	harmless := false
	switch one.at {
	case atConnect, atBind, atBindAnswer:
	default:
		until(t, "the pool is ready", func() bool { return p.Ready(t.Context()) == nil })
		// One connection lost, and the server is there: nobody needs to know.
		harmless = one.times == 1 && one.what != answers && one.what != freezes
	}
	proxy.set(one)
	var all sync.WaitGroup
	for client := range 4 {
		all.Go(func() {
			for i := range 6 {
				q := known[(client+i)%len(known)]
				got, err := findIn(p, q.request)
				if err == nil && got != q.answer {
					t.Errorf("%s: answered %q instead of %q", q.request.Filter, got, q.answer)
				}
				if err != nil && harmless {
					t.Errorf("%s: one fault was enough for an error: %v", q.request.Filter, err)
				}
				if err != nil && !errors.Is(err, ErrUnavailable) && !errors.Is(err, ErrRefused) && !errors.Is(err, ErrNoBase) {
					t.Errorf("%s: an error without a reason: %v", q.request.Filter, err)
				}
			}
		})
	}
	all.Wait()
	proxy.set(plan{})
	until(t, "the first server is used again", func() bool {
		return slices.ContainsFunc(p.Stats().Servers[:1], func(s ServerStats) bool { return s.State == "up" && s.Connections > 0 })
	})
	for _, q := range known {
		until(t, "all is answered again", func() bool {
			got, err := findIn(p, q.request)
			if err == nil && got != q.answer {
				t.Errorf("%s: afterwards answered %q instead of %q", q.request.Filter, got, q.answer)
			}
			return err == nil
		})
	}
	if _, most, _ := proxy.counts(); most > MaxConnections {
		t.Errorf("%d connections at once", most)
	}
}
