package main

import "testing"

func TestSpread(t *testing.T) {
	if s := spreadOf([]float64{5, 1, 3, 2, 4}); s != (spread{Median: 3, Low: 2, High: 4, Least: 1, Most: 5}) {
		t.Errorf("%+v", s)
	}
	if s := spreadOf([]float64{2, 1}); s != (spread{Median: 1.5, Low: 1.25, High: 1.75, Least: 1, Most: 2}) {
		t.Errorf("%+v", s)
	}
	if s := spreadOf([]float64{1}); s != (spread{1, 1, 1, 1, 1}) {
		t.Errorf("%+v", s)
	}
}
