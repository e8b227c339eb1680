package rig

import (
	"testing"
	"time"
)

func TestPercentile(t *testing.T) {
	var hundred []time.Duration
	for i := range 100 {
		hundred = append(hundred, time.Duration(i+1))
	}
	for _, c := range []struct {
		in   []time.Duration
		p    int
		want time.Duration
	}{{hundred, 50, 50}, {hundred, 99, 99}, {hundred, 100, 100}, {hundred[:1], 50, 1}, {hundred[:1], 99, 1}, {hundred[:2], 50, 1}, {hundred[:10], 99, 10}} {
		if got := Percentile(c.in, c.p); got != c.want {
			t.Errorf("p%d of %d values: %d, want %d", c.p, len(c.in), got, c.want)
		}
	}
}
