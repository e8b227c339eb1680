package lmtpd_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"

	"gatepost/internal/testbed"
)

// faulty is lmtpd on a store that misbehaves at chosen moments, and a client
// that speaks to it without Postfix.
type faulty struct {
	t *testing.T
	*site
	mysql  *mysqlProxy
	daemon *daemon
	next   int // number of the next message
}

func newFaulty(t *testing.T, server *testbed.MariaDBServer) *faulty {
	t.Helper()
	f := &faulty{t: t, site: newSite(t, server)}
	f.user("ann", 0)
	f.user("ben", 0)
	f.mysql = startMySQLProxy(t, &snare{}, server.Socket())
	f.daemon = startDaemon(t, f.dsn(f.mysql.socket), "")
	if err := f.deliver("ann").err; err != nil { // the connections are there, the INBOX too
		t.Fatal(err)
	}
	return f
}

// handed is what became of a message.
type handed struct {
	text  string
	reply string
	err   error
}

// message writes a message that no other one equals.
func (f *faulty) message() string {
	f.next++
	return crlf(fmt.Sprintf("From: Nora <nora@sender.test>\nTo: ann@example.org\nSubject: fault %d\nDate: Tue, 03 Nov 2026 09:30:15 +0100\n"+
		"Message-ID: <fault%d@sender.test>\nX-Number: %d\n\nbody %d\n", f.next, f.next, f.next, f.next))
}

// deliver hands a new message to lmtpd and waits for the reply.
func (f *faulty) deliver(user string) handed {
	h := handed{text: f.message()}
	h.reply, h.err = hand(f.daemon.dial, user+"@example.org", h.text)
	return h
}

// begin does the same but does not wait.
func (f *faulty) begin(user string) <-chan handed {
	done := make(chan handed, 1)
	h := handed{text: f.message()}
	go func() {
		h.reply, h.err = hand(f.daemon.dial, user+"@example.org", h.text)
		done <- h
	}()
	return done
}

// has counts the copies of a message.
func (f *faulty) has(user, text string) int {
	n := 0
	for _, s := range f.stored(user, "") {
		if s == "Return-Path: <nora@sender.test>\r\n"+text {
			n++
		}
	}
	return n
}

// settle checks what is promised: a 2xx means exactly one copy, a 4xx none,
// and a client that comes again ends up with exactly one. With must, nothing
// but a 2xx is good enough.
func (f *faulty) settle(user string, h handed, must bool) {
	f.t.Helper()
	if h.err != nil {
		f.t.Errorf("no reply: %v", h.err)
		return
	}
	noInside(f.t, "the reply", h.reply)
	switch h.reply[0] {
	case '2':
		if n := f.has(user, h.text); n != 1 {
			f.t.Errorf("%q, and %d copies", h.reply, n)
		}
	case '4':
		if must {
			f.t.Errorf("%q; want a 2xx", h.reply)
		}
		if n := f.has(user, h.text); n != 0 {
			f.t.Errorf("%q, and %d copies", h.reply, n)
		}
	default:
		f.t.Errorf("%q", h.reply)
	}
	again, err := hand(f.daemon.dial, user+"@example.org", h.text)
	if err != nil || again[0] != '2' {
		f.t.Errorf("the second time: %q, %v", again, err)
	}
	if n := f.has(user, h.text); n != 1 {
		f.t.Errorf("%d copies after %q and %q", n, h.reply, again)
	}
}

// spring waits for a trap and returns its moment.
func (f *faulty) spring(t *trap) moment {
	f.t.Helper()
	return t.await(f.t, func() string { return tail(f.daemon.log(), 5) })
}

// TestFaults breaks the way to the database around the COMMIT of a message.
// lmtpd has time to try again, so each must end in a 2xx and one copy.
func TestFaults(t *testing.T) {
	f := newFaulty(t, testbed.StartMariaDB(t, testbed.MariaDBOptions{}))
	for _, c := range []struct {
		name   string
		at     string
		cut    bool
		happen func()
	}{
		{"cut before COMMIT is sent", atStatement, true, nil},
		{"cut when COMMIT is sent", atSent, true, nil},
		{"cut before the answer to COMMIT arrives", atAnswer, true, nil},
		{"session killed before COMMIT", atStatement, false, f.killSessions},
		{"server killed before COMMIT", atStatement, false, f.crash},
		{"server killed before the answer to COMMIT arrives", atAnswer, true, f.crash},
		{"server restarted before COMMIT", atStatement, false, f.restart},
		{"server restarted before the answer to COMMIT arrives", atAnswer, true, f.restart},
	} {
		t.Run(c.name, func(t *testing.T) {
			trap := f.mysql.set(commits(c.at), 0, c.cut)
			result := f.begin("ann")
			f.spring(trap)
			if c.happen != nil {
				c.happen()
			}
			trap.letGo()
			h := <-result
			f.in(t).settle("ann", h, true)
		})
	}
	f.verify()
}

// in gives f with another test to speak to.
func (f *faulty) in(t *testing.T) *faulty {
	g, s := *f, *f.site
	s.t, g.t, g.site = t, t, &s
	return &g
}

func (f *faulty) crash() {
	f.server.Kill()
	f.restart()
}

func (f *faulty) restart() {
	if err := f.server.Restart(); err != nil {
		f.t.Error(err)
	}
}

