package lmtpd

import (
	"context"
	"strings"
	"testing"

	"gatepost/internal/dbmail"
	"gatepost/internal/message"
	"gatepost/lmtpd/recipient"
)

// TestSlowSmarthost: one that takes its time for each address gets as far as
// there is time, and the rest follows when the client comes again. Nobody gets
// two.
func TestSlowSmarthost(t *testing.T) {
	s, set := smarthost(t)
	b := newBench(t, set)
	text := sample(1)
	raw, err := message.ReadRaw(strings.NewReader(strings.ReplaceAll(text, "\n", "\r\n")), 1<<20, 0)
	if err != nil {
		t.Fatal(err)
	}
	to := []string{"a@outside.test", "b@outside.test", "c@outside.test", "d@outside.test"}
	for round, want := range []string{"sent sent doubt doubt", "sent sent sent sent"} {
		ctx, cancel := context.WithCancel(t.Context())
		s.set(func() {
			s.fail = func(to string) error {
				if to == "b@outside.test" {
					cancel() // the time is over while this one is looked at
				}
				return nil
			}
		})
		d := &delivery{s: &session{set: b.set, log: b.set.Log}, raw: raw,
			tx: transaction{from: "nora@sender.test", rcpts: []accepted{{"fwd@example.org", recipient.Recipient{Recipient: dbmail.Recipient{Forwards: to}}}}}}
		d.forward(ctx, make([]error, 1))
		cancel()
		var got []string
		for _, f := range to {
			word := "sent"
			if rank(b.set.verdict(d.remote[f])) != 0 {
				word = "doubt"
			}
			got = append(got, word)
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("attempt %d: %s, want %s: %v", round+1, text, want, d.remote)
		}
	}
	count := map[string]int{}
	for _, m := range s.all() {
		for _, one := range m.to {
			count[one]++
		}
	}
	for _, one := range to {
		if count[one] != 1 {
			t.Errorf("%s got %d", one, count[one])
		}
	}
}
