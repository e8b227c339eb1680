package testbed

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"
)

// DovecotServer is a Dovecot that takes mail by LMTP for any user name and
// keeps it in maildirs. Benchmarks compare with it: it flushes each message to
// disk before it answers, as Debian's package does without further settings.
type DovecotServer struct {
	scratch *scratch
	process *process
	addr    string
}

// dovecotConfig takes the directory, the port, the user and group of the mail,
// and the two users and the group of Dovecot itself. mail_fsync is Dovecot's default,
// which for a maildir means the message's file and its directory.
const dovecotConfig = `
base_dir = %[1]s/run
state_dir = %[1]s/state
log_path = %[1]s/mail.log
protocols = lmtp
ssl = no
mail_fsync = optimized
mail_location = maildir:%[1]s/mail/%%u
first_valid_uid = 0
first_valid_gid = 0
default_login_user = %[5]s
default_internal_user = %[6]s
default_internal_group = %[7]s
passdb {
  driver = static
  args = nopassword=y
}
userdb {
  driver = static
  args = uid=%[3]s gid=%[4]s home=%[1]s/mail/%%u allow_all_users=yes
}
service anvil {
  chroot =
}
service stats {
  chroot =
}
service lmtp {
  process_limit = 200
  inet_listener lmtp {
    address = 127.0.0.1
    port = %[2]s
  }
}
`

// Dovecot starts an instance for this test, and stops and removes it at the
// test's end.
func Dovecot(t testing.TB) *DovecotServer {
	t.Helper()
	program := Need(t, "dovecot", "dovecot-lmtpd")
	if _, err := os.Stat("/usr/lib/dovecot/lmtp"); err != nil {
		t.Fatal("/usr/lib/dovecot/lmtp is missing: install Debian package dovecot-lmtpd (make deps)")
	}
	scratch, err := newScratch()
	if err != nil {
		t.Fatal(err)
	}
	d := &DovecotServer{scratch: scratch}
	t.Cleanup(func() {
		d.Stop()
		scratch.remove()
	})
	for attempt := 1; ; attempt++ {
		err := d.run(program)
		if err == nil {
			return d
		}
		if attempt == 3 {
			t.Fatal(err)
		}
	}
}

func (d *DovecotServer) run(program string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	mail, err := mailUser()
	if err != nil {
		return err
	}
	login, internal, group := "dovenull", "dovecot", "dovecot"
	if !isRoot() { // everything runs as the one user that there is
		login, internal = mail.Username, mail.Username
		if g, err := user.LookupGroupId(mail.Gid); err == nil {
			group = g.Name
		}
	}
	dir := d.scratch.dir
	config := filepath.Join(dir, "dovecot.conf")
	text := fmt.Sprintf(dovecotConfig, dir, port, mail.Uid, mail.Gid, login, internal, group)
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return fmt.Errorf("write Dovecot configuration: %w", err)
	}
	if err := ownedDir(filepath.Join(dir, "mail"), mail); err != nil {
		return err
	}
	d.addr = net.JoinHostPort("127.0.0.1", port)
	d.process, err = start(dir, "dovecot", program, []string{"-F", "-c", config}, syscall.SIGTERM)
	if err != nil {
		return err
	}
	if err := d.process.await(func() error { return greets(d.addr, "220 ") }); err != nil {
		d.Stop()
		return fmt.Errorf("%w\n%s", err, d.Log())
	}
	return nil
}

// mailUser is who owns the maildirs: nobody, so that a test run by root
// measures what a real site has, or whoever runs the test.
func mailUser() (*user.User, error) {
	if isRoot() {
		return user.Lookup("nobody")
	}
	return user.Current()
}

func ownedDir(path string, owner *user.User) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return fmt.Errorf("make mail directory: %w", err)
	}
	uid, err1 := strconv.Atoi(owner.Uid)
	gid, err2 := strconv.Atoi(owner.Gid)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("make mail directory: %w", err)
	}
	if err := os.Chown(path, uid, gid); err != nil {
		return fmt.Errorf("make mail directory: %w", err)
	}
	return nil
}

// LMTPAddr returns host:port of the LMTP service.
func (d *DovecotServer) LMTPAddr() string { return d.addr }

// MailDir returns the directory that holds a maildir for each user.
func (d *DovecotServer) MailDir() string { return filepath.Join(d.scratch.dir, "mail") }

// Pid returns the process id of Dovecot's master.
func (d *DovecotServer) Pid() int { return d.process.pid() }

// Log returns the content of Dovecot's log.
func (d *DovecotServer) Log() string {
	log, err := os.ReadFile(filepath.Join(d.scratch.dir, "mail.log"))
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// Stop ends the instance and waits until it is gone; its mail stays until the
// test's end.
func (d *DovecotServer) Stop() {
	if d.process == nil {
		return
	}
	d.process.stop(syscall.SIGTERM)
	waitGroup(d.process.pid())
}
