package lmtpd_test

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// daemon is a gatepost-lmtpd process that listens at an address, always the
// same one, and can be killed and started again.
type daemon struct {
	t      *testing.T
	dir    string
	listen string // its address
	socket string // the address's path, if it is a unix socket
	logged int64  // size of the log when the running process was started

	cmd  *exec.Cmd
	done chan struct{} // closed when the process is gone
}

// startDaemon writes the configuration and starts the program. It is ready
// for mail when this returns.
func startDaemon(t *testing.T, dsn, more string) *daemon {
	t.Helper()
	return startDaemonAt(t, filepath.Join(shortDir(t), "lmtp"), dsn, more)
}

// startDaemonAt does so with a socket that others know already.
func startDaemonAt(t *testing.T, socket, dsn, more string) *daemon {
	t.Helper()
	config := fmt.Sprintf("hostname = \"store.test\"\nrecipients = \"sql\"\n[store]\ndsn = %q\n%s", dsn, more)
	return launch(t, "unix:"+socket+"?mode=0666", map[string]string{"lmtpd.toml": config}) // Postfix's lmtp(8) is another user
}

// launch starts the program at an address, with lmtpd.toml and what else it
// reads in a directory.
func launch(t *testing.T, listen string, files map[string]string) *daemon {
	t.Helper()
	d := &daemon{t: t, dir: shortDir(t), listen: listen}
	if path, ok := strings.CutPrefix(listen, "unix:"); ok {
		d.socket, _, _ = strings.Cut(path, "?")
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(d.dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		d.kill()
		log := d.log()
		if strings.Contains(log, "DATA RACE") || strings.Contains(log, "internal error") || strings.Contains(log, "panic:") {
			t.Errorf("gatepost-lmtpd is broken:\n%s", tail(log, 80))
		} else if t.Failed() {
			t.Logf("gatepost-lmtpd:\n%s", tail(log, 40))
		}
	})
	d.start()
	return d
}

func (d *daemon) logFile() string { return filepath.Join(d.dir, "log") }

// log returns what all processes have written so far.
func (d *daemon) log() string {
	log, err := os.ReadFile(d.logFile())
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// start runs the program until it says that its store is open.
func (d *daemon) start() {
	d.t.Helper()
	out, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		d.t.Fatal(err)
	}
	defer out.Close()
	if info, err := out.Stat(); err == nil {
		d.logged = info.Size()
	}
	cmd := exec.Command(program, "--config", filepath.Join(d.dir, "lmtpd.toml"), "--listen", d.listen)
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	started, done := make(chan error), make(chan struct{})
	go func() {
		// The parent-death signal follows the thread that started the process.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // it is killed; how it ends says nothing
			close(done)
		}
	}()
	if err := <-started; err != nil {
		d.t.Fatalf("start gatepost-lmtpd: %v", err)
	}
	d.cmd, d.done = cmd, done
	eventually(d.t, "gatepost-lmtpd is ready", func() (bool, string) {
		log := d.since()
		select {
		case <-done:
			d.t.Fatalf("gatepost-lmtpd ended at its start:\n%s", log)
		default:
		}
		return strings.Contains(log, `msg="store is open"`) && strings.Contains(log, "msg=listening"), log
	})
}

// since returns what the running process has logged.
func (d *daemon) since() string {
	log := []byte(d.log())
	return string(log[min(int64(len(log)), d.logged):])
}

// kill ends the process as a crash would and waits until it is gone.
func (d *daemon) kill() {
	if d.cmd == nil {
		return
	}
	_ = d.cmd.Process.Kill() // it may have ended by itself
	<-d.done
}

// terminate asks the process to end; it does so when its clients are served.
func (d *daemon) terminate() {
	d.t.Helper()
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		d.t.Fatalf("ask gatepost-lmtpd to end: %v", err)
	}
}

// wait returns when the process is gone.
func (d *daemon) wait() {
	d.t.Helper()
	select {
	case <-d.done:
	case <-time.After(patience):
		d.t.Fatal("gatepost-lmtpd does not end")
	}
}

// exitCode is that of the process that is gone; -1 if it was killed.
func (d *daemon) exitCode() int { return d.cmd.ProcessState.ExitCode() }

// dial connects to the daemon.
func (d *daemon) dial() (net.Conn, error) { return net.Dial("unix", d.socket) }

// tail returns the last lines of a text.
func tail(text string, lines int) string {
	all := bytes.Split([]byte(strings.TrimRight(text, "\n")), []byte("\n"))
	return string(bytes.Join(all[max(0, len(all)-lines):], []byte("\n")))
}
