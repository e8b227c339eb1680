package directory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"strings"
	"testing"

	ber "github.com/go-asn1-ber/asn1-ber"
)

// TestEncodeSearch reads a request with another's decoder.
func TestEncodeSearch(t *testing.T) {
	long := strings.Repeat("ü*()\\\x00", 2000)
	r := &Request{Base: "ou=a,dc=b", Scope: ScopeOne, Filter: "(&(mail=" + EscapeFilter(long) + ")(!(cn=*x*)))", Attributes: []string{"mail", "cn;lang-de"}, SizeLimit: 70000, Deref: 3}
	op, err := encodeSearch(r, 200)
	if err != nil {
		t.Fatal(err)
	}
	p, err := ber.DecodePacketErr(appendMessage(nil, 1<<31-1, op))
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Children) != 2 || p.Children[0].Value != int64(1<<31-1) || p.Children[1].Tag != 3 {
		t.Fatalf("the envelope is %+v", p)
	}
	var got []any
	for _, c := range p.Children[1].Children[:6] {
		got = append(got, c.Value)
	}
	if want := []any{"ou=a,dc=b", int64(1), int64(3), int64(70000), int64(200), false}; !reflect.DeepEqual(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
	filter := p.Children[1].Children[6]
	if mail := filter.Children[0]; mail.Tag != 3 || mail.Children[1].Value != long {
		t.Errorf("the filter is %+v", filter)
	}
	for i, c := range p.Children[1].Children[7].Children {
		if c.Value != r.Attributes[i] {
			t.Errorf("attribute %v", c.Value)
		}
	}
	for _, r := range []*Request{{Scope: ScopeChildren + 1, Filter: "(a=b)"}, {Deref: 4, Filter: "(a=b)"}, {SizeLimit: -1, Filter: "(a=b)"}, {Filter: ""}} {
		if _, err := encodeSearch(r, 1); err == nil {
			t.Errorf("%+v was encoded", r)
		}
	}
}

func TestAppendInt(t *testing.T) {
	for n, want := range map[int]string{0: "\x02\x01\x00", 127: "\x02\x01\x7f", 128: "\x02\x02\x00\x80", 255: "\x02\x02\x00\xff", 256: "\x02\x02\x01\x00",
		32768: "\x02\x03\x00\x80\x00", 1<<31 - 1: "\x02\x04\x7f\xff\xff\xff"} {
		b := appendInt(nil, tagInteger, n)
		d := decoder(b)
		if got, err := d.takeInt(tagInteger); string(b) != want || got != n || err != nil {
			t.Errorf("%d is %x, and back %d, %v", n, b, got, err)
		}
	}
	for _, wrong := range []string{"", "\x02", "\x02\x00", "\x02\x01\xff", "\x02\x05\x01\x00\x00\x00\x00", "\x0a\x01\x00", "\x02\x81", "\x02\x80\x00\x00", "\x1f\x01\x00"} {
		d := decoder(wrong)
		if n, err := d.takeInt(tagInteger); err == nil {
			t.Errorf("%x is %d", wrong, n)
		}
	}
}

// answer builds what a server sends.
type answer []byte

func (a answer) entry(id int, dn string, attributes ...Attribute) answer {
	op, at := openTag(nil, opSearchEntry)
	op = appendOctets(op, tagOctets, dn)
	op, list := openTag(op, tagSequence)
	for _, one := range attributes {
		var start, set int
		op, start = openTag(op, tagSequence)
		op = appendOctets(op, tagOctets, one.Name)
		op, set = openTag(op, tagSet)
		for _, v := range one.Values {
			op = appendOctets(op, tagOctets, v)
		}
		op = closeTag(closeTag(op, set), start)
	}
	return appendMessage(a, id, closeTag(closeTag(op, list), at))
}

func (a answer) done(id, code int) answer { return appendMessage(a, id, answerTo(opSearchDone, code)) }

// reference walks the answer with another's decoder: the entries of a search,
// as far as its end, and the result code. ok says whether the end came.
func reference(b []byte, id int64) (entries []*Entry, code int64, ok bool) {
	in := bytes.NewReader(b)
	for {
		p, err := ber.ReadPacket(in)
		if err != nil || len(p.Children) < 2 || p.Children[0].Value != id {
			if err != nil {
				return nil, 0, false
			}
			continue
		}
		op := p.Children[1]
		switch {
		case op.Tag == 4 && len(op.Children) == 2:
			e := &Entry{DN: op.Children[0].Data.String(), Attributes: []Attribute{}}
			for _, c := range op.Children[1].Children {
				a := Attribute{Name: c.Children[0].Data.String(), Values: [][]byte{}}
				for _, v := range c.Children[1].Children {
					a.Values = append(a.Values, v.Data.Bytes())
				}
				e.Attributes = append(e.Attributes, a)
			}
			entries = append(entries, e)
		case op.Tag == 5 && len(op.Children) >= 3:
			code, _ := op.Children[0].Value.(int64)
			return entries, code, true
		}
	}
}

