package message

import (
	"bytes"
	"errors"
	"io"
	"math/rand"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadRaw(t *testing.T) {
	for _, c := range []struct {
		in, data string
		bareLF   bool
	}{
		{"", "", false},
		{"a: b\r\n\r\nc\r\n", "a: b\n\nc\n", false},
		{"a: b\n\nc\n", "a: b\n\nc\n", true},
		{"a: b\r\n\r\nc\n", "a: b\n\nc\n", false}, // only the header counts
		{"a: b\r\nc: d\n\r\nc\r\n", "a: b\nc: d\n\nc\n", true},
		{"a: b\r\n\nc\r\n", "a: b\n\nc\n", true},
		{"a\rb\r\r\nc\r", "a\rb\r\nc\r", false},
		{"\r\n\rb\r\r\nc\r", "\n\rb\r\nc\r", false},
		{"\r", "\r", false},
		{"\r\r\r\n\r\n", "\r\r\n\n", false},
	} {
		for name, r := range map[string]io.Reader{
			"whole":     strings.NewReader(c.in),
			"by octets": iotest.OneByteReader(strings.NewReader(c.in)),
			"with EOF":  iotest.DataErrReader(strings.NewReader(c.in)),
		} {
			raw, err := ReadRaw(r, 0, 0)
			if err != nil {
				t.Fatal(err)
			}
			if string(raw.Data) != c.data || raw.BareLF != c.bareLF || raw.WireSize != int64(len(c.in)) {
				t.Errorf("%q read %s is %q, %v, %d", c.in, name, raw.Data, raw.BareLF, raw.WireSize)
			}
		}
	}
}

func TestReadRawErrors(t *testing.T) {
	broken := errors.New("broken")
	for _, c := range []struct {
		name  string
		r     io.Reader
		limit int64
		want  error
	}{
		{"at the limit", strings.NewReader("12345"), 5, nil},
		{"over the limit", strings.NewReader("123456"), 5, ErrTooLarge},
		{"NUL in the header", strings.NewReader("a: \x00\r\n\r\n"), 0, ErrNUL},
		{"NUL in the body", strings.NewReader("a: b\r\n\r\n" + strings.Repeat("x", 1<<20) + "\x00"), 0, ErrNUL},
		{"cut connection", io.MultiReader(strings.NewReader("a: b"), iotest.ErrReader(broken)), 0, broken},
		{"unexpected end", iotest.ErrReader(io.ErrUnexpectedEOF), 0, io.ErrUnexpectedEOF},
		{"no progress", stuck{}, 0, io.ErrNoProgress},
	} {
		if _, err := ReadRaw(c.r, c.limit, 0); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

// TestReadRawMemory: one allocation of the announced size; twice the message at
// most when nothing right was announced.
func TestReadRawMemory(t *testing.T) {
	wire := sample(20 << 20)
	n := int64(len(wire))
	for _, c := range []struct {
		name        string
		limit, hint int64
		most        float64
	}{
		{"right size", 0, n, 1.01},
		{"right size and limit", 2 * n, n, 1.01},
		{"no size", 0, 0, 2.1},
		{"size too small", 0, n / 3, 2.1},
		{"size too large", n, 100 * n, 1.01},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		raw, err := ReadRaw(bytes.NewReader(wire), c.limit, c.hint)
		runtime.ReadMemStats(&after)
		if err != nil {
			t.Fatal(err)
		}
		if got := float64(after.TotalAlloc-before.TotalAlloc) / float64(n); got > c.most {
			t.Errorf("%s: %.2f times the message allocated, want %.2f", c.name, got, c.most)
		}
		if want := bytes.ReplaceAll(wire, []byte("\r\n"), []byte("\n")); !bytes.Equal(raw.Data, want) {
			t.Errorf("%s: other data", c.name)
		}
	}
	raw, err := ReadRaw(strings.NewReader("a: b\r\n\r\nc\r\n"), 50<<20, 50<<20)
	if err != nil || cap(raw.Data) > 1<<10 {
		t.Errorf("a small message announced as large keeps %d octets (%v)", cap(raw.Data), err)
	}
}

// FuzzReadRaw: however the octets come in, they are those of a plain
// replacement.
func FuzzReadRaw(f *testing.F) {
	f.Add([]byte("a: b\r\n\r\n\r\r\nc\r"), int64(3), int64(1))
	f.Add([]byte("\n\r\n\r\r\n\n"), int64(0), int64(7))
	f.Fuzz(func(t *testing.T, wire []byte, hint, seed int64) {
		raw, err := ReadRaw(&dribble{wire, rand.New(rand.NewSource(seed))}, 1<<20, hint%(1<<16))
		if bytes.IndexByte(wire, 0) >= 0 {
			if err != ErrNUL {
				t.Fatalf("NUL: %v", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if want := bytes.ReplaceAll(wire, []byte("\r\n"), []byte("\n")); !bytes.Equal(raw.Data, want) {
			t.Fatalf("%q is %q, want %q", wire, raw.Data, want)
		}
	})
}

// dribble reads in pieces of any size.
type dribble struct {
	rest []byte
	rand *rand.Rand
}

func (d *dribble) Read(p []byte) (int, error) {
	if len(d.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p[:min(len(p), 1+d.rand.Intn(9))], d.rest)
	d.rest = d.rest[n:]
	return n, nil
}
