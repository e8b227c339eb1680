package main

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"gatepost/test/rig"
)

// pairRounds is how often both systems of a pair are measured in each cell.
// Which of them comes first alternates, so that a machine that grows faster or
// slower does so for both.
const pairRounds = 8

// pair compares lmtpd with recipients of a directory, all of them known to its
// cache, and with recipients of DBMail's tables.
type pair struct {
	cell
	SQL       float64 `json:"sql_messages_per_second"` // medians
	Directory float64 `json:"directory_messages_per_second"`
	// Rate and CPU are the directory's figures over SQL's in the same round.
	Rate spread `json:"rate_ratio"`
	CPU  spread `json:"cpu_ratio"`
}

// spread of some figures.
type spread struct {
	Median float64 `json:"median"`
	Low    float64 `json:"lower_quartile"`
	High   float64 `json:"upper_quartile"`
	Least  float64 `json:"least"`
	Most   float64 `json:"most"`
}

func spreadOf(figures []float64) spread {
	s := slices.Sorted(slices.Values(figures))
	at := func(q float64) float64 {
		i := q * float64(len(s)-1)
		low := int(i)
		high := min(low+1, len(s)-1)
		return s[low] + (i-float64(low))*(s[high]-s[low])
	}
	return spread{Median: at(0.5), Low: at(0.25), High: at(0.75), Least: s[0], Most: s[len(s)-1]}
}

func (s spread) String() string {
	return fmt.Sprintf("%.3f (%.3f–%.3f, all %.2f–%.2f)", s.Median, s.Low, s.High, s.Least, s.Most)
}

// pairs measures with the smallest messages, of which looking up is the
// largest part.
func (p plan) pairs(ctx context.Context, b *bench, r *report) error {
	size := slices.Min(p.sizes)
	for _, recipients := range p.recipients {
		if err := rig.Within(func(t testing.TB) {
			b.slapd = startSlapd(t)
			both := [2]system{b.start(t, gatepostMariaDB, cell{})[0], b.start(t, gatepostLDAP, cell{})[0]}
			for _, s := range both {
				if err := b.load.warm(ctx, s.addr); err != nil {
					t.Fatalf("%s: %v", s.name, err)
				}
			}
			for _, sessions := range p.sessions {
				r.Pairs = append(r.Pairs, p.pair(ctx, t, b, both, cell{Size: size, Recipients: recipients, Sessions: sessions}))
			}
		}); err != nil {
			return err
		}
	}
	return nil
}

// pair measures one cell.
func (p plan) pair(ctx context.Context, t testing.TB, b *bench, both [2]system, c cell) pair {
	t.Helper()
	var rates, costs []float64
	var figures [2][]float64
	for round := range pairRounds {
		var m [2]measurement
		for turn := range both {
			k := (round + turn) % 2
			if ctx.Err() != nil {
				t.Fatal("interrupted")
			}
			settle(t, b.server)
			var err error
			if m[k], _, err = both[k].measure(c, pace{p.pace.warm / 2, p.pace.measure / 2}); err != nil {
				t.Fatalf("%s, %d octets to %d, %d sessions: %v", both[k].name, c.Size, c.Recipients, c.Sessions, err)
			}
			figures[k] = append(figures[k], m[k].Messages)
		}
		rates = append(rates, m[1].Messages/m[0].Messages)
		costs = append(costs, float64(m[1].CPU)/float64(m[0].CPU))
		b.say("directory beside SQL, %d octets to %d, %d sessions, round %d: %.0f and %.0f msg/s, CPU %.2f and %.2f ms", c.Size, c.Recipients, c.Sessions, round+1,
			m[1].Messages, m[0].Messages, rig.Milliseconds(m[1].CPU), rig.Milliseconds(m[0].CPU))
	}
	return pair{cell: c, SQL: spreadOf(figures[0]).Median, Directory: spreadOf(figures[1]).Median, Rate: spreadOf(rates), CPU: spreadOf(costs)}
}
