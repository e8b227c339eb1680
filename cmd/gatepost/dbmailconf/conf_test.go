package dbmailconf

import (
	"strings"
	"testing"
)

const sample = `# a comment
[DBMAIL] 
dburi = mysql://dbmail:pw@db/dbmail  # and the rest
authdriver=sql
 TABLE_PREFIX =
timeout = 300
timeout = 400
PORT = 1
mixedCase = x
[LMTP]
port = 24 # inet
timeout =
[DBMAIL]
bindip = 0.0.0.0	# all

`

func TestGet(t *testing.T) {
	f, problems := Parse("dbmail.conf", []byte(strings.ReplaceAll(sample, "\n", "\r\n")))
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	for _, tc := range []struct {
		service, key, text, section string
		line                        int
	}{
		{"DBMAIL", "dburi", "mysql://dbmail:pw@db/dbmail", "DBMAIL", 3},
		{"LMTP", "DBURI", "mysql://dbmail:pw@db/dbmail", "DBMAIL", 3},
		{"DBMAIL", "table_prefix", "", "DBMAIL", 5},
		{"DBMAIL", "timeout", "400", "DBMAIL", 7}, // the last one counts
		{"LMTP", "TIMEOUT", "", "LMTP", 12},       // an empty one counts too
		{"LMTP", "PORT", "24", "LMTP", 11},
		{"LDAP", "PORT", "1", "DBMAIL", 8},
		{"LMTP", "bindip", "0.0.0.0", "DBMAIL", 14},
		{"DBMAIL", "mixedcase", "", "", 0},
		{"IMAP", "authlog", "", "", 0},
	} {
		if v := f.Get(tc.service, tc.key); v.Text != tc.text || v.Section != tc.section || v.Line != tc.line || v.Set() != (tc.line > 0) {
			t.Errorf("[%s] %s: %+v, want %+v", tc.service, tc.key, v, tc)
		}
	}
	if unused := f.Unused("DBMAIL"); len(unused) != 2 || unused[0].Key != "authdriver" || unused[1].Key != "mixedCase" {
		t.Errorf("unused: %+v", unused)
	}
	if got := strings.Join(f.Sections(), " "); got != "DBMAIL LMTP" {
		t.Errorf("sections: %s", got)
	}
}

func TestParseProblems(t *testing.T) {
	_, problems := Parse("dbmail.conf", []byte("a = 1\n[DBMAIL] x\n[]\n[DBMAIL]\nno value, secret\n= secret\nkey[de] = secret\ngood = 1\nlong = "+
		strings.Repeat("secret", 200)+"\nlatin = secr\xe9t\nnul = \x00\n"))
	want := []string{
		"dbmail.conf:1: stands before the first section",
		"dbmail.conf:2: is no section",
		"dbmail.conf:3: is no section",
		"dbmail.conf:5: is neither",
		"dbmail.conf:6: has no key",
		"dbmail.conf:7: has no key",
		"dbmail.conf:9: is longer than 1023 bytes",
		"dbmail.conf:10: is not UTF-8",
		"dbmail.conf:11: has a NUL",
	}
	if len(problems) != len(want) {
		t.Fatalf("%v", problems)
	}
	for i, p := range problems {
		if !strings.HasPrefix(p.String(), want[i]) || strings.Contains(p.String(), "secret") {
			t.Errorf("%s, want %s", p, want[i])
		}
	}
	if _, problems := Parse("x", make([]byte, maxFile+1)); len(problems) != 1 {
		t.Error(problems)
	}
	if _, problems := Read("testdata/none"); len(problems) != 1 || problems[0].String() != "testdata/none: cannot be read: no such file or directory" {
		t.Error(problems)
	}
}

func TestParseURI(t *testing.T) {
	for _, tc := range []struct {
		text string
		want URI
	}{
		{"mysql://root:sword%40fish@localhost:3306/test", URI{"mysql", "root", "sword@fish", "localhost", "3306", "/test", nil}},
		{"mysql://localhost/test?user=root&password=sword+fish&charset=utf8", URI{"mysql", "root", "sword fish", "localhost", "", "/test", map[string]string{"charset": "utf8"}}},
		{"mysql://a:/b?c@[::1]:3307/d?password=x&unix-socket=%2Frun%2Fs", URI{"mysql", "a", "/b?c", "[::1]", "3307", "/d", map[string]string{"unix-socket": "/run/s"}}},
		{"mysql://a:@h/d?password=p%", URI{"mysql", "a", "p%", "h", "", "/d", nil}},
		{"sqlite:///var/lib/dbmail.db?synchronous=normal", URI{"sqlite", "", "", "", "", "/var/lib/dbmail.db", map[string]string{"synchronous": "normal"}}},
		{"postgresql://db/dbmail", URI{"postgresql", "", "", "db", "", "/dbmail", nil}},
	} {
		u, err := ParseURI(tc.text)
		if err != nil {
			t.Errorf("%s: %v", tc.text, err)
			continue
		}
		if u.Driver != tc.want.Driver || u.User != tc.want.User || u.Password != tc.want.Password || u.Host != tc.want.Host ||
			u.Port != tc.want.Port || u.Path != tc.want.Path || len(u.Parameters) != len(tc.want.Parameters) {
			t.Errorf("%s: %+v", tc.text, u)
		}
		for k, v := range tc.want.Parameters {
			if u.Parameters[k] != v {
				t.Errorf("%s: %s is %q", tc.text, k, u.Parameters[k])
			}
		}
	}
	for _, text := range []string{"", "mysql:/secret", "mysql://a:secret@b@c/d", "mysql://a:[secret]@c/d", "mysql://c:0/d", "mysql://c:99999/secret",
		"mysql://se cret/d", "mysql://c/secret;d", "mysql://a:secret%00@c/d"} {
		if u, err := ParseURI(text); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: %+v, %v", text, u, err)
		}
	}
}

// FuzzParse: whatever stands there, lines are those of the file and what is
// found stands on them.
func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("[a]\n[ b = c\n=\n\xff\n[DBMAIL]\ndburi=x://y@z:1/p?q=%4\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		lines := strings.Split(string(text), "\n")
		file, problems := Parse("f", text)
		for _, p := range problems {
			if p.Line > len(lines) || p.Line < 1 && len(text) <= maxFile {
				t.Errorf("line %d: %s", p.Line, p)
			}
		}
		for _, s := range file.Sections() {
			for _, v := range file.Unused(s) {
				if !strings.Contains(lines[v.Line-1], v.Key) || !strings.Contains(lines[v.Line-1], v.Text) || strings.Contains(v.Text, "#") || len(v.Text) > maxValue {
					t.Errorf("%+v of %q", v, lines[v.Line-1])
				}
				if got := file.Own(s, v.Key); got != v {
					t.Errorf("%+v is found as %+v", v, got)
				}
			}
		}
	})
}

// FuzzParseURI: it ends, and its complaints keep the secret.
func FuzzParseURI(f *testing.F) {
	f.Add("mysql://root:sword%40fish@localhost:3306/test?a=b")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := ParseURI(text)
		if err != nil {
			return
		}
		if u.Path != "" && u.Path[0] != '/' && !strings.Contains(text, "%") {
			t.Errorf("%q: path %q", text, u.Path)
		}
		if strings.ContainsAny(u.Host, "/@ ") || strings.ContainsRune(u.Password, 0) {
			t.Errorf("%q: %+v", text, u)
		}
	})
}
