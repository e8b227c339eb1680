package ldapmap

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatepost/internal/directory"
	"gatepost/internal/testbed"
)

// vector is one call of postmap(1) on an ldap: table, recorded with Postfix
// 3.7.11 and slapd 2.5.13.
type vector struct {
	CF     string  `json:"cf"`
	Key    *string `json:"key"`
	KeyRaw []byte  `json:"key_b64"`
	Mode   string  `json:"mode"` // single: postmap -q KEY; batch: postmap -q -
	Stdin  []byte  `json:"stdin_b64"`
	Stdout string  `json:"stdout"`
	OutRaw []byte  `json:"stdout_b64"`
	Exit   int     `json:"exit"`
	Expect struct {
		Status string `json:"status"`
		Data   string `json:"data"`
	} `json:"expect"`
	Note string `json:"note"`

	file string
	line int
}

func (v *vector) key() string {
	if v.Key != nil {
		return *v.Key
	}
	return string(v.KeyRaw)
}

func (v *vector) stdout() string { return v.Stdout + string(v.OutRaw) }

// readVectors returns all recorded calls of the directories.
func readVectors(t testing.TB, dirs ...string) (list []*vector) {
	t.Helper()
	for _, dir := range dirs {
		files, err := filepath.Glob(filepath.Join("testdata", dir, "*.jsonl"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no vectors in %s: %v", dir, err)
		}
		for _, file := range files {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(bytes.NewReader(text))
			lines.Buffer(nil, 1<<20)
			for n := 1; lines.Scan(); n++ {
				v := &vector{file: filepath.Base(file), line: n}
				if err := json.Unmarshal(lines.Bytes(), v); err != nil {
					t.Fatalf("%s:%d: %v", file, n, err)
				}
				list = append(list, v)
			}
		}
	}
	return list
}

// vectorDirectory starts the directory of the vectors.
func vectorDirectory(t testing.TB) *testbed.SlapdServer {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", "vectors"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(filepath.Join(dir, "slapd.conf"))
	if err != nil {
		t.Fatal(err)
	}
	var ldif []byte
	for _, file := range []string{filepath.Join(dir, "directory.ldif"), filepath.Join("testdata", "recorded", "more.ldif")} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ldif = append(append(ldif, text...), '\n')
	}
	return testbed.Slapd(t, testbed.SlapdOptions{Config: string(config), Dir: dir, LDIF: ldif})
}

// vectorFile gives a table file of the vectors for a server.
func vectorFile(t testing.TB, cf string, server *testbed.SlapdServer) string {
	t.Helper()
	dir, err := filepath.Abs(filepath.Join("testdata", "vectors"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("@LDAP@", server.Addr(), "@LDAPS@", server.TLSAddr(), "@DIR@", dir).Replace(cf)
}

// pools makes one pool for all tables with equal settings.
type pools map[string]*directory.Pool

func (p pools) searcher(t testing.TB, c *TableConfig) directory.Searcher {
	t.Helper()
	key := c.PoolKey()
	if p[key] == nil {
		p[key] = directory.NewPool(c.Settings(), nil)
		t.Cleanup(func() { p[key].Close() })
	}
	return p[key]
}

// status gives the answer in the words of the vectors.
func status(data string, found bool, err error) (string, string) {
	switch {
	case errors.Is(err, ErrNotText):
		return "PERM", ""
	case err != nil:
		return "TEMP", ""
	case !found:
		return "NOTFOUND", ""
	}
	return "OK", data
}

// postmap gives what postmap -q - prints, with the given answers, and its exit
// status: the first error ends it and nothing is printed then.
func postmap(stdin []byte, lookup func(key string) (string, bool, error)) (stdout string, exit int) {
	var out strings.Builder
	for line := range strings.Lines(string(stdin)) {
		key, _, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "\x00")
		data, found, err := lookup(key)
		if err != nil {
			return "", 1
		}
		if found {
			out.WriteString(key + "\t" + data + "\n")
		}
	}
	if out.Len() == 0 {
		return "", 1
	}
	return out.String(), 0
}

// want is what is to be answered: what was recorded, or better.
func (v *vector) want() (status, data string) {
	if d, ok := differences[v.String()]; ok {
		return d.status, d.data
	}
	return v.Expect.Status, v.Expect.Data
}

// String names a vector by its file and line.
func (v *vector) String() string { return fmt.Sprintf("%s:%d", v.file, v.line) }

func TestVectors(t *testing.T) {
	server := vectorDirectory(t)
	pools := pools{}
	for _, v := range readVectors(t, "vectors", "recorded") {
		c, _, problems := ParseTable(v.file, strings.NewReader(vectorFile(t, v.CF, server)))
		want, data := v.want()
		if want == "CONFIG" || problems != nil {
			if want != "CONFIG" || problems == nil {
				t.Errorf("%s: want %s, problems: %v", v, want, problems)
			}
			continue
		}
		table := NewTable(c, pools.searcher(t, c))
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		lookup := func(key string) (string, bool, error) {
			folded, ok := Fold(key)
			if !ok {
				return "", false, nil
			}
			return table.Lookup(ctx, folded)
		}
		if v.Mode == "batch" {
			out, exit := postmap(v.Stdin, lookup)
			if out != v.stdout() || exit != v.Exit {
				t.Errorf("%s: %q, exit %d; want %q, %d", v, out, exit, v.stdout(), v.Exit)
			}
		} else if gotStatus, gotData := status(lookup(v.key())); gotStatus != want || gotData != data {
			_, _, err := lookup(v.key())
			t.Errorf("%s: key %q: %s %q (%v); want %s %q", v, v.key(), gotStatus, gotData, err, want, data)
		}
		cancel()
	}
}

// differences are answers that are not Postfix's, by the line of the vector;
// testdata/differences.md says why.
var differences = map[string]struct{ status, data string }{
	"multi-entry-leaf-order.jsonl:1": {"OK", "user01@example.org,user02@example.net,ext-only@lists.example.com," +
		"a@partner.example.org,b@partner.example.org,heidi@example.com,erin@example.com"},
	"differences.jsonl:8":  {"OK", "term@x,xowner@x,user01@example.org"},
	"differences.jsonl:1":  {status: "CONFIG"},
	"differences.jsonl:2":  {status: "CONFIG"},
	"differences.jsonl:6":  {status: "CONFIG"},
	"differences.jsonl:7":  {status: "CONFIG"},
	"connections.jsonl:24": {status: "CONFIG"},
	"differences.jsonl:3":  {"OK", alice},
	"differences.jsonl:4":  {"OK", alice},
	"differences.jsonl:5":  {"OK", alice},
	"urls.jsonl:57":        {status: "TEMP"},
}

const alice = "alice@mx1.example.net,alice@mx2.example.net,archive+alice@example.org"
