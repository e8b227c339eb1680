package ldapmap

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"gatepost/internal/directory"

	"github.com/prometheus/client_golang/prometheus"
)

// lastYear is a table during an outage: what it found is still given, what it
// did not find only to who takes an old "no".
type lastYear struct {
	found map[string]string
	never []string // was never asked for
}

func (l lastYear) Lookup(ctx context.Context, key string) (string, bool, error) {
	for _, n := range l.never {
		if n == key {
			return "", false, directory.ErrUnavailable
		}
	}
	if data, ok := l.found[key]; ok {
		return data, true, nil
	}
	if !takesStaleNo(ctx) {
		return "", false, fmt.Errorf("search: %w", directory.ErrUnavailable)
	}
	return "", false, nil
}

func TestOutage(t *testing.T) {
	p := DefaultPostfix()
	p.RecipientDelimiter = "+"
	recipients := map[string]string{"bob@example.com": "1", "@all.example.com": "1"}
	for _, test := range []struct {
		class Class
		found map[string]string
		never string
		key   string
		want  string // data, "no" or "cannot tell"
	}{
		{RelayRecipient, recipients, "", "bob@example.com", "1"},
		{RelayRecipient, recipients, "", "bob+x@example.com", "1"},
		{RelayRecipient, recipients, "", "x@all.example.com", "1"},
		{RelayRecipient, recipients, "", "nobody@example.com", "cannot tell"},
		{RelayRecipient, recipients, "bob+x@example.com", "bob+x@example.com", "cannot tell"},
		{Mailbox, recipients, "", "nobody@example.com", "cannot tell"},
		{SenderLogin, nil, "", "bob@example.com", "cannot tell"},
		{Access, nil, "", "bob@example.com", "cannot tell"},
		{Domain, map[string]string{"example.com": "1"}, "", "example.com", "1"},
		{Domain, map[string]string{"example.com": "1"}, "", "example.org", "cannot tell"},
		{Exact, recipients, "", "bob+x@example.com", "cannot tell"},
		{VirtualAlias, map[string]string{"sales@example.com": "bob@example.com"}, "", "sales+x@example.com", "bob+x@example.com"},
		// Who has a mailbox need not be an alias; who has none might have become one.
		{VirtualAlias, nil, "", "bob@example.com", "no"},
		{VirtualAlias, nil, "", "bob+x@example.com", "no"},
		{VirtualAlias, nil, "", "nobody@example.com", "cannot tell"},
		{VirtualAlias, nil, "bob@example.com", "bob@example.com", "cannot tell"},
		{Transport, map[string]string{"example.com": "lmtp:x"}, "", "nobody@example.com", "lmtp:x"},
		{Transport, nil, "", "bob@example.com", "no"},
		{Transport, nil, "", "nobody@example.com", "cannot tell"},
		{Transport, nil, "", "*", "no"},
		{Canonical, nil, "", "nora@elsewhere.test", "no"},
	} {
		metrics := NewMetrics(prometheus.NewRegistry())
		never := []string{}
		if test.never != "" {
			never = append(never, test.never)
		}
		live := &Live{Maps: map[string]*Map{
			"this": NewMap("this", NewKeys(test.class, p), lastYear{test.found, never}, time.Second, metrics),
			"who":  NewMap("who", NewKeys(RelayRecipient, p), lastYear{recipients, nil}, time.Second, metrics),
		}}
		live.introduce()
		data, found, err := live.Maps["this"].Lookup(t.Context(), test.key)
		got := data
		switch {
		case errors.Is(err, directory.ErrUnavailable):
			got = "cannot tell"
		case err != nil:
			t.Fatal(err)
		case !found:
			got = "no"
		}
		if got != test.want {
			t.Errorf("%s, never asked %q: %s: %q, want %q", test.class, test.never, test.key, got, test.want)
		}
	}
}
