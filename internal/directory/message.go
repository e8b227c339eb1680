package directory

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Tags of the operations (RFC 4511 4.2 to 4.14).
const (
	opBindRequest      = 0x60
	opBindResponse     = 0x61
	opUnbindRequest    = 0x42
	opSearchRequest    = 0x63
	opSearchEntry      = 0x64
	opSearchDone       = 0x65
	opSearchReference  = 0x73
	opAbandonRequest   = 0x50
	opExtendedRequest  = 0x77
	opExtendedResponse = 0x78
	opIntermediate     = 0x79
)

// maxMessage bounds one message of a server, in bytes; an entry is one
// message. maxAnswer bounds all entries of one answer.
const (
	maxMessage = 32 << 20
	maxAnswer  = 64 << 20
)

// scopes on the wire.
var scopes = [...]int{ScopeSub: 2, ScopeOne: 1, ScopeBase: 0, ScopeChildren: 3}

// appendMessage wraps an operation (RFC 4511 4.1.1).
func appendMessage(b []byte, id int, op []byte) []byte {
	b, at := openTag(b, tagSequence)
	b = appendInt(b, tagInteger, id)
	b = append(b, op...)
	return closeTag(b, at)
}

// encodeSearch makes the operation of a search; limit is the server's time
// for it, in seconds.
func encodeSearch(r *Request, limit int) ([]byte, error) {
	if r.Scope < 0 || int(r.Scope) >= len(scopes) || r.Deref < 0 || r.Deref > 3 || r.SizeLimit < 0 || r.SizeLimit > 1<<31-1 {
		return nil, fmt.Errorf("search: scope %d, deref %d or size limit %d is out of range", r.Scope, r.Deref, r.SizeLimit)
	}
	b, at := openTag(make([]byte, 0, 256), opSearchRequest)
	b = appendOctets(b, tagOctets, r.Base)
	b = appendInt(b, tagEnumerated, scopes[r.Scope])
	b = appendInt(b, tagEnumerated, r.Deref)
	b = appendInt(b, tagInteger, r.SizeLimit)
	b = appendInt(b, tagInteger, limit)
	b = appendBool(b, false) // values too, not only types
	b, err := appendFilter(b, r.Filter)
	if err != nil {
		return nil, fmt.Errorf("search: filter: %w", err)
	}
	b, list := openTag(b, tagSequence)
	for _, name := range r.Attributes {
		b = appendOctets(b, tagOctets, name)
	}
	return closeTag(closeTag(b, list), at), nil
}

// noAttributes asks for entries without attributes (RFC 4511 4.5.1.8).
const noAttributes = "1.1"

// probe asks the root DSE for nothing (RFC 4512 5.1), which any server
// answers, if only with a refusal.
func probe() []byte {
	op, err := encodeSearch(&Request{Scope: ScopeBase, Filter: "(objectClass=*)", Attributes: []string{noAttributes}, SizeLimit: 1}, 10)
	if err != nil {
		panic(err) // a constant
	}
	return op
}

// result is an LDAPResult (RFC 4511 4.1.9).
type result struct {
	code int
	text string
}

// decodeResult reads an LDAPResult. What follows it, such as a referral, is
// of no use to us.
func decodeResult(d decoder) (result, error) {
	code, err := d.takeInt(tagEnumerated)
	if err != nil {
		return result{}, err
	}
	if _, err := d.take(tagOctets); err != nil { // matchedDN
		return result{}, err
	}
	text, err := d.take(tagOctets)
	if err != nil {
		return result{}, err
	}
	if err := d.wellFormed(maxNesting); err != nil {
		return result{}, err
	}
	return result{code: code, text: string(text[:min(len(text), maxText)])}, nil
}

// maxText bounds what is kept of a server's diagnostic message.
const maxText = 500

// names interns attribute names, of which a directory has few.
type names map[string]string

// maxNames bounds a names.
const maxNames = 1024

func (n names) intern(b []byte) string {
	if s, ok := n[string(b)]; ok {
		return s
	}
	s := string(b)
	if len(n) < maxNames {
		n[s] = s
	}
	return s
}

// decodeEntry reads a SearchResultEntry, whose values share the slice.
func decodeEntry(d decoder, known names) (*Entry, error) {
	dn, err := d.take(tagOctets)
	if err != nil {
		return nil, err
	}
	list, err := d.take(tagSequence)
	if err != nil || len(d) != 0 {
		return nil, errMalformed
	}
	count, err := list.count(tagSequence)
	if err != nil {
		return nil, err
	}
	e := &Entry{DN: string(dn), Attributes: make([]Attribute, 0, count)}
	for len(list) > 0 {
		attribute, err := list.take(tagSequence)
		if err != nil {
			return nil, err
		}
		name, err := attribute.take(tagOctets)
		if err != nil {
			return nil, err
		}
		set, err := attribute.take(tagSet)
		if err != nil || len(attribute) != 0 {
			return nil, errMalformed
		}
		count, err := set.count(tagOctets)
		if err != nil {
			return nil, err
		}
		values := make([][]byte, 0, count)
		for len(set) > 0 {
			value, err := set.take(tagOctets)
			if err != nil {
				return nil, err
			}
			values = append(values, value)
		}
		e.Attributes = append(e.Attributes, Attribute{Name: known.intern(name), Values: values})
	}
	return e, nil
}

// readMessage reads one message. Its bytes are the caller's. The error of a
// connection that ends between messages is io.EOF.
func readMessage(in *bufio.Reader) ([]byte, error) {
	var head, size int
	for n := 2; head == 0; n++ {
		b, err := in.Peek(n)
		if err != nil {
			if n > 2 || len(b) > 0 {
				return nil, cutShort(err)
			}
			return nil, err
		}
		var tag byte
		if tag, size, head, err = header(b); err != nil || head != 0 && tag != tagSequence {
			return nil, errMalformed
		}
	}
	if size > maxMessage {
		return nil, fmt.Errorf("%w: a message of %d bytes, of at most %d", errMalformed, size, maxMessage)
	}
	if whole := head + size; whole <= 64<<10 {
		m := make([]byte, whole)
		if _, err := io.ReadFull(in, m); err != nil {
			return nil, cutShort(err)
		}
		return m, nil
	}
	// Memory only for what has come, whatever the header promises.
	var m bytes.Buffer
	if _, err := io.CopyN(&m, in, int64(head+size)); err != nil {
		return nil, cutShort(err)
	}
	return m.Bytes(), nil
}

func cutShort(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// openMessage takes the envelope off a message: its number and operation.
// Controls behind the operation are not read, as we ask for none.
func openMessage(m []byte) (id int, op byte, content decoder, err error) {
	d := decoder(m)
	body, err := d.take(tagSequence)
	if err != nil || len(d) != 0 {
		return 0, 0, nil, errMalformed
	}
	if id, err = body.takeInt(tagInteger); err != nil {
		return 0, 0, nil, err
	}
	if op, content, err = body.next(); err != nil {
		return 0, 0, nil, err
	}
	if err := body.wellFormed(maxNesting); err != nil {
		return 0, 0, nil, err
	}
	return id, op, content, nil
}
