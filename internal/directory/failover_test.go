package directory

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatepost/internal/daemon"
	"gatepost/internal/testbed"
)

// load asks for known and unknown addresses from ten sides until stopped.
// An answer that is not the truth is an error of the test; the returned
// counter counts searches without an answer.
func load(t *testing.T, p *Pool) (stop func(), asked, failed *atomic.Int64) {
	var all sync.WaitGroup
	var ended atomic.Bool
	asked, failed = new(atomic.Int64), new(atomic.Int64)
	for client := range 10 {
		all.Go(func() {
			for i := client; !ended.Load(); i++ {
				request, want := mailRequest("user7@example.com"), user7
				if i%4 == 0 {
					request, want = mailRequest("nobody@example.com"), ""
				}
				got, err := findIn(p, request)
				asked.Add(1)
				switch {
				case err == nil && got != want:
					t.Errorf("%s: answered %q instead of %q", request.Filter, got, want)
				case err != nil && !errors.Is(err, ErrUnavailable):
					t.Errorf("%s: %v", request.Filter, err)
				case err != nil:
					failed.Add(1)
					time.Sleep(time.Millisecond)
				}
			}
		})
	}
	stop = sync.OnceFunc(func() {
		ended.Store(true)
		all.Wait()
	})
	t.Cleanup(stop)
	return stop, asked, failed
}

// more waits until some more searches have been made.
func more(t *testing.T, asked *atomic.Int64) {
	t.Helper()
	from := asked.Load()
	until(t, "more searches are made", func() bool { return asked.Load() > from+200 })
}

func answeredBy(p *Pool, uri string) func() bool {
	return func() bool {
		a, err := p.Search(context.Background(), mailRequest("user7@example.com"))
		return err == nil && a.Server == uri
	}
}

// TestFailover loses the first of two servers in several ways, under load.
// No search fails, and the first is used again when it is back.
func TestFailover(t *testing.T) {
	first, second := poolSlapd(t, testbed.SlapdOptions{}), poolSlapd(t, testbed.SlapdOptions{})
	p := openPool(t, Settings{URIs: []string{first.URI(), second.URI()}})
	until(t, "both are connected", func() bool {
		st := p.Stats().Servers
		return st[0].State == "up" && st[1].State == "up"
	})
	if !answeredBy(p, first.URI())() {
		t.Fatal("the first server does not answer")
	}
	stop, asked, failed := load(t, p)
	for _, fault := range []struct {
		name       string
		does, ends func()
	}{
		{"killed", first.Kill, func() { restart(t, first) }},
		{"stopped", first.Stop, func() { restart(t, first) }},
		{"frozen", first.Pause, first.Resume},
	} {
		more(t, asked)
		fault.does()
		until(t, fault.name+": the second answers", answeredBy(p, second.URI()))
		more(t, asked)
		fault.ends()
		until(t, fault.name+": the first answers again", answeredBy(p, first.URI()))
		if n := failed.Load(); n > 0 {
			t.Errorf("%s: %d of %d searches failed", fault.name, n, asked.Load())
		}
	}
	stop()
	if st := p.Stats(); st.Hedged == 0 || st.Retried == 0 {
		t.Errorf("nothing was hedged or retried: %+v", st)
	}
}

func restart(t *testing.T, s *testbed.SlapdServer) {
	t.Helper()
	if err := s.Restart(); err != nil {
		t.Error(err)
	}
}

// TestOneServer loses the only server. Searches fail, none is answered
// wrongly, and they cause no more connections than the timer does.
func TestOneServer(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	p := openPool(t, Settings{URIs: []string{s.URI()}})
	state := func(want string) func() bool {
		return func() bool { return p.Stats().Servers[0].State == want }
	}
	_, asked, failed := load(t, p)
	for _, fault := range []struct {
		name       string
		does, ends func()
	}{
		{"killed", s.Kill, func() { restart(t, s) }},
		{"frozen", s.Pause, s.Resume},
	} {
		more(t, asked)
		fault.does()
		until(t, fault.name+": it is known to be down", state("down"))
		before, attempts := failed.Load(), p.Stats().Servers[0].Failures
		until(t, fault.name+": searches fail", func() bool { return failed.Load() > before+1000 })
		if n := p.Stats().Servers[0].Failures - attempts; n > 300 {
			t.Errorf("%s: 1000 searches made %d attempts", fault.name, n)
		}
		fault.ends()
		until(t, fault.name+": it is up again", state("up"))
		until(t, fault.name+": it answers again", answeredBy(p, s.URI()))
	}
}