// killSessions is what an administrator does to a session that hangs.
func (f *faulty) killSessions() {
	rows, err := f.db.Query("SELECT id FROM information_schema.processlist WHERE user = ? AND db = ?", daemonUser, f.name)
	if err != nil {
		f.t.Error(err)
		return
	}
	defer rows.Close()
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			f.t.Error(err)
		} else if _, err := f.db.Exec(fmt.Sprint("KILL CONNECTION ", id)); err != nil && !strings.Contains(err.Error(), "Unknown thread") {
			f.t.Error(err)
		}
	}
}

// TestCutAnywhere cuts the connection to the database before each query of a
// delivery, after it, and before each packet of the answers, from RCPT to
// COMMIT.
func TestCutAnywhere(t *testing.T) {
	f := newFaulty(t, testbed.MariaDB(t))
	for _, at := range []string{atStatement, atSent, atPacket} {
		cuts := 0
		for n := 0; ; n++ {
			trap := f.mysql.set(func(m moment) bool { return m.at == at }, n, true)
			trap.letGo()
			h := f.deliver("ben")
			if len(trap.sprung) == 0 {
				f.mysql.clear() // the delivery has fewer than n statements
				f.settle("ben", h, true)
				break
			}
			cuts++
			f.settle("ben", h, false)
			if t.Failed() {
				t.Fatalf("after a cut of the %s", <-trap.sprung)
			}
			if n > 200 {
				t.Fatal("a delivery that never ends")
			}
		}
		// RCPT, what is stored already, and the transaction.
		if cuts < 4 {
			t.Errorf("only %d cuts at the %s", cuts, at)
		}
		t.Logf("%d cuts at the %s", cuts, at)
	}
	f.verify()
}

// outsider is a transaction of somebody else.
func (f *faulty) outsider() *sql.Tx {
	f.t.Helper()
	tx, err := f.db.BeginTx(context.Background(), nil)
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { tx.Rollback() }) // an error says that it has ended
	return tx
}

func (f *faulty) do(tx *sql.Tx, statement string, args ...any) {
	f.t.Helper()
	if _, err := tx.Exec(statement, args...); err != nil {
		f.t.Fatalf("%s: %v", statement, err)
	}
}

// waiting waits until lmtpd waits for a row. No other test on this server runs
// beside those that ask. (information_schema.innodb_trx would tell whose wait it is, but
// stays as it is while somebody reads it more often than every 0.1 s.)
func (f *faulty) waiting() {
	f.t.Helper()
	eventually(f.t, "lmtpd waits for a lock", func() (bool, string) {
		var name string
		var n int
		if err := f.db.QueryRow("SHOW GLOBAL STATUS LIKE 'Innodb_row_lock_current_waits'").Scan(&name, &n); err != nil {
			f.t.Fatal(err)
		}
		return n > 0, tail(f.daemon.log(), 3)
	})
}

// TestLockWait lets a delivery wait for a row longer than it is ready to
// and then goes away.
func TestLockWait(t *testing.T) {
	t.Parallel() // with tests that have servers of their own
	f := newFaulty(t, testbed.MariaDB(t))
	tx := f.outsider()
	f.do(tx, "SELECT seq FROM dbmail_mailboxes WHERE owner_idnr = (SELECT user_idnr FROM dbmail_users WHERE userid = 'ann') FOR UPDATE")
	timedOut := f.mysql.set(statement("ROLLBACK"), 0, false)
	result := f.begin("ann")
	f.waiting()
	f.spring(timedOut)
	timedOut.letGo()
	f.waiting() // lmtpd tries again
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	f.settle("ann", <-result, true)
	f.verify()
}

// TestDeadlock makes lmtpd the victim of a deadlock: somebody else has locked
// the mailbox and then asks for the user, in the other order than we do.
func TestDeadlock(t *testing.T) {
	f := newFaulty(t, testbed.MariaDB(t))
	f.exec("CREATE TABLE heavy (n int PRIMARY KEY) ENGINE=InnoDB")
	tx := f.outsider()
	// InnoDB ends the transaction that has changed less.
	f.do(tx, "INSERT INTO heavy SELECT seq FROM seq_1_to_5000")
	f.do(tx, "SELECT seq FROM dbmail_mailboxes WHERE owner_idnr = (SELECT user_idnr FROM dbmail_users WHERE userid = 'ann') FOR UPDATE")
	victim := f.mysql.set(statement("ROLLBACK"), 0, false)
	result := f.begin("ann")
	f.waiting()
	f.do(tx, "SELECT curmail_size FROM dbmail_users WHERE userid = 'ann' FOR UPDATE")
	f.spring(victim)
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	victim.letGo()
	f.settle("ann", <-result, true)
	f.verify()
}

// TestStoreAway: without a database each recipient is deferred, and taken
// when it is back.
func TestStoreAway(t *testing.T) {
	f := newFaulty(t, testbed.StartMariaDB(t, testbed.MariaDBOptions{}))
	f.server.Kill()
	h := f.deliver("ann")
	if h.err != nil || !strings.HasPrefix(h.reply, "451 4.3.0 ") {
		t.Errorf("reply %q, %v; want 451 4.3.0", h.reply, h.err)
	}
	f.restart()
	f.settle("ann", h, false)
	f.verify()
}
