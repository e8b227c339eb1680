package ldapmap_test

import (
	"os"
	"path/filepath"
	"testing"

	"gatepost/internal/testbed"
)

func TestMain(m *testing.M) {
	code := testbed.Main(m)
	if path, err := buildLDAPMap(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}
