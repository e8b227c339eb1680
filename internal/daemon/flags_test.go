package daemon

import (
	"errors"
	"flag"
	"reflect"
	"strings"
	"testing"
)

func TestParseFlags(t *testing.T) {
	const config = "/etc/gatepost/x.toml"
	for _, test := range []struct {
		args []string
		want Flags
		says string // what is printed, for a wrong command line
	}{
		{nil, Flags{Config: config}, ""},
		{[]string{"--config", "/x", "--check"}, Flags{Config: "/x", Check: true}, ""},
		{[]string{"--listen=inet:127.0.0.1:0", "--listen", "systemd:x"}, Flags{Config: config, Listen: []string{"inet:127.0.0.1:0", "systemd:x"}}, ""},
		{[]string{"-version"}, Flags{Config: config, Version: true}, ""},
		{[]string{"--listen", "tcp:1"}, Flags{}, "write unix:/path, inet:HOST:PORT or systemd:NAME"},
		{[]string{"--chek"}, Flags{}, "flag provided but not defined: -chek"},
		{[]string{"--check", "more"}, Flags{}, `x: unexpected argument "more"`},
		{[]string{"--help"}, Flags{}, "usage: x [--config FILE]"},
	} {
		var out strings.Builder
		got, err := ParseFlags("x", config, test.args, &out)
		if !reflect.DeepEqual(got, test.want) || (err != nil) != (test.says != "") || !strings.Contains(out.String(), test.says) {
			t.Errorf("%q gives %+v, %v, and prints %q", test.args, got, err, out.String())
		}
		if isHelp := len(test.args) == 1 && test.args[0] == "--help"; errors.Is(err, flag.ErrHelp) != isHelp {
			t.Errorf("%q gives %v", test.args, err)
		}
	}
}

func TestVersion(t *testing.T) {
	if got := Version("v1.2"); got != "v1.2" {
		t.Errorf("stamped: %q", got)
	}
	if got := Version(""); got == "" {
		t.Error("not stamped: empty")
	}
}
