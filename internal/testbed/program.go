package testbed

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// Build makes a program from the package in the working directory, once for
// all tests of a process, and returns its path. remove takes it away again.
func Build(name string) (build func() (string, error), remove func()) {
	build = sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", name)
		if err != nil {
			return "", err
		}
		path := filepath.Join(dir, name)
		if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build: %w\n%s", err, out)
		}
		return path, nil
	})
	return build, func() {
		if path, err := build(); err == nil {
			os.RemoveAll(filepath.Dir(path))
		}
	}
}

// Program is a running program of ours that logs to its standard error.
type Program struct {
	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{}

	mu   sync.Mutex
	log  []string
	more *sync.Cond
}

// Run starts a program and kills it at the test's end; what it has logged is
// shown if the test has failed.
func Run(t testing.TB, path string, args ...string) *Program {
	t.Helper()
	p := &Program{t: t, cmd: exec.Command(path, args...), done: make(chan struct{})}
	p.more = sync.NewCond(&p.mu)
	pipe, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for sc := bufio.NewScanner(pipe); sc.Scan(); {
			p.mu.Lock()
			p.log = append(p.log, sc.Text())
			p.more.Broadcast()
			p.mu.Unlock()
		}
		_ = p.cmd.Wait()
		p.mu.Lock()
		close(p.done)
		p.more.Broadcast()
		p.mu.Unlock()
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Log(strings.Join(p.log, "\n"))
		}
	})
	return p
}

// WaitLog waits for a log line that matches and gives its last group.
func (p *Program) WaitLog(pattern string) string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	timer := time.AfterFunc(patience, func() {
		p.mu.Lock()
		p.more.Broadcast()
		p.mu.Unlock()
	})
	defer timer.Stop()
	deadline := time.Now().Add(patience)
	p.mu.Lock()
	defer p.mu.Unlock()
	for seen := 0; ; p.more.Wait() {
		for ; seen < len(p.log); seen++ {
			if m := re.FindStringSubmatch(p.log[seen]); m != nil {
				return m[len(m)-1]
			}
		}
		if !time.Now().Before(deadline) {
			p.t.Fatalf("no log line matches %q", pattern)
		}
		select {
		case <-p.done:
			p.t.Fatalf("ended without a log line that matches %q", pattern)
		default:
		}
	}
}

// Signal sends a signal.
func (p *Program) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatal(err)
	}
}

// ExitCode waits for the end and returns the exit status.
func (p *Program) ExitCode() int {
	<-p.done
	return p.cmd.ProcessState.ExitCode()
}
