package main

import (
	"cmp"
	"slices"
	"time"
)

// report is what a run measured.
type report struct {
	Machine  machine    `json:"machine"`
	Sessions int        `json:"sessions"`
	Rounds   [][]result `json:"rounds"`  // each of one load
	Results  []result   `json:"results"` // medians
	Ratios   []ratio    `json:"ratios"`
	Aims     []aim      `json:"aims"`
}

// ratio compares a system's rate with others' in one cell, each round by
// itself; the median counts. What was not measured is 0.
type ratio struct {
	cell
	System     string  `json:"system"`
	OverMemory float64 `json:"over_memory"`
	OverProxy  float64 `json:"over_proxy"`
	OverLDAP   float64 `json:"over_ldap"`
}

// aim is what we want of gatepost, and what it came to.
type aim struct {
	What string  `json:"what"`
	Want float64 `json:"want"`
	Got  float64 `json:"got"`
	Most bool    `json:"want_is_the_most"`
	Met  bool    `json:"met"`
}

// summarise fills in medians, ratios and aims.
func (r *report) summarise(p plan) {
	for _, load := range p.loads {
		for _, cache := range []string{cold, warm} {
			for _, system := range p.systems {
				c := cell{load, cache}
				if all := r.of(c, system); len(all) > 0 {
					r.Results = append(r.Results, result{c, system, medians(all)})
					if ours(system) {
						r.Ratios = append(r.Ratios, ratio{c, system, r.over(c, system, byMemory), r.over(c, system, byProxy), r.over(c, system, byLDAP)})
					}
				}
			}
		}
	}
	r.judge()
}

// of gives a system's figures in a cell, round by round.
func (r *report) of(c cell, system string) (all []figures) {
	for _, round := range r.Rounds {
		for _, x := range round {
			if x.cell == c && x.System == system {
				all = append(all, x.figures)
			}
		}
	}
	return all
}

// over is the median of how many times as fast as another one a system was.
func (r *report) over(c cell, system, other string) float64 {
	mine, others := r.of(c, system), r.of(c, other)
	var ratios []float64
	for n := range min(len(mine), len(others)) {
		ratios = append(ratios, mine[n].Rate/others[n].Rate)
	}
	return median(ratios)
}

func medians(all []figures) figures {
	return figures{
		Rate:        medianOf(all, func(f figures) float64 { return f.Rate }),
		P50:         medianOf(all, func(f figures) time.Duration { return f.P50 }),
		P99:         medianOf(all, func(f figures) time.Duration { return f.P99 }),
		CPU:         medianOf(all, func(f figures) time.Duration { return f.CPU }),
		Slapd:       medianOf(all, func(f figures) time.Duration { return f.Slapd }),
		Daemon:      medianOf(all, func(f figures) time.Duration { return f.Daemon }),
		Connections: medianOf(all, func(f figures) int { return f.Connections }),
	}
}

func medianOf[T cmp.Ordered](all []figures, field func(figures) T) T {
	var values []T
	for _, f := range all {
		values = append(values, field(f))
	}
	return median(values)
}

// median of values, the lower one of an even number; 0 of none.
func median[T cmp.Ordered](values []T) (m T) {
	if len(values) == 0 {
		return m
	}
	slices.Sort(values)
	return values[(len(values)-1)/2]
}

// judge compares gatepost with what we want of it.
func (r *report) judge() {
	for _, x := range r.Ratios {
		if x.System != gatepost {
			continue
		}
		switch {
		case x.Cache == warm && x.OverMemory > 0:
			r.aim(x.Load+" warm, times memory", .85, x.OverMemory, false)
		case x.Load == loadRCPT && x.OverProxy > 0:
			r.aim("rcpt cold, times proxy", 1.5, x.OverProxy, false)
		}
	}
	for _, x := range r.Results {
		if x.System != gatepost || x.Load != loadRCPT {
			continue
		}
		r.aim("rcpt "+x.Cache+", LDAP connections", 4, float64(x.Connections), true)
		for _, peer := range []string{byProxy, byLDAP} {
			if f := r.of(x.cell, peer); len(f) > 0 {
				r.aim("rcpt "+x.Cache+", p99 as part of that of "+peer, 1, float64(x.P99)/float64(medians(f).P99), true)
			}
		}
	}
}

func (r *report) aim(what string, want, got float64, most bool) {
	met := got >= want
	if most {
		met = got <= want
	}
	r.Aims = append(r.Aims, aim{what, want, got, most, met})
}
