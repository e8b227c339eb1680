package lmtpd_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// TestKillShort is the soak in a form for every run.
func TestKillShort(t *testing.T) {
	t.Parallel() // with TestLockWait, which only waits
	soak(t, 12, 3)
}

// TestSoak kills lmtpd and MariaDB as often as GATEPOST_SOAK_ROUNDS says
// ("make soak"). A tenth of the kills must have fallen between a commit and
// the reply for it. Without the variable one round shows that it works.
func TestSoak(t *testing.T) {
	rounds := 1
	if v := os.Getenv("GATEPOST_SOAK_ROUNDS"); v != "" {
		var err error
		if rounds, err = strconv.Atoi(v); err != nil || rounds < 1 {
			t.Fatalf("GATEPOST_SOAK_ROUNDS=%q: want a number of rounds", v)
		}
	}
	soak(t, rounds, rounds/10)
}

// blow is one way to strike.
type blow struct {
	name  string
	at    func(*battle) *trap
	lmtpd bool // who is killed
	maria bool
}

// blows are struck in turn.
var blows = []blow{
	{"lmtpd, its reply held", func(b *battle) *trap { return b.lmtp.set(goodReply(1), b.few(20), true) }, true, false},
	{"MariaDB, the answer to COMMIT held", func(b *battle) *trap { return b.mysql.set(commits(atAnswer), b.few(10), true) }, false, true},
	{"lmtpd, anywhere in a transaction", func(b *battle) *trap { return b.mysql.set(anyStatement, b.few(300), false) }, true, false},
	{"lmtpd, the answer to COMMIT held", func(b *battle) *trap { return b.mysql.set(commits(atAnswer), b.few(10), true) }, true, false},
	{"MariaDB, anywhere in a transaction", func(b *battle) *trap { return b.mysql.set(anyStatement, b.few(300), false) }, false, true},
	{"lmtpd, after the first of several replies", func(b *battle) *trap { return b.lmtp.set(goodReply(2), b.few(10), true) }, true, false},
	{"lmtpd, it has the whole message", func(b *battle) *trap { return b.lmtp.set(wholeMessage, b.few(20), false) }, true, false},
	{"MariaDB, lmtpd's reply held", func(b *battle) *trap { return b.lmtp.set(goodReply(1), b.few(20), true) }, false, true},
	{"MariaDB, COMMIT just sent", func(b *battle) *trap { return b.mysql.set(commits(atSent), b.few(10), false) }, false, true},
	{"both, the answer to COMMIT held", func(b *battle) *trap { return b.mysql.set(commits(atAnswer), b.few(10), true) }, true, true},
}

func anyStatement(m moment) bool { return m.at == atStatement }
func wholeMessage(m moment) bool { return m.at == atDot && m.letter != "" }

// goodReply likes a final 2xx that is at least the nth of its message.
func goodReply(nth int) func(moment) bool {
	return func(m moment) bool { return m.at == atReply && m.good && m.nth >= nth }
}

// battle is Postfix, lmtpd, MariaDB, and what stands between them.
type battle struct {
	t *testing.T
	*site
	mysql   *mysqlProxy
	lmtp    *lmtpProxy
	daemon  *daemon
	postfix *testbed.PostfixServer
	ledger  *ledger
	load    *load
	rand    *rand.Rand

	between, elsewhere int // kills
	doomed             int // copies that were in the store when the kill cost their reply
}

// few is a random number below n: how many moments to let pass.
func (b *battle) few(n int) int { return b.rand.IntN(n) }

