package main

import "testing"

func TestMetric(t *testing.T) {
	text := []byte("# HELP a_b x\n# TYPE a_b gauge\na_b 1.5e+07\na_b_c 3\na_d{x=\"y\"} 4\n")
	for name, want := range map[string]float64{"a_b": 1.5e7, "a_b_c": 3} {
		if got, err := metric(text, name); err != nil || got != want {
			t.Errorf("%s: %v, %v; want %v", name, got, err, want)
		}
	}
	for _, name := range []string{"a", "a_d", "b"} {
		if got, err := metric(text, name); err == nil {
			t.Errorf("%s: %v", name, got)
		}
	}
}
