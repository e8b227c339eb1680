package rig

import "time"

// Percentile of sorted values, by the nearest rank.
func Percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)*p+99)/100-1]
}

// Milliseconds is a duration as tables show it.
func Milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
