package ldapmap_test

import (
	"os"
	"testing"

	"gatepost/internal/testbed"
)

func TestMain(m *testing.M) { os.Exit(testbed.Main(m)) }
