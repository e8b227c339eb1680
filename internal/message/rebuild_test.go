package message

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// wanted is what Rebuild must give for what ReadRaw took in.
func wanted(raw *Raw, sender string) []byte {
	lf := append([]byte("Return-Path: <"+sender+">\n"), raw.Data...)
	return bytes.ReplaceAll(lf, []byte("\n"), []byte("\r\n"))
}

// checkIdentity splits and rebuilds wire and returns the split message.
func checkIdentity(t *testing.T, wire []byte, opt Options) *Message {
	t.Helper()
	raw, err := ReadRaw(bytes.NewReader(wire), 0, int64(len(wire)))
	if err == ErrNUL {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	m := Split(raw, opt)
	var got bytes.Buffer
	if err := Rebuild(&got, Stored{Parts: m.Parts, Size: m.Size, RFCSize: m.RFCSize}); err != nil {
		t.Fatal(err)
	}
	want := wanted(raw, opt.Sender)
	if !bytes.Equal(got.Bytes(), want) {
		t.Fatalf("rebuilt message differs\n got %q\nwant %q\nrows %s", got.Bytes(), want, rows(m.Parts))
	}
	if m.RFCSize != int64(len(want)) {
		t.Fatalf("RFCSize %d, Rebuild gives %d", m.RFCSize, len(want))
	}
	if m.Size != int64(len(wire)) {
		t.Fatalf("Size %d of %d octets", m.Size, len(wire))
	}
	return m
}

func rows(parts []Part) string {
	var b strings.Builder
	for _, p := range parts {
		kind := "body"
		if p.Header {
			kind = "head"
		}
		b.WriteString("\n  ")
		b.WriteString(kind)
		b.WriteString(" ")
		b.WriteString(strings.Join([]string{itoa(p.Key), itoa(p.Depth), itoa(p.Order)}, " "))
		b.WriteString(" " + string(p.Data))
	}
	return b.String()
}

func emls(tb testing.TB) map[string][]byte {
	files, err := filepath.Glob("testdata/vectors/eml/*.eml")
	if err != nil || len(files) == 0 {
		tb.Fatalf("no vectors: %v", err)
	}
	all := map[string][]byte{}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(f), ".eml")] = b
	}
	return all
}

func TestVectorsRebuild(t *testing.T) {
	for name, wire := range emls(t) {
		t.Run(name, func(t *testing.T) {
			m := checkIdentity(t, wire, Options{Sender: "sender@remote.test"})
			if m != nil && m.Unsplit {
				t.Log("unsplit")
			}
		})
	}
}

func FuzzIdentity(f *testing.F) {
	for _, wire := range emls(f) {
		if len(wire) < 4000 {
			f.Add(wire)
			f.Add(bytes.ReplaceAll(wire, []byte("\r\n"), []byte("\n")))
		}
	}
	for _, s := range oddMessages() {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, wire []byte) { checkIdentity(t, wire, Options{Sender: "s@x"}) })
}