func text(entries []*Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%q", e.DN)
		for _, a := range e.Attributes {
			fmt.Fprintf(&b, " %q=%q", a.Name, a.Values)
		}
		b.WriteString("\n")
	}
	return b.String()
}

// replay has a server answer two searches, numbers 1 and 2, with the bytes
// and close the connection.
func replay(b []byte) [2]*call {
	ours, theirs := net.Pipe()
	p := &Pool{}
	s := &server{pool: p, at: endpoint{uri: "ldap://fuzz"}}
	c := newConn(&link{Conn: ours, raw: ours, in: bufio.NewReader(ours)}, s, func(*conn, error) {}, func() {})
	var told [2]*call
	done := make(chan *call, 2)
	for range told {
		if _, err := c.start(nil, 0, done); err != nil {
			panic(err) // it cannot have ended yet
		}
	}
	go io.Copy(io.Discard, theirs)
	theirs.Write(b)
	theirs.Close()
	for range told {
		k := <-done
		told[k.id-1] = k
	}
	p.all.Wait()
	return told
}

// FuzzAnswer: whatever a server sends, each search ends, and what ends in
// success has all the entries that another's decoder finds in it.
func FuzzAnswer(f *testing.F) {
	many := Attribute{"mail", [][]byte{[]byte("a@b"), {}, {0, 255}}}
	f.Add([]byte(answer(nil).entry(1, "uid=a", many).entry(2, "", Attribute{"cn;x", nil}).done(2, 0).entry(1, "uid=b").done(1, 0)))
	f.Add([]byte(answer(nil).done(1, 32).done(2, 4)))
	f.Add([]byte(answer(nil).entry(1, "uid=a").done(0, 0)))
	f.Add([]byte(answer(nil).entry(1, "uid=a", many)[:40]))
	f.Add(appendMessage(nil, 1, []byte{opSearchReference, 4, tagOctets, 2, 'l', ':'}))
	f.Add(appendMessage(nil, 0, answerTo(opExtendedResponse, 52)))
	f.Add(append(appendMessage(nil, 7, answerTo(opSearchDone, 0)), "220 mail.example.com ESMTP\r\n"...))
	f.Add([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff, 2, 1, 1})
	f.Add([]byte{0x30, 0x80, 2, 1, 1, 0x65, 7, 10, 1, 0, 4, 0, 4, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		for i, k := range replay(b) {
			if k.err != nil {
				continue
			}
			entries, code, ok := reference(b, int64(i+1))
			if !ok {
				continue // it is pickier about what we do not read
			}
			if code != int64(k.result.code) || text(entries) != text(k.entries) {
				t.Errorf("search %d: result %d with\n%sbut the reference has %d with\n%s", i+1, k.result.code, text(k.entries), code, text(entries))
			}
		}
	})
}

// TestReadMessageBounds: nothing is kept for what a header only promises.
func TestReadMessageBounds(t *testing.T) {
	for name, c := range map[string]struct {
		sent string
		why  error
	}{
		"nothing":          {"", io.EOF},
		"half a header":    {"\x30", io.ErrUnexpectedEOF},
		"half a length":    {"\x30\x84\x00", io.ErrUnexpectedEOF},
		"promised, small":  {"\x30\x10ab", io.ErrUnexpectedEOF},
		"promised, large":  {"\x30\x84\x01\x00\x00\x00ab", io.ErrUnexpectedEOF},
		"too large":        {"\x30\x84\x7f\xff\xff\xffab", errMalformed},
		"beyond all":       {"\x30\x88\x7f\xff\xff\xff\xff\xff\xff\xffab", errMalformed},
		"indefinite":       {"\x30\x80ab\x00\x00", errMalformed},
		"not LDAP":         {"220 mail", errMalformed},
		"TLS alert":        {"\x15\x03\x01\x00\x02\x02\x16", errMalformed},
		"a tag of several": {"\x3f\x81\x01ab", errMalformed},
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := readMessage(bufio.NewReader(strings.NewReader(c.sent))); !errors.Is(err, c.why) {
				t.Errorf("%x, %v instead of %v", m, err, c.why)
			}
		})
	}
}
