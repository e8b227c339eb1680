package message

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestRebuildRecorded joins the rows that DBMail itself wrote and compares with
// what its IMAP server made of them, and with what was delivered.
func TestRebuildRecorded(t *testing.T) {
	// The server parses what it has joined once more: it adds a line, or sees
	// in a junk line none of the header. And where DBMail's rows lack
	// something, so does every reader.
	serverOnly := map[string]bool{"04-no-header-terminator": true, "26-no-boundary-param": true, "40-digest": true}
	compared := 0
	for _, v := range loadVectors(t) {
		store := blobStore{map[int]recordedPart{}, map[int]CachedHeader{}}
		if len(v.Steps) == 0 || len(v.Steps[0].Written["dbmail_physmessage"]) == 0 {
			continue
		}
		r := store.rows(t, v.Steps[0].Written)
		s := Stored{Size: r.size, RFCSize: r.rfcSize}
		for _, p := range r.parts {
			if p.data == nil {
				s.Parts = nil
				break // recorded by hash only
			}
			s.Parts = append(s.Parts, Part{p.header, p.key, p.depth, p.order, p.data})
		}
		body, ok := imapBody(t, v.Name)
		if len(s.Parts) == 0 || !ok {
			continue
		}
		var got bytes.Buffer
		if err := Rebuild(&got, s); err != nil {
			t.Fatal(err)
		}
		if !serverOnly[v.Name] && !bytes.Equal(got.Bytes(), body) {
			t.Errorf("%s\n got %q\nwant %q", v.Name, got.Bytes(), body)
		}
		compared++
		if v.Name == "04-no-header-terminator" && strings.HasSuffix(got.String(), "\r\n\r\n") {
			t.Errorf("%s got an empty line that it never had", v.Name)
		}
	}
	if compared < 40 {
		t.Errorf("only %d messages compared", compared)
	}
}

// imapBody is the BODY[] that DBMail's IMAP server gave for the first message.
func imapBody(t *testing.T, name string) ([]byte, bool) {
	t.Helper()
	b, err := os.ReadFile("testdata/vectors/" + name + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var v struct {
		IMAP []struct{ Body struct{ B64 string } } `json:"imap_alice"`
	}
	if err := json.Unmarshal(b, &v); err != nil {
		return nil, false
	}
	if len(v.IMAP) == 0 || v.IMAP[0].Body.B64 == "" {
		return nil, false
	}
	body, err := base64.StdEncoding.DecodeString(v.IMAP[0].Body.B64)
	if err != nil {
		t.Fatal(err)
	}
	return body, true
}
