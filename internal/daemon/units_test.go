package daemon

import (
	"strings"
	"testing"
	"time"
)

func TestDuration(t *testing.T) {
	for text, want := range map[string]time.Duration{"5s": 5 * time.Second, "0s": 0, "1h30m": 90 * time.Minute, "300ms": 300 * time.Millisecond} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q gives %v, %v", text, d, err)
		}
	}
	for _, text := range []string{"", "5", "5 s", "-1s", "5 minutes"} {
		d := Duration(7)
		if err := d.UnmarshalText([]byte(text)); err == nil || !strings.Contains(err.Error(), `"`+text+`"`) || d != 7 {
			t.Errorf("%q gives %v, %v", text, d, err)
		}
	}
}

func TestSize(t *testing.T) {
	for text, want := range map[string]Size{"0": 0, "512": 512, "64K": 64 << 10, "100M": 100 << 20, "2g": 2 << 30, "8388607T": 8388607 << 40} {
		var s Size
		if err := s.UnmarshalText([]byte(text)); err != nil || s != want {
			t.Errorf("%q gives %d, %v", text, s, err)
		}
		var back Size
		if err := back.UnmarshalText([]byte(s.String())); err != nil || back != s {
			t.Errorf("%q is shown as %q, which gives %d, %v", text, s, back, err)
		}
	}
	for _, text := range []string{"", "K", "1.5M", "-1", "+1", "10MB", "10 M", "8388608T", "9223372036854775808", "１"} {
		s := Size(7)
		if err := s.UnmarshalText([]byte(text)); err == nil || s != 7 {
			t.Errorf("%q gives %d, %v", text, s, err)
		}
	}
}
