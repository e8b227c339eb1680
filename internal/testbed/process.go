package testbed

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// patience bounds every wait for a daemon: to answer after its start, and to
// end after it was told so. Two loaded cores make mariadbd slow.
const patience = 60 * time.Second

// process is one daemon of ours and the directory that is its world.
type process struct {
	name string // for messages and for the log file
	dir  string
	cmd  *exec.Cmd
	done chan struct{} // closed when the process has been waited for
	err  error         // how it ended; read after done
}

// start runs the program in the foreground, its output in dir/name.log.
func start(dir, name, path string, args []string, death syscall.Signal) (*process, error) {
	out, err := os.OpenFile(filepath.Join(dir, name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	defer out.Close()
	cmd := exec.Command(path, args...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = out, out
	// A session of its own, so that neither a terminal's interrupt reaches the
	// daemon nor a daemon that signals its group reaches us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: death}
	p := &process{name: name, dir: dir, cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The parent-death signal is sent when the *thread* that started the
		// process ends, so this goroutine keeps its thread until the process ends.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	if err := os.WriteFile(p.pidFile(), []byte(strconv.Itoa(cmd.Process.Pid)+"\n"), 0o644); err != nil {
		p.stop(syscall.SIGKILL)
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	return p, nil
}

// pidFile is read by the janitor.
func (p *process) pidFile() string { return filepath.Join(p.dir, p.name+".janitor-pid") }

// pid returns the process id, also after the end.
func (p *process) pid() int { return p.cmd.Process.Pid }

// ended says whether the process has ended.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop sends the signal and waits for the end; a process that does not end
// within patience is killed.
func (p *process) stop(sig syscall.Signal) {
	if !p.ended() {
		p.cmd.Process.Signal(sig)
	}
	select {
	case <-p.done:
	case <-time.After(patience):
		p.cmd.Process.Kill()
		<-p.done
	}
	os.Remove(p.pidFile())
}

// await polls ready until it returns nil, the process ends, or patience does.
// The error shows the end of the daemon's own log.
func (p *process) await(ready func() error) error {
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended at start (%v):\n%s", p.name, p.err, p.tail())
		case <-deadline.C:
			return fmt.Errorf("%s does not answer after %v: %w\n%s", p.name, patience, err, p.tail())
		case <-tick.C:
		}
	}
}

// tail returns the last lines of the daemon's output.
func (p *process) tail() string {
	log, err := os.ReadFile(filepath.Join(p.dir, p.name+".log"))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimRight(string(log), "\n"), "\n")
	if len(lines) > 30 {
		lines = lines[len(lines)-30:]
	}
	return strings.Join(lines, "\n")
}

// waitGroup waits until nobody lives in a process group, and kills who stays.
// The dead that wait for their new parent, process 1, do not count: in a
// container that may be somebody who never asks after them.
func waitGroup(group int) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); <-tick.C {
		if !groupLives(group) {
			return
		}
	}
	syscall.Kill(-group, syscall.SIGKILL)
}

// groupLives looks for a process of the group that is not a zombie (proc(5)).
func groupLives(group int) bool {
	if syscall.Kill(-group, 0) == syscall.ESRCH {
		return false
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil {
			continue // ended meanwhile
		}
		// The fields after the program's name, which may hold anything, in
		// parentheses: state, parent, group.
		fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
		if len(fields) > 2 && fields[0] != "Z" && fields[2] == strconv.Itoa(group) {
			return true
		}
	}
	return false
}
