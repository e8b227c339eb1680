package lmtpd_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
)

// letterField begins the header line by which a letter is known everywhere.
const letterField = "X-Letter: "

// letter is one message of the load.
type letter struct {
	id    string
	rcpts []string // local parts at example.org
	text  string   // CRLF, as given to Postfix
}

// writeLetter makes a letter whose text depends on nothing but its number:
// plain or with an attachment that other letters carry too, up to some tens
// of kilobytes, with dots at line starts and 8-bit text.
func writeLetter(n int, users []string) letter {
	r := rand.New(rand.NewPCG(uint64(n), 42))
	l := letter{id: fmt.Sprint(n)}
	for _, i := range r.Perm(len(users))[:1+r.IntN(3)] {
		l.rcpts = append(l.rcpts, users[i])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s\nFrom: Nora <nora@sender.test>\nTo: all of you <%s@example.org>\nSubject: letter %s\n", letterField, l.id, l.rcpts[0], l.id)
	fmt.Fprintf(&b, "Date: Tue, 03 Nov 2026 09:30:15 +0100\nMessage-ID: <%s@sender.test>\nReferences: <%d@sender.test>\n", l.id, n/2)
	body := func() {
		for range 1 + r.IntN(12) {
			fmt.Fprintf(&b, ".%d grüße %s\n.\n", r.Uint32(), strings.Repeat("x", r.IntN(300)))
		}
	}
	if n%3 != 0 {
		b.WriteString("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n")
		body()
	} else {
		b.WriteString("MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"cut\"\n\n--cut\nContent-Type: text/plain; charset=utf-8\n\n")
		body()
		b.WriteString("--cut\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n")
		// One of four attachments: shared parts are stored once.
		b.WriteString(strings.Repeat(strings.Repeat(string(rune('A'+n/3%4)), 76)+"\n", 1+200*(n/3%4)))
		b.WriteString("--cut--\n")
	}
	l.text = crlf(b.String())
	return l
}

// simple is a message that no other one equals.
func simple(id string) string {
	return crlf(fmt.Sprintf("From: Nora <nora@sender.test>\nTo: you@example.org\nSubject: %[1]s\nDate: Tue, 03 Nov 2026 09:30:15 +0100\n"+
		"Message-ID: <%[1]s@sender.test>\n\nbody of %[1]s\n", id))
}

// copyOf names what one recipient shall get of a letter.
type copyOf struct{ letter, rcpt string }

// ledger is the account of all letters: what was sent, whose reception
// Postfix was told, and which copies were caught between commit and reply.
type ledger struct {
	mu       sync.Mutex
	sent     map[string]letter
	wanted   int // copies
	answered map[copyOf]bool
	caught   map[copyOf]bool
	progress chan struct{} // gets a token when something was answered
}

func newLedger() *ledger {
	return &ledger{sent: map[string]letter{}, answered: map[copyOf]bool{}, caught: map[copyOf]bool{}, progress: make(chan struct{}, 1)}
}

func (l *ledger) enter(x letter) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent[x.id] = x
	l.wanted += len(x.rcpts)
}

// reply notes that Postfix was told of a copy.
func (l *ledger) reply(letter, rcpt string) {
	local, _, _ := strings.Cut(rcpt, "@")
	l.mu.Lock()
	l.answered[copyOf{letter, local}] = true
	l.mu.Unlock()
	select {
	case l.progress <- struct{}{}:
	default:
	}
}

// open counts the copies whose reception Postfix has not been told.
func (l *ledger) open() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.wanted - len(l.answered)
}

// catch notes which of the copies in the store Postfix does not know of, and
// gives those that were not caught before.
func (l *ledger) catch(stored []copyOf) []copyOf {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(stored, func(c copyOf) bool {
		if l.answered[c] || l.caught[c] {
			return true
		}
		l.caught[c] = true
		return false
	})
}
