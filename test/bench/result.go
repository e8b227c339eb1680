package main

import "gatepost/test/rig"

// result is one line of the table.
type result struct {
	cell
	System string `json:"system"`
	What   string `json:"how,omitempty"` // messages per transaction × writers
	measurement
}

// ratio compares gatepost with the references in one cell. What was not
// measured is 0.
type ratio struct {
	cell
	System       string  `json:"system"`
	OverDovecot  float64 `json:"over_dovecot"`
	OverBare     float64 `json:"over_bare"`
	OverBest     float64 `json:"over_bare_best"`
	MoreThanBare float64 `json:"p50_ms_more_than_bare"` // one session only
}

// report is what a run measured.
type report struct {
	Machine machine  `json:"machine"`
	Seconds float64  `json:"seconds_per_cell"`
	Results []result `json:"results"`
	Ratios  []ratio  `json:"ratios"`
	Pairs   []pair   `json:"directory_beside_sql,omitempty"`
}

// compare fills in the ratios.
func (r *report) compare() {
	find := func(c cell, system string) (result, bool) {
		for _, x := range r.Results {
			if x.cell == c && x.System == system {
				return x, true
			}
		}
		return result{}, false
	}
	bares := map[string]string{gatepostMariaDB: bareMariaDB, gatepostSQLite: bareSQLite}
	for _, x := range r.Results {
		reference, ours := bares[x.System]
		if !ours {
			continue
		}
		y := ratio{cell: x.cell, System: x.System}
		if d, ok := find(x.cell, dovecotMaildir); ok {
			y.OverDovecot = x.Messages / d.Messages
		}
		if b, ok := find(x.cell, reference); ok {
			y.OverBare = x.Messages / b.Messages
			if x.Sessions == 1 {
				y.MoreThanBare = rig.Milliseconds(x.P50 - b.P50)
			}
		}
		if b, ok := find(x.cell, reference+best); ok {
			y.OverBest = x.Messages / b.Messages
		}
		r.Ratios = append(r.Ratios, y)
	}
}
