package rig

import (
	"os"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestSessionTime(t *testing.T) {
	// pid (name) state ppid pgrp session tty tpgid flags minflt cminflt majflt cmajflt utime stime cutime cstime
	const line = "41 (a) b) S 1 40 40 0 -1 0 0 0 0 0 7 5 100 200 20 0"
	for _, c := range []struct {
		stat   string
		leader int
		want   time.Duration
	}{
		{line, 40, 120 * time.Millisecond},
		{line, 41, 0},
		{"40" + line[2:], 40, 3120 * time.Millisecond},
	} {
		if got, err := sessionTime([]byte(c.stat), c.leader); err != nil || got != c.want {
			t.Errorf("%s in session %d: %v, %v; want %v", c.stat, c.leader, got, err, c.want)
		}
	}
	if _, err := sessionTime([]byte("1 (x) S 1 2"), 2); err == nil {
		t.Error("a short line is no error")
	}
}

func TestCPUOf(t *testing.T) {
	sid, err := unix.Getsid(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	own, err := OwnCPU()
	if err != nil {
		t.Fatal(err)
	}
	for own < 100*time.Millisecond { // work for it
		if own, err = OwnCPU(); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := CPUOf(sid); err != nil || all < own-50*time.Millisecond {
		t.Errorf("the session has used %v (%v), this process of it %v", all, err, own)
	}
}
