package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/test/rig"
)

// postmapLoad is one client that waits for each answer: postmap -q - with all
// keys on its standard input.
type postmapLoad struct {
	program, dir string
	keys         []key
}

func newPostmapLoad(t testing.TB, n int) *postmapLoad {
	t.Helper()
	return &postmapLoad{program: testbed.Need(t, "postmap", "postfix"), dir: rig.Scratch(t), keys: makeKeys(n)}
}

// run asks for all keys so many times and checks all answers.
func (l *postmapLoad) run(s *site, times int) (figures, error) {
	var input bytes.Buffer
	for range times {
		for _, k := range l.keys {
			input.WriteString(k.address + "\n")
		}
	}
	in, out := filepath.Join(l.dir, "in"), filepath.Join(l.dir, "out")
	if err := os.WriteFile(in, input.Bytes(), 0o600); err != nil {
		return figures{}, err
	}
	stdin, err := os.Open(in)
	if err != nil {
		return figures{}, err
	}
	defer stdin.Close()
	stdout, err := os.Create(out)
	if err != nil {
		return figures{}, err
	}
	defer stdout.Close()
	var complaints bytes.Buffer
	cmd := exec.Command(l.program, "-c", s.postfix.ConfigDir(), "-q", "-", s.exact)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, &complaints
	begin := time.Now()
	err = cmd.Run()
	took := time.Since(begin)
	if err != nil {
		return figures{}, fmt.Errorf("postmap -q - %s: %w: %s", s.exact, err, complaints.Bytes())
	}
	text, err := os.ReadFile(out)
	if err != nil {
		return figures{}, err
	}
	if err := checkPostmap(text, l.keys, times); err != nil {
		return figures{}, fmt.Errorf("postmap -q - %s: %w", s.exact, err)
	}
	n := times * len(l.keys)
	return figures{Rate: float64(n) / took.Seconds(), lookups: n, clientCPU: cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()}, nil
}

// checkPostmap wants a line "key TAB value" for each key that is to be found,
// in their order.
func checkPostmap(out []byte, keys []key, times int) error {
	for range times {
		for _, k := range keys {
			if k.found == "" {
				continue
			}
			line, rest, _ := bytes.Cut(out, []byte("\n"))
			if want := k.address + "\t" + k.found; string(line) != want {
				return fmt.Errorf("%q instead of %q", line, want)
			}
			out = rest
		}
	}
	if len(out) > 0 {
		return fmt.Errorf("more than was to be found: %.100q", out)
	}
	return nil
}
