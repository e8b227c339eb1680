//go:build !dmz

package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"gatepost/cmd/gatepost/lmtp"
	"gatepost/internal/daemon"
)

// Patience with the daemons of the demonstration.
const (
	demoStartTimeout = 20 * time.Second
	demoStopTimeout  = 35 * time.Second // more than any drain_timeout
)

// demoDaemon is a daemon of ours that we have started.
type demoDaemon struct {
	name      string
	cmd       *exec.Cmd
	logFile   string
	listening chan daemon.Address
	ended     chan struct{} // closed when the process is gone
	err       error         // how it ended; valid after ended

	mu   sync.Mutex
	also io.Writer // gets the log lines besides the file, once it serves
}

// startDaemon starts the daemon that lies beside our own program. It dies with
// us, however we die.
func startDaemon(name, logFile string, args ...string) (*demoDaemon, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find %s: %w", name, err)
	}
	program := filepath.Join(filepath.Dir(self), name)
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("find %s beside this program: %w; build it with: make build", name, err)
	}
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	p := &demoDaemon{name: name, cmd: exec.Command(program, args...), logFile: logFile,
		listening: make(chan daemon.Address, 1), ended: make(chan struct{})}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		log.Close()
		return nil, err
	}
	// Ctrl-C in a terminal goes to the whole process group; the daemon shall
	// hear it from us, after we have finished with it.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	go func() {
		// The parent of a death signal is the thread, not the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		defer close(p.ended)
		defer log.Close()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.read(stderr, log)
			p.err = p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	return p, nil
}

// read copies the daemon's log and looks for the address in it.
func (p *demoDaemon) read(log io.Reader, file io.Writer) {
	lines := bufio.NewReader(log)
	for {
		line, err := lines.ReadString('\n')
		_, _ = io.WriteString(file, line)
		p.mu.Lock()
		if p.also != nil {
			_, _ = io.WriteString(p.also, line)
		}
		p.mu.Unlock()
		if a, ok := listeningAddress(line); ok {
			select {
			case p.listening <- a:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// listeningAddress reads the address from the log line that every daemon of
// ours writes when it listens.
func listeningAddress(line string) (daemon.Address, bool) {
	_, rest, ok := strings.Cut(line, " msg=listening address=")
	if !ok {
		return daemon.Address{}, false
	}
	a, err := daemon.ParseAddress(strings.TrimSpace(rest))
	return a, err == nil
}

// address waits until the daemon listens, and tells where.
func (p *demoDaemon) address(ctx context.Context) (daemon.Address, error) {
	ctx, cancel := context.WithTimeout(ctx, demoStartTimeout)
	defer cancel()
	select {
	case a := <-p.listening:
		return a, nil
	case <-p.ended:
		return daemon.Address{}, p.died()
	case <-ctx.Done():
		return daemon.Address{}, fmt.Errorf("wait until %s listens: %w", p.name, ctx.Err())
	}
}

// takesMail waits until a gatepost-lmtpd takes mail: it listens before its
// store is open, and asks early clients to come back.
func (p *demoDaemon) takesMail(ctx context.Context, a daemon.Address) error {
	ctx, cancel := context.WithTimeout(ctx, demoStartTimeout)
	defer cancel()
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		client, err := dial(ctx, a, lmtp.Options{Hostname: "demo.example.net"})
		if err == nil {
			return client.Close()
		}
		select {
		case <-retry.C:
		case <-p.ended:
			return p.died()
		case <-ctx.Done():
			return fmt.Errorf("wait until %s takes mail: %w", p.name, err)
		}
	}
}

// serve shows the log until ctx ends.
func (p *demoDaemon) serve(ctx context.Context, log io.Writer) error {
	p.mu.Lock()
	p.also = log
	p.mu.Unlock()
	select {
	case <-ctx.Done():
		return nil
	case <-p.ended:
		return p.died()
	}
}

func (p *demoDaemon) died() error {
	err := p.err
	if err == nil {
		err = errors.New("it ended by itself")
	}
	log, _ := os.ReadFile(p.logFile) // all that is left to say
	return fmt.Errorf("%s: %w; its log:\n%s", p.name, err, log)
}

// stop ends the daemon in good order, and by force when it does not obey.
func (p *demoDaemon) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // gone already is fine
	select {
	case <-p.ended:
	case <-time.After(demoStopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
