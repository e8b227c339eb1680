package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"

	"gatepost/internal/daemon"
)

// errPostfix is a look-up in Postfix's table that did not tell.
var errPostfix = errors.New("postmap cannot tell")

// postmap asks a table of Postfix by postmap(1). It implements
// ldapmap.Lookuper once keys have been asked for.
type postmap struct {
	program, table string
	known          map[string]string // found, by key
	absent         map[string]bool   // proven absent
}

// newPostmap finds the program.
func newPostmap(table string) (*postmap, error) {
	program, err := findPostfix("postmap")
	return &postmap{program: program, table: table, known: map[string]string{}, absent: map[string]bool{}}, err
}

// findPostfix finds a program of Postfix, which stands where only root's PATH
// leads.
func findPostfix(name string) (string, error) {
	for _, path := range []string{name, "/usr/sbin/" + name, "/usr/local/sbin/" + name} {
		if path, err := exec.LookPath(path); err == nil {
			return path, nil
		}
	}
	return "", badConfig("there is no %s here; run this where Postfix is installed", name)
}

// batch is how many keys one postmap is asked for: one that fails tells
// nothing of them.
const batch = 500

// ask looks many keys up at once. What Postfix cannot tell stays open until
// Lookup asks for it alone.
func (p *postmap) ask(ctx context.Context, keys []string) error {
	for len(keys) > 0 {
		some := keys[:min(batch, len(keys))]
		keys = keys[len(some):]
		cmd := exec.CommandContext(ctx, p.program, "-q", "-", p.table)
		cmd.Stdin = strings.NewReader(strings.Join(some, "\n") + "\n")
		var out, complaint bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &complaint
		if err := cmd.Run(); !told(cmd, err, complaint.String()) {
			if fault := p.fault(ctx, err, complaint.String()); !errors.Is(fault, errPostfix) {
				return fault
			}
			continue
		}
		p.take(some, out.String())
	}
	return nil
}

// take reads "key TAB result" lines, which come in the order of the keys. A
// result may have line ends in it.
func (p *postmap) take(keys []string, out string) {
	for i, key := range keys {
		rest, found := strings.CutPrefix(out, key+"\t")
		if !found {
			p.absent[key] = true
			continue
		}
		end := len(rest)
		for _, next := range keys[i+1:] {
			if at := strings.Index(rest, "\n"+next+"\t"); at >= 0 {
				end = min(end, at+1)
			}
		}
		p.known[key], out = strings.TrimSuffix(rest[:end], "\n"), rest[end:]
	}
}

// Lookup implements ldapmap.Lookuper.
func (p *postmap) Lookup(ctx context.Context, key string) (data string, found bool, err error) {
	if data, found = p.known[key]; found || p.absent[key] {
		return data, found, nil
	}
	cmd := exec.CommandContext(ctx, p.program, "-q", key, p.table)
	var out, complaint bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &complaint
	err = cmd.Run()
	if !told(cmd, err, complaint.String()) {
		return "", false, p.fault(ctx, err, complaint.String())
	}
	return strings.TrimSuffix(out.String(), "\n"), err == nil, nil
}

// told says whether postmap has found out: it ends with 1 both when there is
// nothing and when it could not ask, but then complains.
func told(cmd *exec.Cmd, err error, complaint string) bool {
	return err == nil || cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == 1 && !strings.Contains(complaint, "fatal:")
}

// fault is errPostfix for a look-up that failed, and a failure for a postmap
// that cannot be used at all.
func (p *postmap) fault(ctx context.Context, err error, complaint string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	lines := strings.Split(strings.TrimSpace(complaint), "\n")
	last := lines[len(lines)-1]
	if strings.Contains(complaint, "query error") {
		return fmt.Errorf("%w: %s", errPostfix, strings.Join(lines, "; "))
	}
	return &failure{daemon.ExitConfig, fmt.Errorf("postmap -q KEY %s: %w: %s", p.table, err, last)}
}
