package daemon

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span in a configuration file: "300ms", "5s", "1h30m".
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler. A negative span is
// refused: no setting of ours has a use for one.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("%q is not a duration; write a number with its unit, such as \"300ms\", \"5s\" or \"1h30m\"", text)
	}
	if v < 0 {
		return fmt.Errorf("%q is negative; write a duration of zero or more", text)
	}
	*d = Duration(v)
	return nil
}

// String gives the form that UnmarshalText reads.
func (d Duration) String() string { return time.Duration(d).String() }

// Size is a number of bytes in a configuration file: "512", "64K", "100M",
// "2G", in powers of 1024.
type Size int64

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *Size) UnmarshalText(text []byte) error {
	digits, unit := string(text), int64(1)
	if n := len(digits); n > 0 {
		if power := strings.IndexByte("KMGT", digits[n-1]&^0x20); power >= 0 {
			digits, unit = digits[:n-1], int64(1)<<(10*(power+1))
		}
	}
	v, err := strconv.ParseUint(digits, 10, 63)
	if err != nil || int64(v) > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a size; write bytes, or a whole number with K, M, G or T (powers of 1024), such as \"100M\"", text)
	}
	*s = Size(int64(v) * unit)
	return nil
}

// String gives the form that UnmarshalText reads, in the largest exact unit.
func (s Size) String() string {
	v, units := int64(s), "KMGT"
	if v == 0 {
		return "0"
	}
	suffix := ""
	for i := 0; i < len(units) && v%1024 == 0; i++ {
		v /= 1024
		suffix = units[i : i+1]
	}
	return strconv.FormatInt(v, 10) + suffix
}
