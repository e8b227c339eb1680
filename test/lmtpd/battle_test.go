package lmtpd_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"gatepost/internal/testbed"
)

// battle is Postfix, lmtpd, its store, and proxies between them.
type battle struct {
	t *testing.T
	*site
	traps   *snare
	lmtp    *lmtpProxy
	daemon  *daemon
	postfix *testbed.PostfixServer
	ledger  *ledger
	load    *load
	rand    *rand.Rand

	between, elsewhere int // kills
	others             int // orderly ends and cut connections, which are no kills
	doomed             int // copies that were in the store when lmtpd's end cost their reply
}

// fight kills so many times under load, and then judges what became of the
// mail. At least so many kills must have fallen between commit and reply.
func fight(t *testing.T, s *site, blows []blow, kills, atLeast int) {
	seed := uint64(time.Now().UnixNano())
	b := &battle{t: t, site: s, traps: &snare{}, ledger: newLedger(), rand: rand.New(rand.NewPCG(seed, 0))}
	users := []string{"ann", "ben", "cat", "dan", "eve", "fay", "gil", "hal"}
	for _, u := range users {
		b.user(u, 0)
	}
	way := ""
	if b.server != nil {
		way = startMySQLProxy(t, b.traps, b.server.Socket()).socket
	}
	b.daemon = startDaemon(t, b.dsn(way), "")
	b.lmtp = startLMTPProxy(t, b.traps, b.daemon.dial, b.ledger.reply)
	b.postfix = postfixFor(t, "inet:"+b.lmtp.addr, nil)
	b.load = startLoad(t, b.postfix, b.ledger, users)
	for round := 0; b.between+b.elsewhere < kills; round++ {
		b.strike(round, blows[round%len(blows)])
	}
	b.load.stop()
	b.load.check(t)
	queueEmpties(t, b.postfix)
	b.judge()
	log, mail := b.daemon.log(), b.postfix.Log()
	t.Logf("seed %d: %d kills, %d between commit and reply (%d copies were in the store without Postfix knowing), %d at other points; "+
		"%d orderly ends and cut connections besides; %d letters, %d copies; Postfix lost %d connections after the end of data; lmtpd recognised %d repeated copies",
		seed, kills, b.between, b.doomed, b.elsewhere, b.others, len(b.ledger.sent), b.ledger.wanted,
		strings.Count(mail, "message may be sent more than once"), strings.Count(log, "repeat=true"))
	if b.between < atLeast {
		t.Errorf("only %d of %d kills fell between commit and reply, want %d at least", b.between, kills, atLeast)
	}
}

// strike strikes once, looks at what the dead have left, and puts them back on
// their feet.
func (b *battle) strike(round int, w blow) {
	b.t.Helper()
	b.load.check(b.t)
	trap := b.traps.set(w.at, b.rand.IntN(w.among), w.cut)
	m := trap.await(b.t, func() string {
		return fmt.Sprintf("round %d, %s; %d copies open", round, w.name, b.ledger.open())
	})
	if w.maria {
		b.server.Kill()
	}
	if w.lmtpd {
		b.daemon.kill()
	}
	if w.term {
		b.daemon.terminate()
	}
	trap.letGo()
	if w.maria {
		if err := b.server.Restart(); err != nil {
			b.t.Fatal(err)
		}
	}
	fell := m.at == atAnswer // a commit is done and lmtpd does not know
	if w.lmtpd || w.term {
		orphans := b.orphans()
		switch {
		case w.term && len(orphans) > 0:
			b.t.Errorf("round %d: lmtpd ended in good order and left copies without a reply: %v", round, orphans)
		case w.term && b.daemon.exitCode() != 0:
			b.t.Errorf("round %d: asked to end, lmtpd exits with %d", round, b.daemon.exitCode())
		case fell && len(orphans) == 0:
			b.t.Errorf("round %d, %s: MariaDB had said that the commit is done, but nothing new is in the store", round, w.name)
		}
		b.doomed += len(orphans)
		fell = len(orphans) > 0
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
	if w.lmtpd || w.term {
		b.daemon.start()
	}
	switch {
	case !w.lmtpd && !w.maria:
		b.others++
	case fell:
		b.between++
	default:
		b.elsewhere++
	}
}

// orphans waits until nothing of a dead lmtpd is under way any more, and gives
// the copies that are in the store without Postfix knowing, each once.
func (b *battle) orphans() []copyOf {
	b.t.Helper()
	b.daemon.wait()
	eventually(b.t, "the proxy has seen lmtpd's end", func() (bool, string) {
		return b.lmtp.open() == 0, fmt.Sprint(b.lmtp.open(), " connections")
	})
	b.quiet()
	return b.ledger.catch(b.inStore())
}

// copyTables join each copy with its user u and its subject v.headervalue.
const copyTables = " FROM dbmail_messages m" +
	" JOIN dbmail_mailboxes b ON b.mailbox_idnr = m.mailbox_idnr JOIN dbmail_users u ON u.user_idnr = b.owner_idnr" +
	" JOIN dbmail_header h ON h.physmessage_id = m.physmessage_id JOIN dbmail_headervalue v ON v.id = h.headervalue_id" +
	" JOIN dbmail_headername n ON n.id = h.headername_id WHERE m.status < 2 AND n.headername = 'subject'"

const copyQuery = "SELECT v.headervalue, u.userid" + copyTables

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
