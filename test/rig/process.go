package rig

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// Process is a program of ours that runs while it is measured.
type Process struct {
	cmd  *exec.Cmd
	log  string // path
	done chan struct{}
}

// Start runs a program with its output in dir/NAME.log, and stops it at
// the end of t. It does not outlive this process.
func Start(t testing.TB, dir, program string, args ...string) *Process {
	t.Helper()
	d := &Process{cmd: exec.Command(program, args...), log: filepath.Join(dir, filepath.Base(program)+".log"), done: make(chan struct{})}
	out, err := os.Create(d.log)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	d.cmd.Stdout, d.cmd.Stderr = out, out
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setsid: true}
	started := make(chan error)
	go func() {
		// The signal is sent when the thread that started the process ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := d.cmd.Start()
		started <- err
		if err == nil {
			_ = d.cmd.Wait()
			close(d.done)
		}
	}()
	if err := <-started; err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Stop)
	return d
}

// Pid is the process's id, and that of its session (setsid(2)).
func (d *Process) Pid() int { return d.cmd.Process.Pid }

// Signal sends the process a signal.
func (d *Process) Signal(s os.Signal) error { return d.cmd.Process.Signal(s) }

// Stop asks the daemon to end and waits for it.
func (d *Process) Stop() {
	_ = d.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-d.done:
	case <-time.After(time.Minute):
		_ = d.cmd.Process.Kill()
		<-d.done
	}
}

// Logged waits for a line of the log and returns the first group of pattern.
func (d *Process) Logged(t testing.TB, pattern *regexp.Regexp) string {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for {
		text, err := os.ReadFile(d.log)
		if err != nil {
			t.Fatal(err)
		}
		if m := pattern.FindSubmatch(text); m != nil {
			return string(m[1])
		}
		select {
		case <-d.done:
			t.Fatalf("%s ended:\n%s", d.cmd.Path, text)
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			t.Fatalf("%s does not say %q:\n%s", d.cmd.Path, pattern, text)
		}
	}
}

// Peak is the largest resident size that the process ever had, in octets
// (proc(5), VmHWM).
func (d *Process) Peak() (int64, error) { return d.status("VmHWM:") }

// Resident is what the process has in memory now, in octets (proc(5), VmRSS).
func (d *Process) Resident() (int64, error) { return d.status("VmRSS:") }

func (d *Process) status(name string) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.Pid()))
	if err != nil {
		return 0, err
	}
	_, rest, _ := bytes.Cut(text, []byte(name))
	var kb int64
	if _, err := fmt.Sscanf(string(rest), "%d kB", &kb); err != nil {
		return 0, fmt.Errorf("read %s %w", name, err)
	}
	return kb << 10, nil
}

// Scratch makes a directory that is removed at the end of t.
func Scratch(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gpbench")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}
