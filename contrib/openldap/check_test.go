package openldap

import (
	"log/slog"
	"strings"
	"testing"

	"gatepost/internal/directory"
	"gatepost/lmtpd"
)

// TestCheck: gatepost-lmtpd --check tells of a directory that would leave all
// mail for unknown addresses waiting.
func TestCheck(t *testing.T) {
	s := byFile(t)
	setPasswords(t, s)
	for _, c := range []struct{ name, sentinel, want string }{
		{"lmtpd", "(mail=sentinel@example.com)", ""},
		{"lmtpd", "uid=sentinel,ou=people," + suffix, ""},
		{"lmtpd", "(mail=nosuch@example.com)", "the sentinel (mail=nosuch@example.com) is not found"},
		{"lmtpd", "uid=nosuch,ou=people," + suffix, "the sentinel uid=nosuch"},
		{"webmail", "(mail=sentinel@example.com)", "can be searched on 0 of"}, // it may not see uid
	} {
		config, problems := directory.LoadConfig(directoryFile(t, s, c.name, ""))
		if err := problems.Err(); err != nil {
			t.Fatal(err)
		}
		config.Sentinel = c.sentinel
		d := lmtpd.OpenDirectory(&config, slog.New(slog.DiscardHandler))
		err := d.Check(t.Context())
		d.Close()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s, sentinel %s: %v, want %q", c.name, c.sentinel, err, c.want)
		}
	}
}
