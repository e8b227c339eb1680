package daemon

import (
	"strings"
	"testing"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]Address{
		"unix:/run/x":                         {Network: "unix", Path: "/run/x"},
		"unix:/run/x?mode=0660&group=postfix": {Network: "unix", Path: "/run/x", Mode: 0o660, Group: "postfix"},
		"unix:/run/x?group=103":               {Network: "unix", Path: "/run/x", Group: "103"},
		"inet:127.0.0.1:24":                   {Network: "inet", Host: "127.0.0.1", Port: "24"},
		"inet:[::1]:0":                        {Network: "inet", Host: "::1", Port: "0"},
		"inet:mail.example.com:lmtp":          {Network: "inet", Host: "mail.example.com", Port: "lmtp"},
		"inet::24":                            {Network: "inet", Port: "24"},
		"systemd:lmtp":                        {Network: "systemd", Name: "lmtp"},
	} {
		got, err := ParseAddress(text)
		if err != nil || got != want {
			t.Errorf("%s gives %+v, %v", text, got, err)
		}
		if back, err := ParseAddress(got.String()); err != nil || back != want {
			t.Errorf("%s is shown as %s, which gives %+v, %v", text, got, back, err)
		}
	}
	for text, why := range map[string]string{
		"":                                    "write unix:/path",
		"127.0.0.1:24":                        "write unix:/path",
		"unix:run/x":                          "begins with /",
		"unix:/run/../x":                      "write the path as /x",
		"unix:/" + strings.Repeat("x", 107):   "at most 107 bytes",
		"unix:/run/x?mode=660 ":               "not an octal number",
		"unix:/run/x?mode=0":                  "not an octal number",
		"unix:/run/x?mode=1777":               "not an octal number",
		"unix:/run/x?group=":                  "group is empty",
		"unix:/run/x?mode=0660&mode=0666":     "given twice",
		"unix:/run/x?owner=postfix":           `unknown option "owner"; known are mode and group`,
		"unix:/run/x?%zz":                     "options:",
		"inet:127.0.0.1":                      "write inet:HOST:PORT",
		"inet:::1:24":                         "write inet:HOST:PORT",
		"inet:127.0.0.1:":                     "port is missing",
		"inet:127.0.0.1:65536":                "not between",
		"inet:127.0.0.1:-1":                   "not between",
		"inet:127.0.0.1 :24":                  "blanks",
		"inet:127.0.0.1:24?mode=0660":         "blanks",
		"systemd:":                            "FileDescriptorName=",
		"systemd:a:b":                         "FileDescriptorName=",
		"systemd:" + strings.Repeat("x", 256): "FileDescriptorName=",
	} {
		if got, err := ParseAddress(text); err == nil || !strings.Contains(err.Error(), why) || got != (Address{}) {
			t.Errorf("%q gives %+v, %v; want %q", text, got, err, why)
		}
	}
}

// FuzzParseAddress: what is read is shown in a form that is read the same.
func FuzzParseAddress(f *testing.F) {
	for _, seed := range []string{"unix:/run/x?mode=0660&group=postfix", "inet:[::1]:24", "systemd:lmtp", "unix:/a%2f?group=%20"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, err := ParseAddress(text)
		if err != nil {
			return
		}
		if back, err := ParseAddress(a.String()); err != nil || back != a {
			t.Errorf("%q gives %+v, shown as %q, which gives %+v, %v", text, a, a.String(), back, err)
		}
	})
}
