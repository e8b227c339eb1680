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

// Patience with the daemon of the demonstration.
const (
	demoStartTimeout = 20 * time.Second
	demoStopTimeout  = 35 * time.Second // more than lmtpd's drain_timeout
)

// lmtpdProcess is a gatepost-lmtpd that we have started.
type lmtpdProcess struct {
	cmd       *exec.Cmd
	logFile   string
	listening chan daemon.Address
	ended     chan struct{} // closed when the process is gone
	err       error         // how it ended; valid after ended

	mu   sync.Mutex
	also io.Writer // gets the log lines besides the file, once it serves
}

// startLMTPd starts the daemon that lies beside our own program. It dies with
// us, however we die.
func startLMTPd(config, logFile string) (*lmtpdProcess, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find gatepost-lmtpd: %w", err)
	}
	program := filepath.Join(filepath.Dir(self), "gatepost-lmtpd")
	if _, err := os.Stat(program); err != nil {
		return nil, fmt.Errorf("find gatepost-lmtpd beside this program: %w; build it with: make build", err)
	}
	log, err := os.Create(logFile)
	if err != nil {
		return nil, err
	}
	p := &lmtpdProcess{cmd: exec.Command(program, "--config", config), logFile: logFile,
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
func (p *lmtpdProcess) read(log io.Reader, file io.Writer) {
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

// address waits until the daemon takes mail, and tells where. It listens
// before its store is open, and asks early clients to come back.
func (p *lmtpdProcess) address(ctx context.Context) (daemon.Address, error) {
	ctx, cancel := context.WithTimeout(ctx, demoStartTimeout)
	defer cancel()
	var a daemon.Address
	select {
	case a = <-p.listening:
	case <-p.ended:
		return a, p.died()
	case <-ctx.Done():
		return a, fmt.Errorf("wait until gatepost-lmtpd listens: %w", ctx.Err())
	}
	retry := time.NewTicker(50 * time.Millisecond)
	defer retry.Stop()
	for {
		client, err := dial(ctx, a, lmtp.Options{Hostname: "demo.example.net"})
		if err == nil {
			return a, client.Close()
		}
		select {
		case <-retry.C:
		case <-p.ended:
			return a, p.died()
		case <-ctx.Done():
			return a, fmt.Errorf("wait until gatepost-lmtpd takes mail: %w", err)
		}
	}
}

// serve shows the log until ctx ends.
func (p *lmtpdProcess) serve(ctx context.Context, log io.Writer) error {
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

func (p *lmtpdProcess) died() error {
	err := p.err
	if err == nil {
		err = errors.New("it ended by itself")
	}
	log, _ := os.ReadFile(p.logFile) // all that is left to say
	return fmt.Errorf("gatepost-lmtpd: %w; its log:\n%s", err, log)
}

// stop ends the daemon in good order, and by force when it does not obey.
func (p *lmtpdProcess) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // gone already is fine
	select {
	case <-p.ended:
	case <-time.After(demoStopTimeout):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
}