func soak(t *testing.T, rounds, atLeast int) {
	seed := uint64(time.Now().UnixNano())
	b := &battle{t: t, ledger: newLedger(), rand: rand.New(rand.NewPCG(seed, 0))}
	b.site = newSite(t, testbed.StartMariaDB(t, testbed.MariaDBOptions{}))
	users := []string{"ann", "ben", "cat", "dan", "eve", "fay", "gil", "hal"}
	for _, u := range users {
		b.user(u, 0)
	}
	b.mysql = startMySQLProxy(t, b.server.Socket())
	b.daemon = startDaemon(t, b.dsn(b.mysql.socket), "")
	b.lmtp = startLMTPProxy(t, b.daemon.dial, b.ledger.reply)
	b.postfix = postfixFor(t, "inet:"+b.lmtp.addr, nil)
	b.load = startLoad(t, b.postfix, b.ledger, users)
	for i := range rounds {
		b.strike(i, blows[i%len(blows)])
	}
	b.load.stop()
	select {
	case err := <-b.load.failed:
		t.Errorf("load: %v", err)
	default:
	}
	queueEmpties(t, b.postfix)
	b.judge()
	log, mail := b.daemon.log(), b.postfix.Log()
	t.Logf("seed %d: %d kills, %d between commit and reply (%d copies were in the store without Postfix knowing), %d at other points; "+
		"%d letters, %d copies; Postfix lost %d connections after the end of data; lmtpd recognised %d repeated copies",
		seed, rounds, b.between, b.doomed, b.elsewhere, len(b.ledger.sent), b.ledger.wanted,
		strings.Count(mail, "message may be sent more than once"), strings.Count(log, "repeat=true"))
	if b.between < atLeast {
		t.Errorf("only %d of %d kills fell between commit and reply, want %d at least", b.between, rounds, atLeast)
	}
}

// strike kills once, and puts back on its feet what was killed.
func (b *battle) strike(round int, w blow) {
	b.t.Helper()
	select {
	case err := <-b.load.failed:
		b.t.Fatalf("load: %v", err)
	default:
	}
	trap := w.at(b)
	m := trap.await(b.t, func() string {
		return fmt.Sprintf("round %d, %s; %d copies open", round, w.name, b.ledger.open())
	})
	if w.maria {
		b.server.Kill()
	}
	if w.lmtpd {
		b.daemon.kill()
	}
	trap.letGo()
	if w.maria {
		if err := b.server.Restart(); err != nil {
			b.t.Fatal(err)
		}
	}
	fell := m.at == atAnswer // a commit is done and lmtpd does not know
	if w.lmtpd {
		// All of lmtpd's sessions are dead. What is in the store now without
		// Postfix knowing was killed between commit and reply.
		eventually(b.t, "the proxy has seen lmtpd's end", func() (bool, string) {
			return b.lmtp.open() == 0, fmt.Sprint(b.lmtp.open(), " connections")
		})
		b.quiet()
		caught := b.ledger.catch(b.inStore())
		if fell && len(caught) == 0 {
			b.t.Errorf("round %d, %s: MariaDB had said that the commit is done, but nothing new is in the store", round, w.name)
		}
		b.doomed += len(caught)
		fell = len(caught) > 0
	}
	if m.at == atReply {
		held := copyOf{m.letter, strings.TrimSuffix(m.rcpt, "@example.org")}
		if !b.has(held) {
			b.t.Errorf("round %d, %s: lmtpd answered %q, but the store does not have it (%v)", round, w.name, m.text, m)
		}
		if len(b.ledger.catch([]copyOf{held})) > 0 {
			fell = true
			b.doomed++
		}
	}
	if w.lmtpd {
		b.daemon.start()
	}
	if fell {
		b.between++
	} else {
		b.elsewhere++
	}
}

const copyQuery = "SELECT v.headervalue, u.userid FROM dbmail_messages m" +
	" JOIN dbmail_mailboxes b ON b.mailbox_idnr = m.mailbox_idnr JOIN dbmail_users u ON u.user_idnr = b.owner_idnr" +
	" JOIN dbmail_header h ON h.physmessage_id = m.physmessage_id JOIN dbmail_headervalue v ON v.id = h.headervalue_id" +
	" JOIN dbmail_headername n ON n.id = h.headername_id WHERE m.status < 2 AND n.headername = 'subject'"

// inStore lists the copies that the store has.
func (b *battle) inStore() []copyOf {
	b.t.Helper()
	rows, err := b.db.Query(copyQuery)
	if err != nil {
		b.t.Fatal(err)
	}
	defer rows.Close()
	var out []copyOf
	for rows.Next() {
		var subject, user string
		if err := rows.Scan(&subject, &user); err != nil {
			b.t.Fatal(err)
		}
		out = append(out, copyOf{strings.TrimPrefix(subject, "letter "), user})
	}
	if err := rows.Err(); err != nil {
		b.t.Fatal(err)
	}
	return out
}

// has asks for one copy.
func (b *battle) has(c copyOf) bool {
	return b.number("SELECT count(*) FROM ("+copyQuery+" AND v.headervalue = ? AND u.userid = ?) x", "letter "+c.letter, c.rcpt) > 0
}
