package daemon

import (
	"flag"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/pelletier/go-toml/v2"
)

var update = flag.Bool("update", false, "write the expected files of testdata/bad anew")

// sample has a setting of each kind.
type sample struct {
	common
	Hostname   string                 `toml:"hostname"`
	Recipients Strings                `toml:"recipients"`
	Workers    int                    `toml:"workers"`
	Small      int8                   `toml:"small"`
	Positive   uint                   `toml:"positive"`
	Ratio      float64                `toml:"ratio"`
	MaxSize    Size                   `toml:"max_size"`
	Timeout    Duration               `toml:"timeout"`
	Started    string                 `toml:"started"`
	Allow      []netip.Prefix         `toml:"allow"`
	Listen     []Address              `toml:"listen"`
	Store      sampleStore            `toml:"store"`
	Check      map[string]sampleCheck `toml:"check"`
	Rule       []sampleRule           `toml:"rule"`
	Prefix     *string                `toml:"prefix"`
	Internal   string                 `toml:"-"`
}

type common struct {
	Verbose bool `toml:"verbose"`
}

type sampleStore struct {
	DSN     string   `toml:"dsn"`
	Timeout Duration `toml:"timeout"`
}

type sampleCheck struct {
	Mode  string       `toml:"mode"`
	Rules []sampleRule `toml:"rules"`
}

type sampleRule struct {
	Name string `toml:"name"`
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "test.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestLoadConfig(t *testing.T) {
	path := write(t, `
hostname = "mail.example.com"
recipients = "sql"
workers = 4
ratio = 1
max_size = 1048576
timeout = "1m30s"
verbose = true
allow = ["10.0.0.0/8", "2001:db8::1"]
listen = ["inet:127.0.0.1:24"]
prefix = ""
store.dsn = "sqlite:/x"

[check.spoof]
mode = "observe"
rules = [{ name = "a" }]

[[rule]]
name = "one"
[[rule]]
name = "two"
`)
	got := sample{Positive: 7, Small: 3, Store: sampleStore{Timeout: Duration(time.Second)}, Recipients: Strings{"default"}}
	config, problems := LoadConfig(path, &got)
	if err := problems.Err(); err != nil {
		t.Fatal(err)
	}
	empty := ""
	want := sample{
		common: common{Verbose: true}, Hostname: "mail.example.com", Recipients: Strings{"sql"}, Workers: 4, Ratio: 1,
		MaxSize: 1 << 20, Timeout: Duration(90 * time.Second), Positive: 7, Small: 3,
		Allow:  []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("2001:db8::1/128")},
		Listen: []Address{{Network: "inet", Host: "127.0.0.1", Port: "24"}},
		Store:  sampleStore{DSN: "sqlite:/x", Timeout: Duration(time.Second)},
		Check:  map[string]sampleCheck{"spoof": {Mode: "observe", Rules: []sampleRule{{"a"}}}},
		Rule:   []sampleRule{{"one"}, {"two"}}, Prefix: &empty,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	for key, set := range map[string]bool{
		"hostname": true, "store": true, "store.dsn": true, "store.timeout": false, "positive": false,
		"check.spoof.rules[0].name": true, "rule[1]": true, "rule[2]": false, "prefix": true,
	} {
		if config.IsSet(key) != set {
			t.Errorf("IsSet(%q) is %v", key, !set)
		}
	}
}

// TestBadConfigs loads each file of testdata/bad and validates it as a daemon
// would; what comes of it stands beside the file.
func TestBadConfigs(t *testing.T) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no files: %v", err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			var s sample
			config, problems := LoadConfig(file, &s)
			if problems.Err() == nil && !strings.Contains(file, "validation") {
				t.Error("loaded without a problem")
			}
			if strings.Contains(file, "validation") {
				config.Problem("hostname", "dropped, as its type is wrong already")
				config.Problem("workers", "%d is too many; write at most %d", s.Workers, 2)
				config.Problem("store.dsn", "is missing; write dsn = \"sqlite:/path\"")
				config.Problem("ratio", "is missing; write ratio = 0.5")
			}
			got := strings.ReplaceAll(config.Problems().Error(), "testdata/bad/", "") + "\n"
			golden := strings.TrimSuffix(file, ".toml") + ".expected"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%swant:\n%s", got, want)
			}
		})
	}
}

func TestConfigUnreadable(t *testing.T) {
	config, problems := LoadConfig("/nonexistent/lmtpd.toml", &sample{})
	const want = "/nonexistent/lmtpd.toml: cannot be read: no such file or directory; make it, or name another one"
	if problems.Error() != want {
		t.Errorf("got %q, want %q", problems, want)
	}
	config.Problem("hostname", "is missing")
	if len(config.Problems()) != 1 {
		t.Errorf("validation of a file that was not read: %v", config.Problems())
	}
}

func TestKeysWithDots(t *testing.T) {
	config, problems := LoadConfig(write(t, "[check.\"a.b[0]\"]\nmode = \"x\"\n"), &sample{})
	if problems.Err() != nil {
		t.Fatal(problems)
	}
	config.Problem(`check."a.b[0]".mode`, "is bad")
	if p := config.Problems()[0]; p.Line != 2 {
		t.Errorf("line %d", p.Line)
	}
	if got := parent(`check."a.b[0]".mode`); got != `check."a.b[0]"` {
		t.Errorf("parent is %s", got)
	}
}

// FuzzLoadConfig holds the loader to go-toml's strict reading: what has no
// problem means the same there, and every problem stands on a line of the file.
func FuzzLoadConfig(f *testing.F) {
	files, err := filepath.Glob("testdata/bad/*.toml")
	if err != nil {
		f.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Add([]byte("a.b = {c = [1, 2]}\n[x]\n[[x.y]]\nz = '''\n'''"))
	type plain struct {
		Hostname string `toml:"hostname"`
		Workers  int    `toml:"workers"`
		Verbose  bool   `toml:"verbose"`
		Store    struct {
			DSN string `toml:"dsn"`
		} `toml:"store"`
		Rule []struct {
			Name string `toml:"name"`
		} `toml:"rule"`
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		c := &Config{path: "x", lines: map[string]int{}, bad: map[string]bool{}}
		var got plain
		c.load(text, &got)
		for _, p := range c.Problems() {
			if lines := strings.Count(string(text), "\n") + 1; p.Line < 0 || p.Line > lines {
				t.Errorf("line %d of %d: %v", p.Line, lines, p)
			}
		}
		if len(c.problems) > 0 {
			return
		}
		var want plain
		decoder := toml.NewDecoder(strings.NewReader(string(text))).DisallowUnknownFields()
		if err := decoder.Decode(&want); err != nil {
			t.Fatalf("no problem, but: %v", err)
		}
		// Neither says anything of the difference between none and an empty array.
		if len(got.Rule) == 0 {
			got.Rule, want.Rule = nil, nil
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}
