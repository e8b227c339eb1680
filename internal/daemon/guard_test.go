package daemon

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"
)

// scripted is a listener whose answers are data.
type scripted struct {
	answers chan accepted
	closed  chan struct{}
	once    sync.Once
}

func newScripted(answers ...accepted) *scripted {
	s := &scripted{answers: make(chan accepted, len(answers)), closed: make(chan struct{})}
	for _, a := range answers {
		s.answers <- a
	}
	return s
}

func (s *scripted) Accept() (net.Conn, error) {
	select {
	case a := <-s.answers:
		return a.conn, a.err
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

func (s *scripted) Close() error   { s.once.Do(func() { close(s.closed) }); return nil }
func (s *scripted) Addr() net.Addr { return &net.TCPAddr{} }

// peer is a connection from an address.
type peer struct {
	net.Conn
	from net.Addr
}

func (p peer) RemoteAddr() net.Addr { return p.from }

// from gives a connection from the IP address, or from a unix socket if that
// is empty, and its other end.
func from(ip string) (accepted, net.Conn) {
	near, far := net.Pipe()
	if ip == "" {
		return accepted{conn: peer{near, &net.UnixAddr{Net: "unix"}}}, far
	}
	return accepted{conn: peer{near, net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(ip), 999))}}, far
}

func TestGuard(t *testing.T) {
	refusal := func(conn net.Conn, why Refusal) { fmt.Fprintf(conn, "421 %s\r\n", why) }
	for _, test := range []struct {
		name    string
		options GuardOptions
		peers   []string
		want    []Refusal
	}{
		{"no limits", GuardOptions{}, []string{"192.0.2.1", "", "2001:db8::1"}, []Refusal{"", "", ""}},
		{"allowed", GuardOptions{Allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::/32")}},
			[]string{"10.9.9.9", "11.0.0.1", "::ffff:10.1.1.1", "2001:db8::9", "2001:db9::9", ""}, []Refusal{"", RefusedPeer, "", "", RefusedPeer, ""}},
		{"in all", GuardOptions{MaxConnections: 2}, []string{"", "192.0.2.1", "192.0.2.2"}, []Refusal{"", "", RefusedFull}},
		{"for each", GuardOptions{MaxPerPeer: 1}, []string{"192.0.2.1", "192.0.2.1", "192.0.2.2", "::ffff:192.0.2.2", "", ""},
			[]Refusal{"", RefusedPerPeer, "", RefusedPerPeer, "", ""}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var counted []Refusal
			test.options.Refuse = refusal
			test.options.Count = func(why Refusal) { counted = append(counted, why) }
			script := newScripted()
			guard := Guard(script, test.options)
			defer guard.Close()
			// The guard refuses while it waits for one to let through: a last
			// connection from a unix socket marks the end.
			var open []net.Conn
			for i, ip := range test.peers {
				answer, far := from(ip)
				script.answers = make(chan accepted, 2)
				script.answers <- answer
				if test.want[i] == "" {
					conn, err := guard.Accept()
					if err != nil {
						t.Fatal(err)
					}
					open = append(open, conn)
					continue
				}
				script.answers <- accepted{err: errors.New("end")}
				if _, err := guard.Accept(); err == nil || err.Error() != "end" {
					t.Fatalf("%s was let through: %v", ip, err)
				}
				if line, err := io.ReadAll(far); err != nil || string(line) != "421 "+string(test.want[i])+"\r\n" {
					t.Errorf("%s is told %q, %v", ip, line, err)
				}
			}
			if fmt.Sprint(counted) != fmt.Sprint(test.want) {
				t.Errorf("counted %q, want %q", counted, test.want)
			}
			if guard.Open() != len(open) {
				t.Errorf("%d open, want %d", guard.Open(), len(open))
			}
			for _, conn := range open {
				conn.Close()
				conn.Close() // counts once
			}
			if guard.Open() != 0 || len(guard.peers) != 0 {
				t.Errorf("after all are closed: %d open, peers %v", guard.Open(), guard.peers)
			}
		})
	}
}

// TestGuardRoomAgain: who leaves makes room, and new options hold at once.
func TestGuardRoomAgain(t *testing.T) {
	l := listen(t, "unix:"+filepath.Join(shortDir(t), "s"))
	guard := Guard(l, GuardOptions{MaxConnections: 1})
	dial := func() net.Conn {
		conn, err := net.Dial("unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	dial()
	first, err := guard.Accept()
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	dial()
	if _, err := guard.Accept(); err != nil {
		t.Fatal(err)
	}
	guard.Change(GuardOptions{MaxConnections: 2})
	dial()
	if _, err := guard.Accept(); err != nil {
		t.Fatal(err)
	}
	if guard.Open() != 2 {
		t.Errorf("%d open", guard.Open())
	}
}

// TestGuardNeverBlocks: peers that do not read their refusal delay nobody.
func TestGuardNeverBlocks(t *testing.T) {
	var answers []accepted
	for range maxRefusals + 10 {
		deaf, _ := from("192.0.2.1")
		answers = append(answers, deaf)
	}
	good, _ := from("10.0.0.1")
	guard := Guard(newScripted(append(answers, good)...), GuardOptions{
		Allow:  []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")},
		Refuse: func(conn net.Conn, why Refusal) { fmt.Fprint(conn, "421 no\r\n") },
	})
	defer guard.Close()
	got := make(chan error, 1)
	go func() {
		_, err := guard.Accept()
		got <- err
	}()
	select {
	case err := <-got:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(refusalTime / 2):
		t.Error("the refused delay the good one")
	}
}

func TestGuardWaitsOutShortage(t *testing.T) {
	shortage := accepted{err: &net.OpError{Op: "accept", Err: syscall.EMFILE}}
	good, _ := from("192.0.2.1")
	guard := Guard(newScripted(shortage, shortage, shortage, good, accepted{err: io.ErrUnexpectedEOF}, shortage), GuardOptions{})
	if _, err := guard.Accept(); err != nil {
		t.Errorf("after a shortage: %v", err)
	}
	if _, err := guard.Accept(); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("another error: %v", err)
	}
	ended := make(chan error)
	go func() {
		_, err := guard.Accept() // waits out one more shortage
		ended <- err
	}()
	guard.Close()
	if err := <-ended; !errors.Is(err, net.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
}
