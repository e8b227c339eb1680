package message

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func TestFieldsAndAddresses(t *testing.T) {
	text := "To: Alice <alice@example.org>,\r\n\tFriends: bob@example.org, \"C, D\" <c@d.test>;\r\n" +
		"Subject: one\r\n two\r\nResent-To: <r@example.org>\r\nto: again@example.org\r\nX-Empty:\r\n\r\nTo: body@example.org\r\n"
	raw, err := ReadRaw(strings.NewReader(text), 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	m := Split(raw, Options{Received: time.Now()})
	for _, c := range []struct {
		name  string
		limit int
		want  []string
	}{
		{"TO", 1000, []string{"alice@example.org", "bob@example.org", "c@d.test", "again@example.org"}},
		{"To", 40, []string{"alice@example.org", "bob@example.org", "c@d.test"}},
		{"To", 39, []string{"alice@example.org", "bob@example.org"}},
		{"resent-to", 1000, []string{"r@example.org"}},
		{"Cc", 1000, nil},
		{"X-Empty", 1000, nil},
	} {
		if got := m.Addresses(c.name, c.limit); !slices.Equal(got, c.want) {
			t.Errorf("%s, %d octets: %q", c.name, c.limit, got)
		}
	}
	var fields []string
	for name, value := range m.Fields() {
		if fields = append(fields, name+"="+value); name == "to" {
			break
		}
	}
	if want := []string{"To=Alice <alice@example.org>,\tFriends: bob@example.org, \"C, D\" <c@d.test>;", "Subject=one two", "Resent-To=<r@example.org>", "to=again@example.org"}; !slices.Equal(fields, want) {
		t.Errorf("fields %q", fields)
	}
}