// TestAllDown starts with servers that are not there.
func TestAllDown(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	s.Kill()
	p := openPool(t, Settings{URIs: []string{s.URI(), "ldapi:///nowhere/at/all"}})
	if _, err := findIn(p, mailRequest("user7@example.com")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("search: %v", err)
	}
	if err := p.Ready(context.Background()); !errors.Is(err, ErrUnavailable) {
		t.Errorf("ready: %v", err)
	}
	restart(t, s)
	until(t, "it answers", answeredBy(p, s.URI()))
	if err := p.Ready(context.Background()); err != nil {
		t.Errorf("ready: %v", err)
	}
	p.Close()
	if _, err := findIn(p, mailRequest("user7@example.com")); !errors.Is(err, ErrUnavailable) {
		t.Errorf("search in a closed pool: %v", err)
	}
}

// TestIdleClosed lets the server close what is idle, as many do.
func TestIdleClosed(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{Global: []string{"idletimeout 1"}})
	p := openPool(t, Settings{URIs: []string{s.URI()}})
	for range 2 {
		lost := p.Stats().Servers[0].Failures
		until(t, "the server has closed the connection", func() bool { return p.Stats().Servers[0].Failures > lost })
		if got, err := findIn(p, mailRequest("user7@example.com")); err != nil || got != user7 {
			t.Errorf("after that: %q, %v", got, err)
		}
	}
}

// TestHalfOpen has connections that are silently dead, as behind a firewall
// that forgot them: found by a probe before any search, and by a search.
func TestHalfOpen(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	proxy := startFaultProxy(t, s.Addr())
	p := openPool(t, Settings{URIs: []string{proxy.uri()}, MaxIdle: 100 * time.Millisecond, pace: hurry})
	if err := p.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	proxy.set(plan{at: atRequest, what: hangs, times: 1})
	until(t, "a new connection has taken the place of the dead one", func() bool {
		accepted, _, _ := proxy.counts()
		return accepted == 2 && p.Stats().Servers[0].Failures > 0
	})
	if got, err := findIn(p, mailRequest("user7@example.com")); err != nil || got != user7 {
		t.Errorf("after the probe: %q, %v", got, err)
	}
	p = openPool(t, Settings{URIs: []string{proxy.uri()}, MaxIdle: time.Hour, pace: hurry})
	if err := p.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	proxy.set(plan{at: beforeAnswer, what: hangs, times: 1})
	if got, err := findIn(p, mailRequest("user7@example.com")); err != nil || got != user7 {
		t.Errorf("by the search: %q, %v", got, err)
	}
}

// TestSlowIsNotDead asks for what takes the server longer than a connection
// may be silent. As it answers the probe nothing is asked twice.
func TestSlowIsNotDead(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	proxy := startFaultProxy(t, s.Addr())
	p := openPool(t, Settings{URIs: []string{proxy.uri(), s.URI()}, pace: hurry})
	until(t, "the first is up", func() bool { return p.Stats().Servers[0].State == "up" })
	release := proxy.delay(1)
	var got string
	var err error
	var all sync.WaitGroup
	all.Go(func() { got, err = findIn(p, mailRequest("user7@example.com")) })
	probes := proxy.probed()
	until(t, "the connection has been probed more than once", func() bool { return proxy.probed() > probes+2 })
	release()
	all.Wait()
	if st := p.Stats(); err != nil || got != user7 || st.Hedged != 0 || st.Servers[0].Failures != 0 {
		t.Errorf("%q, %v, %+v", got, err, st)
	}
}

