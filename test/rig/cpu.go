package rig

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// clockTick is the unit of times in /proc, on every Linux (proc(5), USER_HZ).
const clockTick = time.Second / 100

// CPUOf is the processor time that the processes of these sessions (setsid(2))
// have used so far. Each daemon is started in a session of its own.
func CPUOf(leaders ...int) (time.Duration, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			continue // it has ended meanwhile
		}
		for _, leader := range leaders {
			t, err := sessionTime(text, leader)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", name, err)
			}
			sum += t
		}
	}
	return sum, nil
}

// sessionTime reads a stat file of proc(5): the time of the process if it
// belongs to the session, and with its leader that of the children who ended.
func sessionTime(stat []byte, leader int) (time.Duration, error) {
	// The name before it may hold anything.
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 15 {
		return 0, fmt.Errorf("%d fields", len(fields))
	}
	if string(fields[3]) != strconv.Itoa(leader) {
		return 0, nil
	}
	count := fields[11:13] // utime, stime
	if bytes.HasPrefix(stat, fmt.Appendf(nil, "%d ", leader)) {
		count = fields[11:15] // cutime, cstime
	}
	var ticks int64
	for _, f := range count {
		n, err := strconv.ParseInt(string(f), 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * clockTick, nil
}

// OwnCPU is the processor time of this process.
func OwnCPU() (time.Duration, error) {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		return 0, err
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), nil
}
