package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadSecret(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	put := func(name, content string, mode os.FileMode) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("plain", "hush\n", 0o600)
	put("group", " hush \n\n", 0o640)
	put("crlf", "hush\r\n", 0o400)
	put("open", "hush", 0o604)
	put("empty", "\n", 0o600)
	put("long", strings.Repeat("x", maxSecret+1), 0o600)
	for _, test := range []struct{ path, want, err string }{
		{filepath.Join(dir, "plain"), "hush", ""},
		{filepath.Join(dir, "group"), " hush \n", ""},
		{filepath.Join(dir, "crlf"), "hush", ""},
		{"credential:plain", "hush", ""},
		{filepath.Join(dir, "open"), "", "mode 0604 and is open to every user"},
		{filepath.Join(dir, "empty"), "", "is empty"},
		{filepath.Join(dir, "long"), "", "longer than 65536 bytes"},
		{filepath.Join(dir, "absent"), "", "no such file"},
		{dir, "", "is a directory"},
		{"credential:../plain", "", "not the name of a credential"},
		{"credential:..", "", "not the name of a credential"},
		{"credential:", "", "not the name of a credential"},
	} {
		got, err := ReadSecret(test.path)
		if got != test.want || (err == nil) != (test.err == "") {
			t.Errorf("%s gives %q, %v", test.path, got, err)
		}
		if err != nil && (!strings.Contains(err.Error(), test.err) || strings.Contains(err.Error(), "hush")) {
			t.Errorf("%s gives %v, want %q", test.path, err, test.err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", "")
	if _, err := ReadSecret("credential:plain"); err == nil || !strings.Contains(err.Error(), "LoadCredential=plain:FILE") {
		t.Errorf("without credentials: %v", err)
	}
}
