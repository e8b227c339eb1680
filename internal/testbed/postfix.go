package testbed

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// PostfixOptions say what a private Postfix does.
type PostfixOptions struct {
	// Main holds main.cf settings, such as "virtual_transport":
	// "lmtp:inet:127.0.0.1:2424", over those in postfix_config.go.
	Main map[string]string
	// Master holds further lines of master.cf.
	Master []string
}

// PostfixServer is a Postfix instance with its own configuration, queue and
// data directories, that takes mail on a loopback port.
type PostfixServer struct {
	scratch *scratch
	process *process
	addr    string
	postq   string // path of postqueue(1)
}

// Postfix starts an instance for this test, and stops and removes it at the
// test's end. Postfix changes to its own users, so the test has to run as root.
func Postfix(t testing.TB, o PostfixOptions) *PostfixServer {
	t.Helper()
	postconf := Need(t, "postconf", "postfix")
	queue := Need(t, "postqueue", "postfix")
	if !isRoot() {
		t.Fatal("Postfix can only be started by root: run this test as root")
	}
	program := filepath.Join(postconfDefault(t, postconf, "daemon_directory"), "master")
	scratch, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	p := &PostfixServer{scratch: scratch, postq: queue}
	t.Cleanup(func() {
		p.Stop()
		scratch.remove()
	})
	if err := makePostfixDirs(scratch.dir); err != nil {
		t.Fatal(err)
	}
	// The port was free a moment ago; somebody may have been faster.
	for attempt := 1; ; attempt++ {
		err := p.run(program, o)
		if err == nil {
			return p
		}
		if attempt == 3 {
			t.Fatal(err)
		}
	}
}

// run writes the configuration for a port that is free and starts master(8).
func (p *PostfixServer) run(program string, o PostfixOptions) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	p.addr = net.JoinHostPort("127.0.0.1", port)
	if err := writePostfixConfig(p.scratch.dir, p.addr, o); err != nil {
		return err
	}
	// -d keeps master in the foreground, as a child that we can wait for.
	p.process, err = start(p.scratch.dir, "master", program, []string{"-c", p.ConfigDir(), "-d"}, syscall.SIGTERM)
	if err != nil {
		return err
	}
	err = p.process.await(func() error { return greets(p.addr, "220 ") })
	if err != nil {
		p.Stop()
		return fmt.Errorf("%w\n%s", err, p.Log())
	}
	return nil
}

// SMTPAddr returns host:port of the instance's smtpd.
func (p *PostfixServer) SMTPAddr() string { return p.addr }

// ConfigDir is the directory of main.cf and master.cf, as for postmap -c.
func (p *PostfixServer) ConfigDir() string { return filepath.Join(p.scratch.dir, "etc") }

// Pid returns the process id of master(8).
func (p *PostfixServer) Pid() int { return p.process.pid() }

// Log returns the content of the mail log.
func (p *PostfixServer) Log() string {
	log, err := os.ReadFile(filepath.Join(p.scratch.dir, "mail.log"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err.Error()
	}
	return string(log)
}

// Queued is one message in the queue, as postqueue -j shows it.
type Queued struct {
	ID         string            `json:"queue_id"`
	Queue      string            `json:"queue_name"` // active, deferred, incoming, hold or maildrop
	Sender     string            `json:"sender"`
	Size       int64             `json:"message_size"`
	Recipients []QueuedRecipient `json:"recipients"`
}

// QueuedRecipient is one to whom a message is still to be delivered.
type QueuedRecipient struct {
	Address string `json:"address"`
	Reason  string `json:"delay_reason"` // why it was deferred; empty before the first attempt
}

// Queue lists the messages in the queue.
func (p *PostfixServer) Queue() ([]Queued, error) {
	out, err := p.postqueue("-j")
	if err != nil {
		return nil, err
	}
	var queue []Queued
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var q Queued
		err := decoder.Decode(&q)
		if errors.Is(err, io.EOF) {
			return queue, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read Postfix queue: %w", err)
		}
		queue = append(queue, q)
	}
}

// Flush asks for another attempt at all deferred mail, now.
func (p *PostfixServer) Flush() error {
	_, err := p.postqueue("-f")
	return err
}

func (p *PostfixServer) postqueue(option string) ([]byte, error) {
	cmd := exec.Command(p.postq, "-c", p.ConfigDir(), option)
	var complaint bytes.Buffer
	cmd.Stderr = &complaint
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("postqueue %s: %w: %s", option, err, complaint.String())
	}
	return out, nil
}

// Stop ends the instance and waits until it is gone; its queue and its log
// stay until the test's end.
func (p *PostfixServer) Stop() {
	if p.process == nil {
		return
	}
	group := p.process.pid()
	p.process.stop(syscall.SIGTERM) // master passes it on to its process group
	waitGroup(group)
}

// postconfDefault asks where Debian put something, whatever main.cf says.
func postconfDefault(t testing.TB, postconf, name string) string {
	t.Helper()
	out, err := exec.Command(postconf, "-dh", name).Output()
	if err != nil {
		t.Fatalf("postconf -d %s: %v", name, err)
	}
	return strings.TrimSpace(string(out))
}

// freePort picks a loopback port that nobody uses now.
func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fmt.Errorf("find a free port: %w", err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

// greets says whether the server at addr sends a line with that beginning.
func greets(addr, beginning string) error {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		return err
	}
	fmt.Fprint(conn, "QUIT\r\n")
	if !strings.HasPrefix(line, beginning) {
		return fmt.Errorf("greeting %q", line)
	}
	return nil
}

// settings renders main.cf lines in a fixed order.
func settings(values map[string]string) string {
	var lines []string
	for name, value := range values {
		lines = append(lines, name+" = "+value+"\n")
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}
