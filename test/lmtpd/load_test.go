package lmtpd_test

import (
	"context"
	"fmt"
	"net/smtp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// load keeps Postfix busy: it sends letters so long as fewer than a number of
// copies are on their way.
type load struct {
	postfix *testbed.PostfixServer
	ledger  *ledger
	users   []string
	next    atomic.Int64
	failed  chan error
	stop    func() // ends the sending and waits for it
}

const (
	copiesUnderWay = 60
	senders        = 4
)

func startLoad(t *testing.T, p *testbed.PostfixServer, l *ledger, users []string) *load {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &load{postfix: p, ledger: l, users: users, failed: make(chan error, senders)}
	var all sync.WaitGroup
	w.stop = func() { cancel(); all.Wait() }
	t.Cleanup(w.stop)
	for range senders {
		all.Go(func() {
			if err := w.send(ctx); err != nil {
				w.failed <- err
			}
		})
	}
	return w
}

// check fails the test when a letter could not be sent.
func (w *load) check(t *testing.T) {
	t.Helper()
	select {
	case err := <-w.failed:
		t.Fatalf("load: %v", err)
	default:
	}
}

// send is one client of Postfix.
func (w *load) send(ctx context.Context) error {
	c, err := smtp.Dial(w.postfix.SMTPAddr())
	if err != nil {
		return fmt.Errorf("connect to Postfix: %w", err)
	}
	defer c.Close()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		for w.ledger.open() >= copiesUnderWay {
			select {
			case <-ctx.Done():
				return c.Quit()
			case <-w.ledger.progress:
			case <-tick.C:
			}
		}
		if ctx.Err() != nil {
			return c.Quit()
		}
		x := writeLetter(int(w.next.Add(1)), w.users)
		w.ledger.enter(x)
		if err := w.post(c, x); err != nil {
			return fmt.Errorf("give letter %s to Postfix: %w", x.id, err)
		}
	}
}

func (w *load) post(c *smtp.Client, x letter) error {
	if err := c.Mail("nora@sender.test"); err != nil {
		return err
	}
	for _, r := range x.rcpts {
		if err := c.Rcpt(r + "@example.org"); err != nil {
			return err
		}
	}
	d, err := c.Data()
	if err != nil {
		return err
	}
	if _, err := d.Write([]byte(x.text)); err != nil {
		return err
	}
	return d.Close()
}
