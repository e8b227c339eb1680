package daemon

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// shortDir makes a directory whose name leaves room for a socket's.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "gpd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func listen(t *testing.T, address string) net.Listener {
	t.Helper()
	a, err := ParseAddress(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := Listen(context.Background(), a)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l
}

// talk sends one line through a connection to l and expects it there.
func talk(t *testing.T, l net.Listener, network, address string) {
	t.Helper()
	sent := make(chan error, 1)
	go func() {
		conn, err := net.Dial(network, address)
		if err == nil {
			_, err = fmt.Fprint(conn, "hello")
			conn.Close()
		}
		sent <- err
	}()
	if err := <-sent; err != nil {
		t.Fatal(err)
	}
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got, err := io.ReadAll(conn); err != nil || string(got) != "hello" {
		t.Fatalf("received %q, %v", got, err)
	}
}

func TestListenUnix(t *testing.T) {
	dir := shortDir(t)
	path := filepath.Join(dir, "s")
	l := listen(t, "unix:"+path+"?mode=0660&group="+strconv.Itoa(os.Getgid()))
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if l.Addr().String() != path {
		t.Errorf("address %v", l.Addr())
	}
	talk(t, l, "unix", path)

	a, _ := ParseAddress("unix:" + path)
	if _, err := Listen(context.Background(), a); err == nil || !strings.Contains(err.Error(), "another process listens there") {
		t.Errorf("a second listener: %v", err)
	}
	probe, err := l.Accept() // all that the attempt did here
	if err != nil {
		t.Fatal(err)
	}
	probe.Close()
	talk(t, l, "unix", path)
	l.Close()
	if entries, _ := os.ReadDir(dir); len(entries) != 0 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestListenUnixStale(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	stale, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	stale.SetUnlinkOnClose(false)
	stale.Close()
	l := listen(t, "unix:"+path)
	talk(t, l, "unix", path)
}

// TestListenUnixReplaced: a listener that ends late leaves its successor's
// socket alone.
func TestListenUnixReplaced(t *testing.T) {
	path := filepath.Join(shortDir(t), "s")
	first := listen(t, "unix:"+path)
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second := listen(t, "unix:"+path)
	first.Close()
	talk(t, second, "unix", path)
}

func TestListenUnixRefused(t *testing.T) {
	dir := shortDir(t)
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for address, why := range map[string]string{
		"unix:" + dir + "/file":                    "exists and is not a socket",
		"unix:" + dir + "/none/s":                  "no such file",
		"unix:" + dir + "/s?group=no-such-group-x": "unknown group",
		"systemd:lmtp":                             "systemd passed no sockets",
		"inet:192.0.2.1:1":                         "cannot assign requested address",
	} {
		a, err := ParseAddress(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Listen(context.Background(), a); err == nil || !strings.Contains(err.Error(), why) || !strings.Contains(err.Error(), address) {
			t.Errorf("%s: %v, want %q", address, err, why)
		}
	}
	if entries, _ := os.ReadDir(dir); len(entries) != 1 {
		t.Errorf("left behind: %v", entries)
	}
}

func TestListenInet(t *testing.T) {
	l := listen(t, "inet:127.0.0.1:0")
	talk(t, l, "tcp", l.Addr().String())
}

// TestListenPassed runs this test's program as systemd would: with sockets from
// descriptor 3 on.
func TestListenPassed(t *testing.T) {
	if os.Getenv("GATEPOST_TEST_PASSED") != "" {
		servePassed(t)
		return
	}
	var files []*os.File
	var addrs []string
	for range 3 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		file, err := l.(*net.TCPListener).File()
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		files, addrs = append(files, file), append(addrs, l.Addr().String())
	}
	cmd := exec.Command("/bin/sh", "-c", `LISTEN_PID=$$ exec "$0" -test.run=^TestListenPassed$`, os.Args[0])
	cmd.Env = append(os.Environ(), "GATEPOST_TEST_PASSED=1", "LISTEN_FDS=3", "LISTEN_FDNAMES=lmtp:other:lmtp")
	cmd.ExtraFiles = files
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"lmtp", "other", "lmtp"} {
		conn, err := net.Dial("tcp", addrs[i])
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(conn); err != nil || string(got) != want {
			t.Errorf("socket %d answers %q, %v", i, got, err)
		}
		conn.Close()
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%v\n%s", err, out.String())
	}
}

// servePassed answers on each passed socket with its name, twice for lmtp.
func servePassed(t *testing.T) {
	if names := SystemdNames(); !slices.Equal(names, []string{"lmtp", "other"}) {
		t.Errorf("names %v", names)
	}
	lmtp := listen(t, "systemd:lmtp")
	if n := len(strings.Fields(lmtp.Addr().String())); n != 2 {
		t.Errorf("%d addresses in %v", n, lmtp.Addr())
	}
	// A socket may be opened again, as a reload would.
	listen(t, "systemd:other").Close()
	other := listen(t, "systemd:other")
	for _, step := range []struct {
		l    net.Listener
		name string
	}{{lmtp, "lmtp"}, {other, "other"}, {lmtp, "lmtp"}} {
		conn, err := step.l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprint(conn, step.name)
		conn.Close()
	}
	lmtp.Close()
	if _, err := lmtp.Accept(); err == nil {
		t.Error("accepted after Close")
	}
	if _, err := Listen(context.Background(), Address{Network: "systemd", Name: "smtp"}); err == nil || !strings.Contains(err.Error(), "only lmtp, other, lmtp") {
		t.Errorf("a name that was not passed: %v", err)
	}
}

func TestSystemdNames(t *testing.T) {
	for _, test := range []struct {
		pid, fds, names string
		want            []string
	}{
		{"", "1", "lmtp", nil},
		{"1", "1", "lmtp", nil},
		{"us", "0", "", nil},
		{"us", "many", "", nil},
		{"us", "2", "", []string{"unknown"}},
		{"us", "2", "a:b", []string{"a", "b"}},
		{"us", "3", "a::a", []string{"a", "unknown"}},
	} {
		if test.pid == "us" {
			test.pid = strconv.Itoa(os.Getpid())
		}
		t.Setenv("LISTEN_PID", test.pid)
		t.Setenv("LISTEN_FDS", test.fds)
		t.Setenv("LISTEN_FDNAMES", test.names)
		if got := SystemdNames(); !slices.Equal(got, test.want) {
			t.Errorf("%+v gives %q", test, got)
		}
	}
}
