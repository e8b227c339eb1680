package lmtpd_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"gatepost/internal/testbed"
)

// TestOrderWatch delivers to the same mailboxes through two lmtpd at once,
// beside a writer that does it as dbmail-lmtpd does, while watchers look at
// each mailbox as IMAP clients would: what appears must never be below what
// was there before.
func TestOrderWatch(t *testing.T) {
	const (
		sessions = 12 // of each lmtpd
		letters  = 25 // of each session
	)
	s := newSite(t, testbed.StartMariaDB(t, testbed.MariaDBOptions{}))
	users := []string{"ann", "ben", "cat"}
	var boxes []uint64
	for _, u := range users {
		id := s.user(u, 0)
		s.mailbox(id, "INBOX")
		boxes = append(boxes, uint64(s.number("SELECT mailbox_idnr FROM dbmail_mailboxes WHERE owner_idnr = ?", id)))
	}
	daemons := []*daemon{
		startDaemon(t, s.dsn(s.server.Socket()), ""),
		startDaemon(t, s.dsn(s.server.Socket()), ""),
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var writers, watchers sync.WaitGroup
	var watches []*watch
	for _, box := range boxes {
		w := &watch{site: s, box: box}
		watches = append(watches, w)
		watchers.Go(func() { w.run(ctx) })
	}
	var foreign atomic.Int64
	foreigners, leave := context.WithCancel(ctx)
	var others sync.WaitGroup
	for range 2 {
		others.Go(func() { dbmailWriter(foreigners, s, boxes, &foreign) })
	}
	var number atomic.Int64
	for i := range 2 * sessions {
		writers.Go(func() {
			deliverMany(t, daemons[i%2].dial, letters, users, &number)
		})
	}
	writers.Wait()
	leave()
	others.Wait()
	cancel()
	watchers.Wait()

	ours, looks := 0, 0
	for _, w := range watches {
		w.look(context.Background()) // what came last
		for _, f := range w.faults {
			t.Error(f)
		}
		ours += w.ours
		looks += w.changes
	}
	if want := 2 * sessions * letters * len(users); ours != want {
		t.Errorf("watched %d copies of ours appear, want %d", ours, want)
	}
	if foreign.Load() < 20 || looks < 50 {
		t.Errorf("%d messages by DBMail's way and %d changes seen: too few to mean anything", foreign.Load(), looks)
	}
	t.Logf("%d copies of ours and %d of DBMail's way appeared in %d steps", ours, foreign.Load(), looks)
}

// deliverMany is one client with one session.
func deliverMany(t *testing.T, dial func() (net.Conn, error), letters int, users []string, number *atomic.Int64) {
	c, err := greet(dial)
	if err != nil {
		t.Error(err)
		return
	}
	defer c.conn.Close()
	for range letters {
		n := int(number.Add(1))
		x := writeLetter(n, users)
		commands := []string{"MAIL FROM:<nora@sender.test>"}
		for i := range users {
			// In another order each time: ours must sort its locks itself.
			commands = append(commands, "RCPT TO:<"+users[(i+n)%len(users)]+"@example.org>")
		}
		for _, command := range append(commands, "DATA") {
			if r, err := c.say(command); err != nil || r[0] > '3' {
				t.Errorf("%s: %q, %v", command, r, err)
				return
			}
		}
		if _, err := c.conn.Write([]byte(strings.ReplaceAll(x.text, "\r\n.", "\r\n.."))); err != nil {
			t.Error(err)
			return
		}
		r, err := c.say(".")
		for i := range users {
			if i > 0 && err == nil {
				r, err = c.reply()
			}
			if err != nil || r[0] != '2' {
				t.Errorf("final reply %q, %v", r, err)
				return
			}
		}
	}
}

// foreignMark begins the unique_id of what dbmailWriter has written.
const foreignMark = "dbmail-"

// dbmailWriter inserts messages in the transactions that dbmail-lmtpd uses:
// the row with seq 0 first, the mailbox's seq and the row's in another one, the
// quota in a third. A deadlock ends a step; DBMail tries it again too.
func dbmailWriter(ctx context.Context, s *site, boxes []uint64, written *atomic.Int64) {
	for n := 0; ctx.Err() == nil; n++ {
		box := boxes[n%len(boxes)]
		phys, err := s.db.Exec("INSERT INTO dbmail_physmessage (messagesize, rfcsize, internal_date) VALUES (1, 1, now())")
		if err != nil {
			continue
		}
		id, _ := phys.LastInsertId() // MySQL always knows it
		row, err := s.db.Exec("INSERT INTO dbmail_messages (mailbox_idnr, physmessage_id, unique_id, recent_flag, status) VALUES (?, ?, ?, 1, 0)",
			box, id, fmt.Sprint(foreignMark, id))
		if err != nil {
			continue
		}
		message, _ := row.LastInsertId()
		for tries := 0; tries < 8; tries++ {
			if err = dbmailSeq(s, box, message); err == nil {
				break
			}
		}
		for tries := 0; tries < 8; tries++ {
			_, err = s.db.Exec("UPDATE dbmail_users SET curmail_size = curmail_size + 1 WHERE user_idnr = (SELECT owner_idnr FROM dbmail_mailboxes WHERE mailbox_idnr = ?)", box)
			if err == nil {
				break
			}
		}
		written.Add(1)
	}
}

func dbmailSeq(s *site, box uint64, message int64) error {
	tx, err := s.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback() // nothing after Commit
	if _, err := tx.Exec("UPDATE IGNORE dbmail_mailboxes SET seq = seq + 1 WHERE mailbox_idnr = ?", box); err != nil {
		return err
	}
	var seq int64
	if err := tx.QueryRow("SELECT seq FROM dbmail_mailboxes WHERE mailbox_idnr = ?", box).Scan(&seq); err != nil {
		return err
	}
	if _, err := tx.Exec("UPDATE IGNORE dbmail_messages SET seq = ? WHERE message_idnr = ? AND seq < ?", seq, message, seq); err != nil {
		return err
	}
	return tx.Commit()
}
