package main

import "testing"

func TestCheckPostmap(t *testing.T) {
	keys := []key{{"a@x", "a@x"}, {"b@x", ""}, {"c@x", "a@x"}}
	const once = "a@x\ta@x\nc@x\ta@x\n"
	for _, c := range []struct {
		out   string
		times int
		good  bool
	}{
		{once, 1, true}, {once + once, 2, true}, {once, 2, false}, {once + once, 1, false}, {"", 1, false},
		{"a@x\ta@x\n", 1, false}, {"a@x\ta@x\nb@x\tb@x\nc@x\ta@x\n", 1, false}, {"a@x\ta@x\nc@x\tc@x\n", 1, false},
	} {
		if err := checkPostmap([]byte(c.out), keys, c.times); (err == nil) != c.good {
			t.Errorf("%q, %d times: %v", c.out, c.times, err)
		}
	}
}
