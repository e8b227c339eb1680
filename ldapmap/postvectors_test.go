package ldapmap

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"gatepost/internal/testbed"
)

// postmaps is how many postmap(1) run at a time: each error costs it a second
// of sleep.
const postmaps = 24

// postmapConfig makes a configuration of Postfix that postmap(1) can be run with.
func postmapConfig(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	main := fmt.Sprintf("compatibility_level = 3.6\nqueue_directory = %s\ndata_directory = %s\n", dir, dir)
	for name, text := range map[string]string{"main.cf": main, "master.cf": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// The real postmap(1) prints for a socketmap what it printed for the same file
// as an ldap: table, and exits alike.
func TestPostmap(t *testing.T) {
	program, config := testbed.Need(t, "postmap", "postfix"), postmapConfig(t)
	server := vectorDirectory(t)
	vectors := readVectors(t, "vectors")
	dir, names := t.TempDir(), map[string]string{} // of tables, by their files
	for _, v := range vectors {
		if status, _ := v.want(); status == "CONFIG" || names[v.CF] != "" {
			continue
		}
		names[v.CF] = fmt.Sprintf("t%d", len(names))
		if err := os.WriteFile(filepath.Join(dir, names[v.CF]+".cf"), []byte(vectorFile(t, v.CF, server)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, plan, _, problems := LoadConfig("", dir)
	if problems != nil {
		t.Fatal(problems)
	}
	metrics := NewMetrics(prometheus.NewRegistry())
	live := plan.Open(nil, metrics, discard())
	t.Cleanup(func() { live.Close(nil) })
	socket := filepath.Join(t.TempDir(), "socketmap")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() {
		served <- NewServer(c.Settings(live, Settings{Log: discard(), Metrics: metrics})).Serve(ctx, listener)
	}()
	t.Cleanup(func() { cancel(); <-served })

	var running sync.WaitGroup
	todo := make(chan *vector)
	for range postmaps {
		running.Go(func() {
			for v := range todo {
				table := fmt.Sprintf("socketmap:unix:%s:%s", socket, names[v.CF])
				if err := v.postmap(program, config, table); err != nil {
					t.Errorf("%s: %v", v, err)
				}
			}
		})
	}
	for _, v := range vectors {
		if names[v.CF] != "" {
			todo <- v
		}
	}
	close(todo)
	running.Wait()
}

// postmap asks a table as the vector was asked.
func (v *vector) postmap(program, config, table string) error {
	key := v.key()
	if v.Mode == "batch" {
		key = "-"
	}
	cmd := exec.Command(program, "-c", config, "-q", key, table)
	cmd.Stdin = bytes.NewReader(v.Stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	wantOut, wantExit := v.stdout(), v.Exit
	if _, ok := differences[v.String()]; ok {
		status, data := v.want()
		wantOut, wantExit = "", 1
		if status == "OK" {
			wantOut, wantExit = data+"\n", 0
		}
	}
	if cmd.ProcessState == nil {
		return err
	}
	if exit := cmd.ProcessState.ExitCode(); string(stdout) != wantOut || exit != wantExit {
		return fmt.Errorf("key %q: %q, exit %d; want %q, exit %d\n%s", v.key(), stdout, exit, wantOut, wantExit, stderr.String())
	}
	return nil
}
