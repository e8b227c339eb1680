package main

import (
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []int
		want int
	}{{nil, 0}, {[]int{4}, 4}, {[]int{9, 1, 5}, 5}, {[]int{9, 1, 5, 7}, 5}} {
		if got := median(c.in); got != c.want {
			t.Errorf("%v: %d, want %d", c.in, got, c.want)
		}
	}
}

func TestReport(t *testing.T) {
	rates := map[string][]float64{byMemory: {1000, 500, 2000}, gatepost: {900, 480, 1000}, byProxy: {400, 300, 500}}
	r := &report{}
	for round := range 3 {
		var results []result
		for system, rate := range rates {
			for _, cache := range []string{cold, warm} {
				f := figures{Rate: rate[round], P50: time.Millisecond, P99: time.Duration(1e12 / rate[round]), Connections: 2}
				results = append(results, result{cell{loadRCPT, cache}, system, f})
			}
		}
		r.Rounds = append(r.Rounds, results)
	}
	r.summarise(plan{systems: systemNames(), loads: []string{loadPostmap, loadRCPT}})
	if len(r.Results) != 6 || len(r.Ratios) != 2 {
		t.Fatalf("%d results, %d ratios: %+v", len(r.Results), len(r.Ratios), r)
	}
	// Not the ratio of the medians, but the median of the ratios.
	if x := r.Ratios[1]; x.cell != (cell{loadRCPT, warm}) || x.System != gatepost || x.OverMemory != .9 || x.OverProxy != 2 || x.OverLDAP != 0 {
		t.Errorf("%+v", x)
	}
	met := map[string]bool{}
	for _, a := range r.Aims {
		met[a.What] = a.Met
	}
	for _, what := range []string{"rcpt warm, times memory", "rcpt cold, times proxy", "rcpt cold, LDAP connections", "rcpt warm, p99 as part of that of proxy"} {
		if !met[what] {
			t.Errorf("%s: not met in %+v", what, r.Aims)
		}
	}
	slow := &report{Ratios: []ratio{{cell{loadPostmap, warm}, gatepost, .8, 2, 2}}}
	slow.judge()
	if len(slow.Aims) != 1 || slow.Aims[0].Met {
		t.Errorf("%+v", slow.Aims)
	}
}
