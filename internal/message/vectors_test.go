package message

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"
)

// vector is a recorded delivery: what went in and every row that DBMail wrote.
type vector struct {
	Name   string
	Sender string
	Steps  []struct {
		EML     string
		Written map[string][]map[string]json.RawMessage
	}
}

func loadVectors(t *testing.T) []vector {
	t.Helper()
	files, err := filepath.Glob("testdata/vectors/*.json")
	if err != nil || len(files) == 0 {
		t.Fatalf("no vectors: %v", err)
	}
	var all []vector
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		var v vector
		if err := json.Unmarshal(b, &v); err != nil {
			t.Fatalf("%s: %v", f, err)
		}
		all = append(all, v)
	}
	return all
}

// value decodes a column; what is volatile comes as its recorded value.
func value[T any](t *testing.T, row map[string]json.RawMessage, column string) (v T) {
	t.Helper()
	raw, ok := row[column]
	if !ok {
		t.Fatalf("no column %s", column)
	}
	var wrapped struct {
		Volatile string
		Value    json.RawMessage
	}
	if json.Unmarshal(raw, &wrapped) == nil && wrapped.Volatile != "" {
		raw = wrapped.Value
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatalf("%s: %s: %v", column, raw, err)
	}
	return v
}

// recordedRows is one stored message in the terms of this package. Blobs that
// are recorded by hash only are compared by hash.
type recordedRows struct {
	parts      []recordedPart
	headers    []CachedHeader
	envelope   string
	references []string
	size       int64
	rfcSize    int64
	received   time.Time
}

type recordedPart struct {
	header            bool
	key, depth, order int
	data              []byte
	hash              string // of the blob, when data is nil
}

// blobStore keeps the blobs and values of a vector by their ids: later steps
// refer to those of earlier ones.
type blobStore struct {
	blobs  map[int]recordedPart
	values map[int]CachedHeader
}

var headerNames = []string{"", "return-path", "reply-to", "in-reply-to", "references", "content-disposition",
	"content-type", "subject", "date", "bcc", "cc", "to", "from"}

// rows reads what one step wrote. Blobs and values may be from earlier steps.
func (b *blobStore) rows(t *testing.T, w map[string][]map[string]json.RawMessage) recordedRows {
	t.Helper()
	var r recordedRows
	for _, row := range w["dbmail_mimeparts"] {
		var blob struct {
			B64, SHA1 string
		}
		if err := json.Unmarshal(row["data"], &blob); err != nil {
			t.Fatal(err)
		}
		p := recordedPart{hash: value[string](t, row, "hash")}
		if blob.SHA1 == "" {
			data, err := base64.StdEncoding.DecodeString(blob.B64)
			if err != nil {
				t.Fatal(err)
			}
			p.data = data
			if value[int](t, row, "size") != len(data) || p.hash != sha1Hex(data) {
				t.Fatal("recorded size or hash is not the blob's")
			}
		}
		b.blobs[value[int](t, row, "id")] = p
	}
	for _, row := range w["dbmail_partlists"] {
		p := b.blobs[value[int](t, row, "part_id")]
		p.header = value[int](t, row, "is_header") == 1
		p.key, p.depth, p.order = value[int](t, row, "part_key"), value[int](t, row, "part_depth"), value[int](t, row, "part_order")
		r.parts = append(r.parts, p)
	}
	sort.Slice(r.parts, func(i, j int) bool {
		p, q := r.parts[i], r.parts[j]
		return before(&Part{Key: p.key, Depth: p.depth, Order: p.order}, &Part{Key: q.key, Depth: q.depth, Order: q.order})
	})
	for _, row := range w["dbmail_headervalue"] {
		h := CachedHeader{Value: value[string](t, row, "headervalue"), SortField: value[string](t, row, "sortfield")}
		if date := value[*string](t, row, "datefield"); date != nil {
			h.Date = *date
		}
		if value[string](t, row, "hash") != sha1Hex([]byte(h.Value)) {
			t.Fatal("recorded hash is not the value's")
		}
		b.values[value[int](t, row, "id")] = h
	}
	sort.SliceStable(w["dbmail_header"], func(i, j int) bool { // the order of insertion, as far as it shows
		return value[int](t, w["dbmail_header"][i], "headervalue_id") < value[int](t, w["dbmail_header"][j], "headervalue_id")
	})
	for _, row := range w["dbmail_header"] {
		h := b.values[value[int](t, row, "headervalue_id")]
		h.Name = headerNames[value[int](t, row, "headername_id")]
		r.headers = append(r.headers, h)
	}
	for _, row := range w["dbmail_envelope"] {
		r.envelope = value[string](t, row, "envelope")
	}
	for _, row := range w["dbmail_referencesfield"] {
		r.references = append(r.references, value[string](t, row, "referencesfield"))
	}
	phys := w["dbmail_physmessage"][0]
	r.size, r.rfcSize = value[int64](t, phys, "messagesize"), value[int64](t, phys, "rfcsize")
	r.received, _ = time.Parse(time.DateTime, value[string](t, phys, "internal_date"))
	return r
}

