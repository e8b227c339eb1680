package ldapmap

import (
	"bufio"
	"context"
	"io"
	"net"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"gatepost/internal/directory"
)

// constant answers without thinking.
type constant string

func (c constant) Lookup(context.Context, string) (string, bool, error) { return string(c), true, nil }

// BenchmarkServer is one client on a unix socket that waits for each reply, as
// Postfix does, beside a server that does not even look at the request.
func BenchmarkServer(b *testing.B) {
	listen := func(b *testing.B) net.Listener {
		l, err := net.Listen("unix", filepath.Join(b.TempDir(), "s"))
		if err != nil {
			b.Fatal(err)
		}
		return l
	}
	b.Run("thoughtless", func(b *testing.B) {
		l := listen(b)
		defer l.Close()
		go thoughtless(l)
		drive(b, l.Addr().String())
	})
	run := func(name string, m func(*Metrics) *Map) {
		b.Run(name, func(b *testing.B) {
			l := listen(b)
			ctx, cancel := context.WithCancel(context.Background())
			done := make(chan error, 1)
			settings := testSettings(discard(), nil)
			settings.Maps["users"] = m(settings.Metrics)
			srv := NewServer(settings)
			go func() { done <- srv.Serve(ctx, l) }()
			drive(b, l.Addr().String())
			cancel()
			<-done
		})
	}
	run("no table", func(m *Metrics) *Map {
		return NewMap("users", NewKeys(Exact, DefaultPostfix()), constant("alice@mail.example.org"), time.Second, m)
	})
	table := func(filter string) *Table {
		found := &directory.Answer{Entries: []*directory.Entry{entry("cn=a", "maildrop", "alice@mail.example.org")}}
		cache := directory.NewCache(&filterDirectory{filter, found}, directory.DefaultCacheOptions())
		return NewTable(parse(b, "search_base = dc=example,dc=com", "query_filter = (mail=%s)"), cache)
	}
	run("first key found", func(m *Metrics) *Map {
		return NewMap("users", NewKeys(VirtualAlias, site(nil)), table("(mail=alice@example.org)"), time.Second, m)
	})
	run("second key found", func(m *Metrics) *Map {
		return NewMap("users", NewKeys(VirtualAlias, site(nil)), table("(mail=@example.org)"), time.Second, m)
	})
	run("nothing found", func(m *Metrics) *Map {
		return NewMap("users", NewKeys(VirtualAlias, site(nil)), table("(mail=other)"), time.Second, m)
	})
}

// filterDirectory finds its answer by one filter.
type filterDirectory struct {
	filter string
	answer *directory.Answer
}

func (d *filterDirectory) Search(_ context.Context, r *directory.Request) (*directory.Answer, error) {
	if r.Filter == d.filter {
		return d.answer, nil
	}
	return &directory.Answer{}, nil
}

func drive(b *testing.B, path string) {
	c, err := net.Dial("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	defer c.Close()
	request := []byte(netstring("users alice@example.org"))
	buf := make([]byte, 512)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := c.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

// thoughtless reads a netstring and answers with a constant one.
func thoughtless(l net.Listener) {
	answer := []byte("25:OK alice@mail.example.org,")
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			r := bufio.NewReader(c)
			for {
				length, err := r.ReadString(':')
				if err != nil {
					return
				}
				n, err := strconv.Atoi(length[:len(length)-1])
				if err != nil {
					return
				}
				if _, err := io.CopyN(io.Discard, r, int64(n+1)); err != nil {
					return
				}
				if _, err := c.Write(answer); err != nil {
					return
				}
			}
		}()
	}
}

// A thousand idle connections that have each asked once.
func TestMemoryOfIdleConnections(t *testing.T) {
	_, addr, _, _ := serve(t, testSettings(discard(), map[string]Lookuper{"users": users()}))
	const count = 1000
	ask(t, dial(t, addr), "users alice@example.org")
	before := memory()
	for range count {
		ask(t, dial(t, addr), "users alice@example.org")
	}
	each := (memory() - before) / count
	// Both ends are in this process.
	if each > 24<<10 {
		t.Errorf("%d bytes each", each)
	}
	t.Logf("%d bytes for both ends of a connection", each)
}

// memory is what the process uses of its heap and stacks now.
func memory() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}
