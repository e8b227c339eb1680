package ldapmap

import (
	"context"
	"io"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

// waitFor waits for a condition that others bring about.
func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not after 20 s", what)
		}
	}
}

func TestDrain(t *testing.T) {
	gate := &gateTable{entered: make(chan struct{}), leave: make(chan struct{})}
	settings := testSettings(discard(), map[string]Lookuper{"users": users(), "gate": gate})
	settings.Maps["gate"].deadline = time.Minute
	srv, addr, cancel, done := serve(t, settings)
	idle, busy := dial(t, addr), dial(t, addr)
	if got := ask(t, idle, "users alice@example.org"); !strings.HasPrefix(got, "OK ") {
		t.Fatal(got)
	}
	if _, err := io.WriteString(busy, netstring("gate x")+netstring("users alice@example.org")); err != nil {
		t.Fatal(err)
	}
	<-gate.entered
	cancel()
	if all, err := io.ReadAll(idle); err != nil || len(all) > 0 {
		t.Errorf("idle connection: %q, %v", all, err)
	}
	if n := srv.Open(); n != 1 {
		t.Errorf("%d connections are open", n)
	}
	close(gate.leave)
	for _, want := range []string{"OK through", "OK alice@mail.example.org"} {
		if got := readReply(t, busy); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if all, err := io.ReadAll(busy); err != nil || len(all) > 0 {
		t.Errorf("after the last reply: %q, %v", all, err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, err := net.Dial("tcp", addr); err == nil {
		t.Error("it still listens")
	}
}

func TestApply(t *testing.T) {
	settings := testSettings(discard(), map[string]Lookuper{"users": users()})
	srv, addr, _, _ := serve(t, settings)
	c := dial(t, addr)
	if got := ask(t, c, "other x"); got != "PERM no such table" {
		t.Error(got)
	}
	srv.Apply(testSettings(discard(), map[string]Lookuper{"other": &fakeTable{data: map[string]string{"x": "y"}}}))
	if got := ask(t, c, "other x"); got != "OK y" {
		t.Error(got)
	}
	if got := ask(t, c, "users alice@example.org"); got != "PERM no such table" {
		t.Error(got)
	}
}

// A peer that does not read its replies is cut off, and holds up nobody.
func TestPeerThatStopsReading(t *testing.T) {
	_, addr, _, _ := serve(t, testSettings(discard(), map[string]Lookuper{"users": users()}))
	deaf := dial(t, addr)
	if err := deaf.(*net.TCPConn).SetReadBuffer(4096); err != nil {
		t.Fatal(err)
	}
	_ = deaf.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	_, err := io.WriteString(deaf, strings.Repeat(netstring("users limit"), 1000000))
	if !os.IsTimeout(err) {
		t.Fatalf("a million requests for 100,000 bytes each were taken: %v", err)
	}
	if got := ask(t, dial(t, addr), "users alice@example.org"); got != "OK alice@mail.example.org" {
		t.Error(got)
	}
}

func TestPeerThatStopsReadingIsCutOff(t *testing.T) {
	here, there := net.Pipe()
	defer there.Close()
	s := &session{srv: NewServer(testSettings(discard(), nil)), conn: here}
	s.writeBy = time.Now().Add(writeTime) // as if set a while ago
	if err := here.SetWriteDeadline(time.Now().Add(10 * time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	s.out = []byte("3:OK,")
	if err := s.flush(); !os.IsTimeout(err) {
		t.Errorf("%v", err)
	}
}

func TestLinesAreLimited(t *testing.T) {
	var log logBuffer
	_, addr, _, _ := serve(t, testSettings(slog.New(slog.NewTextHandler(&log, nil)), map[string]Lookuper{"users": users()}))
	c := dial(t, addr)
	waitFor(t, "a line that counts those left out", func() bool {
		for range 100 {
			ask(t, c, "users broken")
		}
		return strings.Contains(log.String(), "lines_left_out=")
	})
}

// gateTable tells that it was entered and waits until it may leave.
type gateTable struct{ entered, leave chan struct{} }

func (g *gateTable) Lookup(ctx context.Context, _ string) (string, bool, error) {
	close(g.entered)
	select {
	case <-g.leave:
		return "through", true, nil
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}
