package main

import (
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"gatepost/internal/testbed"
	"gatepost/test/rig"
)

// The load under which lmtpd's memory is measured.
const (
	memorySize       = 100 << 20 // octets of a message
	memorySessions   = 8
	memoryRecipients = 20
	memoryMessages   = 3 // of each session, one after the other
)

// memoryReport is lmtpd's memory under large messages.
type memoryReport struct {
	Machine     machine       `json:"machine"`
	Size        int           `json:"size"`
	LargestPart int           `json:"largest_part"`
	Sessions    int           `json:"sessions"`
	Recipients  int           `json:"recipients"`
	Idle        int64         `json:"idle_octets"`
	Peak        int64         `json:"peak_octets"`
	Times       float64       `json:"peak_per_session_and_part"`
	Took        time.Duration `json:"took_ns"`
}

// measureMemory sends messages of 100 MiB on several sessions at once.
func measureMemory(say func(string, ...any)) (*memoryReport, error) {
	r := &memoryReport{Machine: thisMachine(), Size: memorySize, Sessions: memorySessions, Recipients: memoryRecipients}
	return r, rig.Within(func(t testing.TB) {
		server := testbed.StartMariaDB(t, testbed.MariaDBOptions{
			MaxAllowedPacket: "256M",
			// A blob may be a tenth of the redo log at most.
			Args: []string{"--innodb-log-file-size=2G", "--innodb-buffer-pool-size=1G"},
		})
		r.Machine.MariaDB = version(t, server)
		d, addr := startLmtpd(t, newStore(t, server), buildLmtpd(t))
		var err error
		if r.Idle, err = d.Peak(); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if err := r.send(addr, say); err != nil {
			t.Fatalf("send messages of %d octets: %v", memorySize, err)
		}
		r.Took = time.Since(begin)
		if r.Peak, err = d.Peak(); err != nil {
			t.Fatal(err)
		}
		r.Times = float64(r.Peak) / float64(memorySessions*r.LargestPart)
	})
}

func (r *memoryReport) send(addr string, say func(string, ...any)) error {
	load := newLoad()
	var failed error
	var mu sync.Mutex
	var done sync.WaitGroup
	for i := range memorySessions {
		s := load.newSender(cell{Size: memorySize, Recipients: memoryRecipients})
		r.LargestPart = s.templates[0].attachment()
		done.Go(func() {
			err := s.sendSome(addr, memoryMessages, func(took time.Duration) { say("session %d: %v", i+1, took.Round(time.Millisecond)) })
			mu.Lock()
			defer mu.Unlock()
			if failed == nil {
				failed = err
			}
		})
	}
	done.Wait()
	return failed
}

// sendSome opens a session and sends n messages.
func (s *sender) sendSome(addr string, n int, each func(time.Duration)) error {
	c, err := dial(addr)
	if err != nil {
		return err
	}
	defer c.close()
	for range n {
		t, to := s.next()
		took, err := c.deliver(t, s.load.names(to))
		if err != nil {
			return err
		}
		each(took)
	}
	return nil
}

// print writes the report for people.
func (r *memoryReport) print(w io.Writer) {
	fmt.Fprintf(w, "%s\n\n%d sessions, messages of %d MiB to %d recipients, in %v\nlmtpd: %d MiB idle, %d MiB at its peak (VmHWM): %.2f × the largest part per session\n",
		r.Machine, r.Sessions, r.Size>>20, r.Recipients, r.Took.Round(time.Second), r.Idle>>20, r.Peak>>20, r.Times)
}
