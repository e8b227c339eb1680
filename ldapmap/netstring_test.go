package ldapmap

import (
	"bytes"
	"errors"
	"strings"
	"testing"
)

func TestParseNetstring(t *testing.T) {
	long := strings.Repeat("k", maxRequest)
	for _, c := range []struct {
		in, payload string
		used, want  int
		err         error
	}{
		{"5:a b@c,", "a b@c", 8, 8, nil},
		{"5:a b@c,3:", "a b@c", 8, 8, nil},
		{"0:,", "", 3, 3, nil},
		{"0005:a b@c,", "a b@c", 11, 11, nil},
		{netstring(long), long, len(long) + 7, len(long) + 7, nil},
		{"", "", 0, 1, nil},
		{"1", "", 0, 2, nil},
		{"12", "", 0, 3, nil},
		{"12:", "", 0, 16, nil},
		{"5:a b@c", "", 0, 8, nil},
		{"5:a b@c;", "", 0, 0, errNoComma},
		{"5:a b@cd", "", 0, 0, errNoComma},
		{":,", "", 0, 0, errNoLength},
		{"+5:a b@c,", "", 0, 0, errNoLength},
		{"-1:,", "", 0, 0, errNoLength},
		{" 5:a b@c,", "", 0, 0, errNoLength},
		{"5 :a b@c,", "", 0, 0, errNoLength},
		{"GET / HTTP/1.1", "", 0, 0, errNoLength},
		{"0000000005:a b@c,", "", 0, 0, errNoLength},
		{"65793:", "", 0, 0, errTooLong},
		{"99999", "", 0, 0, errTooLong},
		{"18446744073709551621:", "", 0, 0, errTooLong},
	} {
		payload, used, want, err := parseNetstring([]byte(c.in))
		if string(payload) != c.payload || used != c.used || want != c.want || !errors.Is(err, c.err) {
			t.Errorf("%.40q: %.40q, used %d, want %d, %v", c.in, payload, used, want, err)
		}
	}
}

func TestAppendReply(t *testing.T) {
	for _, c := range [][3]string{
		{statusOK, "data", "7:OK data,"},
		{statusNotFound, "", "9:NOTFOUND ,"},
		{statusTemp, "a, b", "9:TEMP a, b,"},
	} {
		if got := string(appendReply(nil, c[0], c[1])); got != c[2] {
			t.Errorf("%q, want %q", got, c[2])
		}
	}
}

// Postfix's limits, as it documents them.
func TestLimits(t *testing.T) {
	if maxReply != 100000 || maxKey < 60000 || maxRequest >= 100000 {
		t.Error(maxReply, maxKey, maxRequest)
	}
}

func FuzzParseNetstring(f *testing.F) {
	for _, s := range []string{"5:a b@c,", "0:,", "00:,", "65792:", "5:a b@c,3:a b", "x", "4:a\x00 b,"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		payload, used, want, err := parseNetstring(in)
		if !bytes.Equal(in, before) {
			t.Fatal("input was changed")
		}
		switch {
		case err != nil:
			if used != 0 || payload != nil {
				t.Fatal("an error with a payload")
			}
		case used == 0:
			if want <= len(in) || want > maxDigits+1+maxRequest+1 {
				t.Fatalf("wants %d of %d bytes", want, len(in))
			}
		default:
			if used > len(in) || used != want || in[used-1] != ',' || len(payload) >= used || len(payload) > maxRequest {
				t.Fatalf("used %d, payload %d", used, len(payload))
			}
			// What follows the frame changes nothing.
			again, usedAgain, _, err := parseNetstring(append(bytes.Clone(in[:used]), '7'))
			if err != nil || usedAgain != used || !bytes.Equal(again, payload) {
				t.Fatal("what follows was looked at")
			}
		}
	})
}
