package rig

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine says what figures were taken on.
type Machine struct {
	CPU        string `json:"cpu"`
	CPUs       int    `json:"cpus"`
	Kernel     string `json:"kernel"`
	Directory  string `json:"directory"`
	Filesystem string `json:"filesystem"`
	Go         string `json:"go"`
}

// ThisMachine is the one that this runs on.
func ThisMachine() Machine {
	m := Machine{CPUs: runtime.NumCPU(), Directory: os.TempDir(), Go: runtime.Version()}
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
	return m
}

// String is the head of a table, without the version of Go.
func (m Machine) String() string {
	return fmt.Sprintf("%d × %s, Linux %s, %s on %s", m.CPUs, m.CPU, m.Kernel, m.Directory, m.Filesystem)
}

// filesystem names the kind of file system that holds a directory. On one in
// memory nothing is durable.
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
