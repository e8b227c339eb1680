package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"
)

func TestSummarise(t *testing.T) {
	from := time.Now()
	at := func(s float64) time.Time { return from.Add(time.Duration(s * float64(time.Second))) }
	m, err := summarise([]sample{{at(-1), 9}, {at(0), 1}, {at(1), 3}, {at(1.9), 2}, {at(2), 9}}, from, at(2), 10)
	if err != nil || m.Messages != 1.5 || m.Recipients != 15 || m.P50 != 2 || m.P99 != 3 {
		t.Errorf("%+v, %v", m, err)
	}
	if _, err := summarise([]sample{{at(-1), 9}}, from, at(2), 1); err == nil {
		t.Error("nothing was delivered, and that is no error")
	}
}

// serve sends all replies to one client, which reads each when it needs it,
// and gives what the client said until it hung up.
func serve(t *testing.T, replies ...string) (addr string, said <-chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	out := make(chan string, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		fmt.Fprint(conn, strings.Join(replies, "\r\n")+"\r\n")
		all, _ := io.ReadAll(conn)
		out <- string(all)
	}()
	return l.Addr().String(), out
}

func TestClient(t *testing.T) {
	m := &template{sender: "a@b", head: []byte("Subject: x\r\n\r\n"), body: []byte("body\r\n")}
	const greeting = "250-hello\r\n250-PIPELINING\r\n250 SIZE 1000"
	good := []string{"220 hi", greeting, "250 sender", "250 one", "250 two", "354 go"}
	for name, c := range map[string]struct {
		replies []string
		wrong   string
	}{
		"good":              {append(good[:6:6], "250 one", "250 two"), ""},
		"a recipient fails": {append(good[:6:6], "250 one", "451 two"), "451 two"},
		"unknown":           {append(good[:3:3], "550 who"), "550 who"},
		"no DATA":           {append(good[:5:5], "451 no"), "451 no"},
		"garbage":           {append(good[:2:2], "ok"), "ok"},
	} {
		t.Run(name, func(t *testing.T) {
			addr, said := serve(t, c.replies...)
			client, err := dial(addr)
			if err != nil {
				t.Fatal(err)
			}
			defer client.conn.Close()
			took, err := client.deliver(m, []string{"one", "two"})
			switch {
			case c.wrong == "" && (err != nil || took <= 0):
				t.Errorf("%v, %v", took, err)
			case c.wrong != "" && (!errors.Is(err, errReply) || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("error %v, want %s", err, c.wrong)
			}
			if c.wrong != "" {
				return
			}
			client.conn.Close()
			want := "LHLO bench.example.org\r\nMAIL FROM:<a@b> SIZE=20\r\nRCPT TO:<one>\r\nRCPT TO:<two>\r\nDATA\r\nSubject: x\r\n\r\nbody\r\n.\r\n"
			if got := <-said; got != want {
				t.Errorf("said %q, want %q", got, want)
			}
		})
	}
}

func TestNumbers(t *testing.T) {
	if got, err := numbers("1,4k,32", 5000); err != nil || fmt.Sprint(got) != "[1 4096 32]" {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range []string{"", "0", "-1", "x", "5k", "1,,2"} {
		if got, err := numbers(bad, 5000); err == nil {
			t.Errorf("%q is %v", bad, got)
		}
	}
}

// A cell in small: what is counted is in the store.
func TestLmtpdCell(t *testing.T) {
	dsn := newStore(t, nil)
	_, addr := startLmtpd(t, dsn, buildLmtpd(t))
	m, err := newLoad().run(addr, cell{Size: 4 << 10, Recipients: 3, Sessions: 4}, pace{0, 500 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	var messages, copies, mailboxes float64
	if err := openDB(t, dsn).QueryRow("SELECT (SELECT count(*) FROM dbmail_physmessage), count(*), count(DISTINCT mailbox_idnr) FROM dbmail_messages").
		Scan(&messages, &copies, &mailboxes); err != nil {
		t.Fatal(err)
	}
	// What was under way at the end of the time is stored too, but not counted.
	if counted := m.Messages / 2; float64(m.all) != messages || counted > messages {
		t.Errorf("counted %.0f, delivered %d, stored %.0f", counted, m.all, messages)
	}
	if copies != 3*messages || mailboxes < 3 {
		t.Errorf("%.0f copies of %.0f messages in %.0f mailboxes", copies, messages, mailboxes)
	}
}
