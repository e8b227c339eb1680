package directory

import (
	"errors"
	"strings"
	"testing"
)

func TestParseURI(t *testing.T) {
	for uri, want := range map[string]string{ // network address host, "tls" if from the first byte
		"ldap://ldap.example.com":           "tcp ldap.example.com:389 ldap.example.com",
		"LDAP://ldap.example.com:3890/":     "tcp ldap.example.com:3890 ldap.example.com",
		"ldap://[::1]":                      "tcp [::1]:389 ::1",
		"ldap://":                           "tcp localhost:389 localhost",
		"ldaps://192.0.2.1":                 "tcp 192.0.2.1:636 192.0.2.1 tls",
		"ldaps://ldap.example.com:1636":     "tcp ldap.example.com:1636 ldap.example.com tls",
		"ldapi://":                          "unix /run/slapd/ldapi localhost",
		"ldapi:///":                         "unix /run/slapd/ldapi localhost",
		"ldapi://%2Fvar%2Frun%2Fx":          "unix /var/run/x localhost",
		"ldapi://%2Fvar%2Frun%2Fx/":         "unix /var/run/x localhost",
		"ldapi:///var/run/x":                "unix /var/run/x localhost",
		"ldap.example.com":                  "",
		"http://ldap.example.com":           "",
		"ldap://host:port":                  "",
		"ldap://user@ldap.example.com":      "",
		"ldap://ldap.example.com/dc=x":      "",
		"ldap://ldap.example.com/??sub?x=y": "",
		"ldapi://relative":                  "",
		"ldapi://%zz":                       "",
		"ldapi://%2Fvar/dc=x":               "",
	} {
		at, err := parseURI(uri)
		got := ""
		if err == nil {
			got = at.network + " " + at.address + " " + at.host
			if at.tls {
				got += " tls"
			}
		}
		if got != want {
			t.Errorf("%s leads to %q instead of %q (%v)", uri, got, want, err)
		}
	}
}

func TestCheck(t *testing.T) {
	good := []string{"ldap://ldap.example.com"}
	for name, c := range map[string]struct {
		s    Settings
		says []string
	}{
		"good":                 {Settings{URIs: good}, nil},
		"unused files":         {Settings{URIs: good, TLS: TLSFiles{CAFile: "/nowhere"}}, nil},
		"no server":            {Settings{}, []string{"no directory server"}},
		"several at once":      {Settings{URIs: []string{"x", "y://"}, Connections: 9}, []string{`"x"`, `"y://"`, "at most 3"}},
		"no CA":                {Settings{URIs: good, StartTLS: true, TLS: TLSFiles{CAFile: "/nowhere"}}, []string{"/nowhere"}},
		"no CA directory":      {Settings{URIs: []string{"ldaps://x"}, TLS: TLSFiles{CADir: "/nowhere"}}, []string{"/nowhere"}},
		"an empty CA":          {Settings{URIs: []string{"ldaps://x"}, TLS: TLSFiles{CAFile: "/dev/null"}}, []string{"no certificate"}},
		"no key":               {Settings{URIs: []string{"ldaps://x"}, TLS: TLSFiles{Cert: "/nowhere"}}, []string{"client certificate"}},
		"mechanism":            {Settings{URIs: good, Bind: Bind{Method: BindSASL, Mechanism: "GSSAPI"}}, []string{"GSSAPI", "EXTERNAL, PLAIN"}},
		"no bind at all":       {Settings{URIs: good, Bind: Bind{Method: 7}}, []string{"bind method 7"}},
		"external in any case": {Settings{URIs: good, Bind: Bind{Method: BindSASL, Mechanism: "external"}}, nil},
	} {
		err := c.s.Check()
		if (err == nil) != (c.says == nil) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, part := range c.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %v does not say %q", name, err, part)
			}
		}
	}
}

// TestBindRequest pins what is sent, as it is what others must accept.
func TestBindRequest(t *testing.T) {
	body := func(s string) string { return "\x60\x84\x00\x00\x00" + string(rune(len(s))) + s }
	sasl := func(s string) string {
		return body("\x02\x01\x03\x04\x00\xa3\x84\x00\x00\x00" + string(rune(len(s))) + s)
	}
	none := func() (string, error) { return "", errors.New("no such file") }
	for name, c := range map[string]struct {
		b    Bind
		want string // "": refused
	}{
		"simple":            {Bind{Method: BindSimple, DN: "cn=a", Password: Password("pw")}, body("\x02\x01\x03\x04\x04cn=a\x80\x02pw")},
		"simple, nobody":    {Bind{Method: BindSimple}, body("\x02\x01\x03\x04\x00\x80\x00")},
		"simple, empty":     {Bind{Method: BindSimple, DN: "cn=a", Password: Password("")}, ""},
		"simple, none":      {Bind{Method: BindSimple, DN: "cn=a"}, ""},
		"simple, no file":   {Bind{Method: BindSimple, DN: "cn=a", Password: none}, ""},
		"external":          {Bind{Method: BindSASL, Mechanism: "external", Password: none}, sasl("\x04\x08EXTERNAL\x04\x00")},
		"external, authz":   {Bind{Method: BindSASL, Mechanism: "EXTERNAL", Authz: "u:x"}, sasl("\x04\x08EXTERNAL\x04\x03u:x")},
		"plain":             {Bind{Method: BindSASL, Mechanism: "plain", User: "me", Authz: "u:x", Password: Password("pw")}, sasl("\x04\x05PLAIN\x04\x09u:x\x00me\x00pw")},
		"plain, NUL":        {Bind{Method: BindSASL, Mechanism: "plain", User: "me", Password: Password("p\x00w")}, ""},
		"plain, empty":      {Bind{Method: BindSASL, Mechanism: "plain", User: "me", Password: Password("")}, ""},
		"unknown mechanism": {Bind{Method: BindSASL, Mechanism: "GSSAPI"}, ""},
	} {
		got, err := c.b.request(true)
		if string(got) != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}
