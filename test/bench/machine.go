package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// machine says what the figures were taken on.
type machine struct {
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	Kernel     string `json:"kernel"`
	Directory  string `json:"directory"`
	Filesystem string `json:"filesystem"`
	MariaDB    string `json:"mariadb,omitempty"`
	Dovecot    string `json:"dovecot,omitempty"`
	Go         string `json:"go"`
}

func thisMachine() machine {
	m := machine{CPUs: runtime.NumCPU(), Directory: os.TempDir(), Go: runtime.Version()}
	m.Filesystem = filesystem(m.Directory)
	text, _ := os.ReadFile("/proc/cpuinfo")
	if _, rest, ok := bytes.Cut(text, []byte("model name")); ok {
		line, _, _ := strings.Cut(string(rest), "\n")
		m.CPU = strings.TrimLeft(line, "\t: ")
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	if out, err := exec.Command("dovecot", "--version").Output(); err == nil {
		m.Dovecot = strings.TrimSpace(string(out))
	}
	return m
}

// String is the head of the table.
func (m machine) String() string {
	return fmt.Sprintf("%d × %s, Linux %s, %s on %s\nMariaDB %s, Dovecot %s (maildir), %s", m.CPUs, m.CPU, m.Kernel, m.Directory, m.Filesystem,
		m.MariaDB, m.Dovecot, m.Go)
}

// filesystem names the kind of file system that holds a directory. On one in
// memory nothing is durable, and all figures are worthless.
func filesystem(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return err.Error()
	}
	switch int64(s.Type) {
	case unix.EXT4_SUPER_MAGIC:
		return "ext4"
	case unix.XFS_SUPER_MAGIC:
		return "xfs"
	case unix.BTRFS_SUPER_MAGIC:
		return "btrfs"
	case unix.TMPFS_MAGIC:
		return "tmpfs, which is no disk: set TMPDIR to a directory on one"
	}
	return fmt.Sprintf("file system %#x", s.Type)
}
