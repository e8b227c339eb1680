package testbed

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// scratch is a temporary directory that disappears with the test process,
// even when that is killed.
type scratch struct {
	dir     string
	janitor *exec.Cmd
	rope    io.WriteCloser // its end is the janitor's sign
}

// janitorScript waits for the end of its standard input, which the kernel
// closes when the test process is gone, then ends the daemons that are still
// listed in the directory, and removes it. The second rm catches what a dying
// daemon wrote meanwhile.
const janitorScript = `
trap '' HUP INT TERM
cat >/dev/null
for f in "$1"/*.janitor-pid; do
	test -f "$f" && kill "$(cat "$f")" 2>/dev/null && sleep 1
done
rm -rf -- "$1" 2>/dev/null || { sleep 2; rm -rf -- "$1"; }
`

// newScratch makes the directory. Its path is short, because a unix socket's
// path may have only 107 bytes, and open to other users, because daemons
// change to theirs.
func newScratch() (*scratch, error) {
	dir, err := os.MkdirTemp("/tmp", "gp")
	if err != nil {
		return nil, fmt.Errorf("make test directory: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make test directory: %w", err)
	}
	janitor := exec.Command("/bin/sh", "-c", janitorScript, "janitor", dir)
	janitor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	rope, err := janitor.StdinPipe()
	if err == nil {
		err = janitor.Start()
	}
	if err != nil {
		os.RemoveAll(dir)
		return nil, fmt.Errorf("start janitor of test directory: %w", err)
	}
	return &scratch{dir: dir, janitor: janitor, rope: rope}, nil
}

// remove ends the janitor, which removes the directory.
func (s *scratch) remove() {
	s.rope.Close()
	s.janitor.Wait()
}