// TestVectors: every recorded message gives the recorded rows, but for the
// differences that testdata/differences.md lists.
func TestVectors(t *testing.T) {
	used := map[string]map[string]bool{}
	stored := 0
	for _, v := range loadVectors(t) {
		store := blobStore{map[int]recordedPart{}, map[int]CachedHeader{}}
		for n, step := range v.Steps {
			if len(step.Written["dbmail_physmessage"]) == 0 {
				continue // DBMail did not store it
			}
			stored++
			wire, err := os.ReadFile("testdata/vectors/eml/" + step.EML)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.HasSuffix(wire, []byte("\n")) {
				wire = append(wire, "\r\n"...) // as the recording client did
			}
			t.Run(v.Name, func(t *testing.T) {
				want := store.rows(t, step.Written)
				d := deviations{used: used, vector: v.Name, sender: v.Sender, wire: wire}
				d.apply(t, &want)
				m := checkIdentity(t, wire, Options{Sender: v.Sender, Received: want.received})
				if n > 0 { // values of earlier steps hide the order
					byName := func(a, b CachedHeader) int { return strings.Compare(a.Name+"\x00"+a.Value, b.Name+"\x00"+b.Value) }
					slices.SortFunc(m.Headers, byName)
					slices.SortFunc(want.headers, byName)
				}
				compare(t, m, &want)
			})
		}
	}
	if stored < 45 {
		t.Errorf("only %d recorded messages", stored)
	}
	checkDifferences(t, used, stored)
}

// sha1Hex is DBMail's default hash.
func sha1Hex(b []byte) string {
	sum := sha1.Sum(b)
	return hex.EncodeToString(sum[:])
}

func compare(t *testing.T, m *Message, want *recordedRows) {
	t.Helper()
	if len(m.Parts) != len(want.parts) {
		t.Fatalf("%d rows, want %d:%s", len(m.Parts), len(want.parts), rows(m.Parts))
	}
	for i, p := range m.Parts {
		w := want.parts[i]
		if p.Header != w.header || p.Key != w.key || p.Depth != w.depth || p.Order != w.order {
			t.Errorf("row %d is %v %d %d %d, want %v %d %d %d", i, p.Header, p.Key, p.Depth, p.Order, w.header, w.key, w.depth, w.order)
		}
		if w.data != nil && !bytes.Equal(p.Data, w.data) {
			t.Errorf("row %d\n got %q\nwant %q", i, p.Data, w.data)
		} else if w.data == nil && sha1Hex(p.Data) != w.hash {
			t.Errorf("row %d: another blob", i)
		}
	}
	for i := range max(len(m.Headers), len(want.headers)) {
		var got, w CachedHeader
		if i < len(m.Headers) {
			got = m.Headers[i]
		}
		if i < len(want.headers) {
			w = want.headers[i]
		}
		if got != w {
			t.Errorf("cached header %d\n got %q\nwant %q", i, got, w)
		}
	}
	if m.Envelope != want.envelope {
		t.Errorf("envelope\n got %s\nwant %s", m.Envelope, want.envelope)
	}
	if strings.Join(m.References, " ") != strings.Join(want.references, " ") {
		t.Errorf("references %q, want %q", m.References, want.references)
	}
	if m.Size != want.size || m.RFCSize != want.rfcSize {
		t.Errorf("sizes %d and %d, want %d and %d", m.Size, m.RFCSize, want.size, want.rfcSize)
	}
}