// TestRequestDeadline bounds a search on a server that never answers it, but
// lives.
func TestRequestDeadline(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	proxy := startFaultProxy(t, s.Addr())
	p := openPool(t, Settings{URIs: []string{proxy.uri()}, Timeout: 300 * time.Millisecond})
	if err := p.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	release := proxy.delay(2)
	defer release()
	if _, err := p.Search(context.Background(), mailRequest("user7@example.com")); !errors.Is(err, ErrUnavailable) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("own time-out: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(50*time.Millisecond, cancel)
	if _, err := p.Search(ctx, mailRequest("user7@example.com")); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	until(t, "both have been abandoned", func() bool {
		proxy.mu.Lock()
		defer proxy.mu.Unlock()
		return proxy.abandons == 2
	})
	if got, err := findIn(p, mailRequest("user7@example.com")); err != nil || got != user7 {
		t.Errorf("the same connection afterwards: %q, %v", got, err)
	}
	if accepted, _, _ := proxy.counts(); accepted != 1 {
		t.Errorf("%d connections", accepted)
	}
}

// TestFailedBind is refused, and tries again with the password as it is then.
func TestFailedBind(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	file := t.TempDir() + "/password"
	write := func(password string) {
		if err := os.WriteFile(file, []byte(password+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("wrong")
	p := openPool(t, Settings{URIs: []string{s.URI()}, pace: hurry,
		Bind: Bind{Method: BindSimple, DN: "uid=user1,ou=people,dc=example,dc=com", Password: func() (string, error) { return daemon.ReadSecret(file) }}})
	_, err := findIn(p, mailRequest("user7@example.com"))
	if !errors.Is(err, ErrUnavailable) || errors.Is(err, ErrRefused) {
		t.Errorf("with a wrong password: %v", err)
	}
	if text := fmt.Sprint(err); !strings.Contains(text, "49 (Invalid Credentials)") {
		t.Errorf("the reason is not told: %v", err)
	}
	write("secret1")
	until(t, "the new password is used", answeredBy(p, s.URI()))
}

// TestUselessServer accepts connections and refuses every search on them, as
// Active Directory does when it wants a bind. That makes no storm.
func TestUselessServer(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	proxy := startFaultProxy(t, s.Addr())
	p := openPool(t, Settings{URIs: []string{proxy.uri()}})
	if err := p.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	proxy.set(plan{at: atRequest, what: answers, code: 1, times: -1})
	for range 300 {
		if got, err := findIn(p, mailRequest("user7@example.com")); !errors.Is(err, ErrRefused) && !errors.Is(err, ErrUnavailable) {
			t.Errorf("%q, %v", got, err)
		}
	}
	if accepted, _, _ := proxy.counts(); accepted > 100 {
		t.Errorf("300 searches made %d connections", accepted)
	}
	proxy.set(plan{})
	until(t, "it answers", answeredBy(p, proxy.uri()))
}

// TestLog: a server that goes and comes makes one line each, however often it
// is tried.
func TestLog(t *testing.T) {
	s := poolSlapd(t, testbed.SlapdOptions{})
	var out poolLog
	p := NewPool(Settings{URIs: []string{s.URI(), s.URI()}, pace: hurry}, slog.New(slog.NewTextHandler(&out, nil)))
	defer p.Close()
	if err := p.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	s.Kill()
	until(t, "it was tried several times", func() bool { return p.Stats().Servers[0].Failures > 8 })
	restart(t, s)
	until(t, "it answers", answeredBy(p, s.URI()))
	for line, want := range map[string]int{"directory server up": 2, "directory server down": 1, "directory connection failed": 0} {
		if n := strings.Count(out.String(), line); n != want {
			t.Errorf("%d times %q instead of %d:\n%s", n, line, want, out.String())
		}
	}
	if n := len(p.Stats().Servers); n != 1 {
		t.Errorf("one server, named twice, is %d", n)
	}
}

type poolLog struct {
	mu  sync.Mutex
	all strings.Builder
}

func (b *poolLog) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.Write(p)
}

func (b *poolLog) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.String()
}
